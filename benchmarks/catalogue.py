"""The pieces of work by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from benchmarks import pairs
from benchmarks.pairs import Pair
from benchmarks.problems import MANY, PAPER, SMALL, Scale

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


MEMORY = "memory"

WORKS: dict[str, Work] = {
    "weight-step": Work("a weight step under DARTS's gates", PAPER, pairs.weight_step),
    "first-order": Work("an alpha step and a weight step", PAPER, partial(pairs.search_step, method="darts")),
    "second-order": Work("the same, alpha by second order", PAPER, partial(pairs.search_step, method="darts2")),
    "similarity": Work("one edge's similarities, M={0.probes}", PAPER, pairs.similarity),
    MEMORY: Work(
        "peak memory of a weight step",
        PAPER,
        pairs.weight_step,
        repeats=3,
        sides={"fast": pairs.fast_step, "naive": pairs.naive_step},
    ),
    "floor": Work("the convolutions of cleave's weight step alone, by the whole step", PAPER, pairs.floor),
    "evaluation": Work("an architecture on {0.held} images", PAPER, pairs.evaluation),
    "choice": Work(
        "RSPS, the best of {0.samples} architectures by {0.held} images", MANY, pairs.choice, repeats=1, long=True
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
