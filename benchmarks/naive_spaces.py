"""The published way's supernet of each space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.naive import Allowed, Supernet
from benchmarks.naive_darts import DartsSupernet
from benchmarks.naive_mobilenet import MobileNetSupernet
from benchmarks.naive_nb201 import Nb201Supernet
from cleave.search.problem import Problem

SUPERNETS: Mapping[str, Callable[[Any, Allowed, int, int], Supernet]] = {
    "nasbench201": lambda size, *rest: Nb201Supernet(size.channels, size.cells, *rest),
    "darts": lambda size, *rest: DartsSupernet(size.channels, size.cells, *rest),
    "mobilenet-proxyless": MobileNetSupernet,
}
"""From (the space's size, operations of each choice, classes, channels of an image)."""


def supernet(problem: Problem, allowed: Allowed) -> Supernet:
    """With random weights, of the size that the recipe names."""
    image_channels, _, _ = problem.image
    return SUPERNETS[problem.space.name](problem.recipe.space.size, allowed, problem.classes, image_channels)
