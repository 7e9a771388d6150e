"""The published latency table of ProxylessNAS for a Pixel 1: 72 rows of blocks, at a width of 1 and 224 pixels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from cleave.net.units import HEAD, Unit
from cleave.run.reading import Shape, shaped
from cleave.space.mobilenet import MobileNetProxyless, MobileNetSettings

DEVICE = "Pixel 1"
LAYERS = {"stem.op": "Conv", "last.op": "Conv_1", HEAD: "Logits"}
"""Its names of what is not searched; `EXPANDED` is that of blocks."""
EXPANDED = "expanded_conv"
FIRST = ("block0.op", 1, 3)
"""The block that is not searched, with its expansion and kernel."""


class PixelShape(Shape):
    """The table as JSON: `rows` of layer, input and output ("112x112x32"), expansion, kernel, stride, residual, mean
    milliseconds, variance, count."""

    columns: list[str]
    rows: list[list[str | int | float | None]]


COLUMNS = ["layer", "in_hwc", "out_hwc", "expand", "kernel", "stride", "residual", "mean_ms"]


def pixel_rows(file: Path, told: Mapping[str, Any]) -> tuple[dict[Hashable, float], dict[str, Any]]:
    """Milliseconds by what `pixel_key` makes of units, and what the table is of."""
    table = PixelShape.model_validate(shaped(file, PixelShape, told))
    places = [table.columns.index(column) for column in COLUMNS]
    picked = [[row[place] for place in places] for row in table.rows]
    size = MobileNetProxyless.paper_size
    assert isinstance(size, MobileNetSettings)
    of = {
        "device": DEVICE,
        "runtime": "as published",
        "threads": 1,
        "batch": 1,
        "space": MobileNetProxyless.name,
        "size": size.model_dump(exclude={"name", "ops"}),
        "resolution": MobileNetProxyless.paper_image_size,
        "channels": 3,
        "classes": MobileNetProxyless.paper_classes,
        "versions": {},
    }
    return {tuple(row[:-1]): float(row[-1] or 0) for row in picked}, of


def pixel_key(unit: Unit) -> Hashable:
    """(layer, input, output, expansion, kernel, stride, residual) of a unit of `mobilenet-proxyless`."""
    shapes = sides_first(unit.input), sides_first(unit.output)
    if unit.name in LAYERS:
        return LAYERS[unit.name], *shapes, None, None, None, None
    expansion, kernel = FIRST[1:] if unit.name == FIRST[0] else (int(unit.name[-1]), int(unit.name[0]))
    stride, residual = unit.input[-1] // unit.output[-1], int(unit.input == unit.output)
    return EXPANDED, *shapes, expansion, kernel, stride, residual


def sides_first(shape: tuple[int, ...]) -> str:
    """ "112x112x32" of (32, 112, 112)."""
    return "x".join(map(str, (*shape[1:], shape[0])))
