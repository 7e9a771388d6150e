"""The pieces of work by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from benchmarks import pairs
from benchmarks.elastic import elastic_step
from benchmarks.pairs import Pair
from benchmarks.problems import DARTS, ELASTIC, MANY, MOBILE, MOBILE64, PAPER, SMALL, SUBNETS, Scale

Step = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """`what` is said below the table, with numbers of the scale, {0}.

    `long`: it takes minutes, and is not warmed up.
    `sides` build a step without the other side in the same process; only the memory needs them.
    """

    what: str
    scale: Scale
    pair: Callable[[Scale], Pair]
    repeats: int = 5
    long: bool = False
    sides: Mapping[str, Callable[[Scale], Step]] = field(default_factory=dict)


def of_training(scale: Scale) -> dict[str, Work]:
    """The steps of training and splitting, on which the speed of a space depends."""
    return {
        "weight-step": Work("a weight step under DARTS's gates", scale, pairs.weight_step),
        "first-order": Work("an alpha step and a weight step", scale, partial(pairs.search_step, method="darts")),
        "second-order": Work("the same, alpha by second order", scale, partial(pairs.search_step, method="darts2")),
        "similarity": Work("one edge's similarities, M={0.probes}", scale, pairs.similarity),
        "memory": Work(
            "peak memory of a weight step",
            scale,
            pairs.weight_step,
            repeats=3,
            sides={"fast": pairs.fast_step, "naive": pairs.naive_step},
        ),
        "floor": Work("the convolutions of cleave's weight step alone, by the whole step", scale, pairs.floor),
    }


def of_paths(scale: Scale) -> dict[str, Work]:
    """The steps of ProxylessNAS."""
    return {
        "path": Work("a weight step of a single path", scale, pairs.path_step, repeats=15),
        "two-path": Work("two paths compared, and a weight step", scale, pairs.two_path_step, repeats=15),
        "floor": Work("the convolutions of a path's weight step, by a whole one", scale, pairs.path_floor, repeats=15),
    }


def of_elastic(scale: Scale) -> dict[str, Work]:
    """The steps of Once-for-All's trainers."""
    words = {
        "sandwich": "the largest network, the smallest and two others",
        "subnets": "the largest network and another one",
        "shrinking": "four networks and the teacher, in the last phase of progressive shrinking",
    }
    return {name: Work(text, scale, partial(elastic_step, method=name), repeats=15) for name, text in words.items()}


STEPS: dict[str, Work] = {
    **of_training(PAPER),
    **{f"darts-{name}": work for name, work in of_training(DARTS).items()},
    **{f"mobilenet-{name}": work for name, work in of_paths(MOBILE).items()},
    **{f"mobilenet64-{name}": work for name, work in of_paths(MOBILE64).items()},
    **of_elastic(ELASTIC),
}
OTHERS: dict[str, Work] = {
    "evaluation": Work("an architecture on {0.held} images", PAPER, pairs.evaluation),
    "choice": Work(
        "RSPS, the best of {0.samples} architectures by {0.held} images", MANY, pairs.choice, repeats=1, long=True
    ),
    "recalibration": Work(
        "{0.samples} subnets recalibrated by forgetting, by {0.held} images, against 2,000 images one by one",
        SUBNETS,
        pairs.subnets,
        repeats=1,
        long=True,
    ),
    "split-mixture": Work(
        "the split decision under DARTS's gates, M={0.probes}",
        SMALL,
        partial(pairs.split, method="darts"),
        repeats=1,
        long=True,
    ),
    "split-single-path": Work(
        "the split decision on single paths, M={0.probes}",
        SMALL,
        partial(pairs.split, method="rsps"),
        repeats=1,
        long=True,
    ),
    "search": Work(
        "GM-DARTS, T=1, {0.epochs} epochs a leaf, M={0.probes}, {0.images} images, as many workers as threads",
        SMALL,
        pairs.search,
        repeats=1,
        long=True,
    ),
}

WORKS = STEPS | OTHERS
assert len(WORKS) == len(STEPS) + len(OTHERS), "a name of two works"
