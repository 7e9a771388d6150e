"""Charts and heat maps: where things lie, what they say, and who can reach it."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from cleave.report import (
    Bars,
    Cell,
    Element,
    Heading,
    HeatMap,
    Legend,
    LineChart,
    Nested,
    Page,
    Pictures,
    Point,
    Scatter,
    Section,
    Series,
    SideBySide,
    picture,
)
from cleave.report.axes import Axis, LogAxis
from cleave.report.charts import COLOURS, MOST, thinned
from tests.fresh import fresh
from tests.report.parsed import check_page


def heat(names: tuple[str, ...], said: str = "so alike") -> HeatMap:
    places = range(len(names))
    cells = [
        [None if row == column else Cell(random.uniform(-1, 1), "0.5", said, row < column) for column in places]
        for row in places
    ]
    return HeatMap("alike", names, cells, starts={1})


def every_kind(text: str) -> list[Element]:
    """An element of each kind that shows a text wherever it can."""
    lines = LineChart(text, [Series(text, [(1, 2), (2, 3)])], text, text)
    return [
        Heading(text),
        Bars(text, (text, text, text, text), [(text, 50.0, text)]),
        Nested(text, [Nested(text, strong=True)]),
        Legend([text]),
        SideBySide([lines, LineChart(text, [Series(text, [(1, 2)])], "", "", small=True)]),
        Scatter(text, [Point(text, 1, 2, (1, 3), True)], text, text),
        heat((text, "other"), text),
        Pictures([picture(fresh().integers(0, 256, (3, 8, 8), dtype=np.uint8), text)]),
    ]


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '" onload="alert(1)', "</style><b>", "some words"])
def test_what_others_wrote_is_shown_and_not_run(evil: str) -> None:
    text = Page("Made", [], [Section("all", "All", every_kind(evil))]).html()
    assert check_page(text).text.count(evil) >= 15


@pytest.mark.parametrize("whole", [False, True])
def test_an_axis_goes_from_tick_to_tick_around_its_values(whole: bool) -> None:
    for _ in range(200):
        size = 10 ** random.uniform(0, 9) if whole else 10 ** random.uniform(-3, 9)
        values = [random.uniform(-size, size) for _ in range(random.randint(1, 5))]
        values = [float(round(value)) for value in values] if whole else values
        axis = Axis.over(values, 10, 110, whole=whole)
        low, high = axis.ticks[0], axis.ticks[-1]
        assert low - 1e-6 * size <= min(values) <= max(values) <= high + 1e-6 * size
        assert 2 <= len(axis.ticks) <= 12
        texts = [axis.text(tick) for tick in axis.ticks]
        assert len(set(texts)) == len(texts), texts
        assert max(map(len, texts)) <= 11, texts
        assert (axis.at(low), axis.at(high)) == pytest.approx((10, 110))
        assert not whole or all(float(tick).is_integer() for tick in axis.ticks)


def test_costs_of_different_sizes_are_drawn_in_powers_of_ten() -> None:
    for _ in range(100):
        values = [10 ** random.uniform(-3, 11) for _ in range(random.randint(2, 5))]
        axis = LogAxis.over(values, 10, 110)
        assert axis.low <= min(values) <= max(values) <= axis.high
        assert [axis.at(tick) for tick in axis.ticks] == sorted(axis.at(tick) for tick in axis.ticks)
        assert (axis.at(axis.low), axis.at(axis.high)) == pytest.approx((10, 110))
        texts = [axis.text(tick) for tick in axis.ticks]
        assert len(set(texts)) == len(texts)
    html = Scatter("costs", [Point(str(cost), cost, 50.0, (40.0, 60.0)) for cost in (12e3, 1.2e6, 12e6)], "", "").html()
    places = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', html)]
    assert (places[1] - places[0]) == pytest.approx(2 * (places[2] - places[1]), abs=0.2)
    assert [text for text in ("10k", "100k", "1M", "10M") if f">{text}<" in html] == ["10k", "100k", "1M", "10M"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0, 4_025_280), ["0", "1M", "2M", "3M", "4M", "5M"]),
        ((345_248, 455_840), ["325k", "350k", "375k", "400k", "425k", "450k", "475k"]),
        ((0.15, 0.28), ["0.15", "0.20", "0.25", "0.30"]),
        ((41, 69.5), ["40", "50", "60", "70"]),
    ],
)
def test_ticks_are_written_as_briefly_as_tells_them_apart(values: tuple[float, float], texts: list[str]) -> None:
    axis = Axis.over(values, 0, 1)
    assert [axis.text(tick) for tick in axis.ticks] == texts


def test_points_lie_where_their_figures_are_with_whiskers_over_their_intervals() -> None:
    points = [Point("low", 1e6, 40.0, (35.0, 45.0)), Point("high", 3e6, 80.0, (70.0, 85.0), strong=True)]
    html = Scatter("accuracy", points, "cost", "%").html()
    (x1, y1), (x2, y2) = [
        (float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4"', html)
    ]
    assert x1 < x2
    assert y1 > y2, "pixels count downwards"
    pixels = abs(y1 - y2) / 40
    whiskers = [(float(low), float(high)) for low, high in re.findall(r'<path d="M[\d.]+ ([\d.]+)V([\d.]+)M', html)]
    assert whiskers[0] == pytest.approx((y1 + 5 * pixels, y1 - 5 * pixels), abs=0.2)
    assert whiskers[1] == pytest.approx((y2 + 10 * pixels, y2 - 5 * pixels), abs=0.2)
    assert "<title>high: 80.00 (70.0 to 85.0)</title>" in html
    assert html.count('class="point strong"') == 1


def test_numbers_of_points_in_one_place_stand_below_each_other() -> None:
    html = Scatter("accuracy", [Point("x", 1.0, 50.0, (40.0, 60.0))] * 4, "cost", "%").html()
    places = [float(y) for y in re.findall(r'class="number"[^>]* y="([\d.]+)"', html)]
    assert np.diff(places).min() >= 11


def test_of_many_lines_only_the_strong_ones_have_a_colour() -> None:
    few = [Series(str(i), [(0, i), (1, i + 1)]) for i in range(COLOURS)]
    html = LineChart("lines", few, "", "").html()
    assert all(f"line c{i}" in html for i in range(COLOURS))
    assert "line grey" not in html
    many = LineChart("lines", [*few, Series("strong", [(0, 5), (1, 5)], strong=True)], "", "").html()
    assert "8 others" in many
    assert many.count('<g class="line grey"') == COLOURS
    assert many.count('<g class="line c0 strong"') == 1


def test_a_long_line_is_thinned_and_keeps_its_ends() -> None:
    points = [(float(i), random.random()) for i in range(random.randint(2000, 5000))]
    found = thinned(points)
    assert len(found) <= MOST + 1
    assert (found[0], found[-1]) == (points[0], points[-1])
    assert set(found) <= set(points)
    assert thinned(points[:50]) == points[:50]


def test_the_keyboard_reaches_each_pair_of_a_heat_map_once() -> None:
    names = tuple(f"operation{i}" for i in range(random.randint(2, 8)))
    html = heat(names).html()
    count = len(names)
    table = html[html.index("<table") :]
    assert table.count('tabindex="0"') == count * (count - 1) // 2
    assert table.count('class="said"') == count * (count - 1)
    assert table.count("before") == table.count("above") == count + 1, "a line before the group, heading included"
