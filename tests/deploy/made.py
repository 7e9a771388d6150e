"""Latency tables that nobody measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.deploy.subjects import units_of
from cleave.deploy.table import Binding, sizes
from cleave.engine.environment import cpu_name
from cleave.net.sized import Sized
from cleave.net.units import Unit
from cleave.space import NetworkSize, Space, find_space

SMALL = Sized(find_space("nasbench201", ["none", "skip_connect", "nor_conv_1x1"]), NetworkSize(2, 1), (3, 8, 8), 2)
"""As small as a test can have it."""


@dataclass(frozen=True)
class Made:
    """Milliseconds as a function says, and which units were asked for."""

    milliseconds: Callable[[Unit], float]
    asked: dict[Unit, int]
    base: float = 0.0

    def of(self, unit: Unit) -> float:
        self.asked[unit] = self.asked.get(unit, 0) + 1
        return self.milliseconds(unit)


def by_work(unit: Unit) -> float:
    """A microsecond for 1,000 multiply-adds: of sums it can be told what they are."""
    return unit.multiply_adds / 1e6


def small(space: Space) -> Sized:
    """A space at the size of a recipe that says none."""
    return Sized(space, space.usual_size, (3, 16, 16), 3)


def binding(asked: Sized, **other: Any) -> Binding:  # noqa: ANN401
    told = {
        "device": cpu_name(), "runtime": "torch", "threads": 1, "batch": 1, "space": asked.space.name,
        "size": sizes(asked.size), "resolution": asked.image[-1], "channels": asked.image[0],
        "classes": asked.classes, "versions": {},
    }  # fmt: skip
    return Binding.model_validate({**told, **other})


def write_latencies(
    file: Path,
    asked: Sized,
    milliseconds: Callable[[Unit], float] = by_work,
    call: float = 0.0,
    **other: Any,  # noqa: ANN401
) -> Path:
    """A table file of all units; `other` is of its binding."""
    content = {
        "of": binding(asked, **other).model_dump(),
        "call": {"milliseconds": call},
        "units": [{**unit._asdict(), "milliseconds": milliseconds(unit)} for unit in units_of(asked)],
        "correction": {"kind": "none", "constant": 0.0, "slope": 1.0},
    }
    file.write_text(json.dumps(content))
    return file
