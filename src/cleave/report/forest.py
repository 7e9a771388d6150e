"""Differences with their intervals, one below the other, beside a line at zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cleave.report.axes import Axis
from cleave.report.charts import chart_html
from cleave.report.elements import joined

WIDTH, LEFT, TOP, HEIGHT = 360, 12, 20, 40
"""Pixels: of the drawing, at its sides, above it, and of a row."""


@dataclass(frozen=True)
class ForestRow:
    """A difference, its interval where there is one, and whether it is filled."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    strong: bool = False


@dataclass(frozen=True)
class Forest:
    """Each row has its name above it."""

    caption: str
    rows: Sequence[ForestRow]
    x: str

    def html(self) -> str:
        ends = [end for row in self.rows for end in (row.value, *(row.interval or ()))]
        axis = Axis.over([0.0, *ends], LEFT, WIDTH - LEFT)
        bottom = TOP + HEIGHT * len(self.rows)
        ticks = [
            f'<path class="grid" d="M{axis.at(tick):.1f} {TOP}V{bottom}"/>'
            f'<text text-anchor="middle" x="{axis.at(tick):.1f}" y="{bottom + 14}">{axis.text(tick)}</text>'
            for tick in axis.ticks
        ]
        zero = f'<path class="zero" d="M{axis.at(0.0):.1f} {TOP}V{bottom}"/>'
        name = f'<text x="2" y="10">{escape(self.x)}, difference</text>'
        drawn = [drawn_row(row, axis, TOP + HEIGHT * number) for number, row in enumerate(self.rows)]
        head = f'<svg role="img" aria-label="{escape(self.caption)}" viewBox="0 0 {WIDTH} {bottom + 22}">'
        return chart_html(f"{head}{joined([name, *ticks, zero, *drawn])}</svg>", self.caption)


def drawn_row(row: ForestRow, axis: Axis, top: int) -> str:
    y, x = top + 28, axis.at(row.value)
    said, whisker = f"{row.name}: {row.value:+.3g}", ""
    if row.interval is not None:
        low, high = map(axis.at, row.interval)
        said += " ({:+.3g} to {:+.3g})".format(*row.interval)
        whisker = f'<path d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 3}v6M{high:.1f} {y - 3}v6"/>'
    kind = "point strong" if row.strong else "point"
    text = f'<text x="{LEFT}" y="{top + 16}">{escape(row.name)}</text>'
    return f'{text}<g class="{kind}"><title>{escape(said)}</title>{whisker}<circle cx="{x:.1f}" cy="{y}" r="4"/></g>'
