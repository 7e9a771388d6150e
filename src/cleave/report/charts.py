"""Charts as drawings in the page: lines, and points with intervals. They take the page's colours, light or dark.

Drawn small, so that their letters can be read on a phone, and never blown up to more than half as much again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from math import ceil

from cleave.report.axes import Axis, LogAxis
from cleave.report.elements import joined

Size = tuple[int, int, int, int, int, int]
"""Pixels of a chart: its width and height, and its margins on the left, on the right, above and below."""
USUAL: Size = (360, 230, 46, 20, 24, 36)
SMALL: Size = (180, 120, 34, 12, 20, 22)
COLOURS = 8
"""How many lines have a colour of their own; of more all but the strong ones are grey."""
MOST = 300
"""Points of a line that are drawn."""
GREY = "line grey"
"""The class of lines without a colour of their own."""
WIDE = 20
"""From what ratio of the largest to the smallest cost points are drawn in powers of ten."""
LABEL = 11
"""Pixels between two labels."""


@dataclass(frozen=True)
class Series:
    """A line: a name, and its points; a strong one stands out among many."""

    name: str
    points: Sequence[tuple[float, float]]
    strong: bool = False


@dataclass(frozen=True)
class Point:
    """A point with the interval of its height, and whether it is filled."""

    name: str
    x: float
    y: float
    interval: tuple[float, float]
    strong: bool = False


@dataclass(frozen=True)
class Legend:
    """The colours of lines with these names, for charts that have no legend of their own."""

    names: Sequence[str]

    def html(self) -> str:
        series = [Series(name, ()) for name in self.names]
        return legend_of(series, colours(series))


@dataclass(frozen=True)
class LineChart:
    """Lines over what is counted to the right. `small`: one of many, without a legend."""

    caption: str
    series: Sequence[Series]
    x: str
    y: str
    small: bool = False

    def html(self) -> str:
        frame = Frame.around(
            [x for each in self.series for x, _ in each.points],
            [y for each in self.series for _, y in each.points],
            SMALL if self.small else USUAL,
            whole=True,
        )
        kinds = colours(self.series)
        lines = [self.line(each, kind, frame) for each, kind in zip(self.series, kinds, strict=True)]
        legend = "" if self.small else legend_of(self.series, kinds)
        return chart_html(frame.svg(lines, self.x, self.y, self.caption), self.caption, legend, self.small)

    def line(self, series: Series, kind: str, frame: Frame) -> str:
        """One point alone is drawn as a dot."""
        places = [frame.at(x, y) for x, y in thinned(series.points)]
        last = series.points[-1][1]
        title = f"<title>{escape(series.name)}: {last:.4g} at the end</title>"
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dot = f'<circle cx="{places[-1][0]:.1f}" cy="{places[-1][1]:.1f}" r="2.5"/>'
        strong = " strong" * series.strong
        return f'<g class="{kind}{strong}">{title}<polyline points="{path}"/>{dot}</g>'


@dataclass(frozen=True)
class Scatter:
    """Numbered points with intervals; the numbers count from 1, for a table below."""

    caption: str
    points: Sequence[Point]
    x: str
    y: str

    def html(self) -> str:
        xs, ys = [each.x for each in self.points], [y for each in self.points for y in (each.y, *each.interval)]
        frame = Frame.around(xs, ys, USUAL)
        if min(xs) > 0 and max(xs) / min(xs) >= WIDE:
            frame = replace(frame, across=LogAxis.over(xs, frame.across.start, frame.across.end))
        drawn = list(map(self.point, self.points, [frame] * len(self.points)))
        return chart_html(frame.svg([*drawn, *self.labels(frame)], self.x, self.y, self.caption), self.caption)

    def point(self, point: Point, frame: Frame) -> str:
        x, y = frame.at(point.x, point.y)
        (_, low), (_, high) = (frame.at(point.x, end) for end in point.interval)
        said = "{}: {:.2f} ({:.1f} to {:.1f})".format(point.name, point.y, *point.interval)
        whisker = f'<path d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"/>'
        kind = "point strong" if point.strong else "point"
        return f'<g class="{kind}"><title>{escape(said)}</title>{whisker}<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'

    def labels(self, frame: Frame) -> list[str]:
        """The numbers, each beside its point, or below one that is there already."""
        taken = list[tuple[float, float]]()
        for point in self.points:
            x, y = frame.at(point.x, point.y)
            left = x > frame.width - 30
            x, y = (x - 7 if left else x + 7), y + 4
            while any(abs(x - other) < 2 * LABEL and abs(y - beside) < LABEL for other, beside in taken):
                y += LABEL
            taken.append((x, y))
        anchors = ["end" if frame.at(each.x, each.y)[0] > frame.width - 30 else "start" for each in self.points]
        return [
            f'<text class="number" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{number}</text>'
            for number, ((x, y), anchor) in enumerate(zip(taken, anchors, strict=True), start=1)
        ]


@dataclass(frozen=True)
class Frame:
    """What is around the lines or points of a chart."""

    across: Axis | LogAxis
    up: Axis
    width: int
    height: int

    @staticmethod
    def around(xs: Sequence[float], ys: Sequence[float], size: Size, whole: bool = False) -> Frame:
        """`whole`: what is counted to the right are whole numbers."""
        width, height, left, right, top, bottom = size
        few = 3 if size == SMALL else 5
        across = Axis.over(xs, left, width - right, few, whole)
        return Frame(across, Axis.over(ys, height - bottom, top, few), width, height)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.across.at(x), self.up.at(y)

    def svg(self, drawn: Sequence[str], x: str, y: str, caption: str) -> str:
        """The drawing with its axes, which are called `x` and `y`; `caption` is read out in its place."""
        across, up = self.across, self.up
        bottom = up.start
        rows = [
            f'<path class="grid" d="M{across.start} {up.at(tick):.1f}H{across.end}"/>'
            f'<text text-anchor="end" x="{across.start - 5}" y="{up.at(tick) + 4:.1f}">{up.text(tick)}</text>'
            for tick in up.ticks
        ]
        columns = [
            f'<text text-anchor="middle" x="{across.at(tick):.1f}" y="{bottom + 14}">{across.text(tick)}</text>'
            for tick in across.ticks
        ]
        names = [
            f'<text x="2" y="10">{escape(y)}</text>',
            f'<text text-anchor="end" x="{across.end}" y="{self.height - 4}">{escape(x)}</text>' if x else "",
        ]
        head = f'<svg role="img" aria-label="{escape(caption)}" viewBox="0 0 {self.width} {self.height}">'
        return f"{head}{joined([*rows, *columns, *names, *drawn])}</svg>"


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Every so many of them, and the last."""
    every = ceil(len(points) / MOST)
    return [*points[:-1][::every], points[-1]]


def colours(series: Sequence[Series]) -> list[str]:
    """The class of each: a colour of its own, or of many only for the strong ones."""
    if len(series) <= COLOURS:
        return [f"line c{number}" for number in range(len(series))]
    strong = [each.name for each in series if each.strong]
    return [f"line c{strong.index(each.name) % COLOURS}" if each.strong else GREY for each in series]


def legend_of(series: Sequence[Series], kinds: Sequence[str]) -> str:
    named = [(each.name, kind) for each, kind in zip(series, kinds, strict=True) if kind != GREY]
    others = [(f"{len(series) - len(named)} others", GREY)] if len(named) < len(series) else []
    return legend_html([*named, *others])


def legend_html(named: Sequence[tuple[str, str]]) -> str:
    items = (f'<li><span class="swatch {kind}"></span>{escape(name)}</li>' for name, kind in named)
    return f'<ul class="legend">{joined(items)}</ul>'


def chart_html(svg: str, caption: str, legend: str = "", small: bool = False) -> str:
    kind = "chart small" if small else "chart"
    return f'<figure class="{kind}"><figcaption>{escape(caption)}</figcaption>{svg}{legend}</figure>'
