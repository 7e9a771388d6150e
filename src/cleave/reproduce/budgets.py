"""The three sizes of every experiment. The protocol is the same in all; width, depth, images and epochs are not.

paper   as published (GM-NAS, appendix D.1): C=16, N=5, 32 x 32, 25,000 + 25,000 images, batches of 48, M=100
small   two CPU cores, at most 40 minutes with all seeds
tiny    seconds, on the bundled images: that all of it runs, and nothing else
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

Changes = Mapping[str, Any]

PAPER_ARCHITECTURE_STEPS = 30 * 521
"""Of a leaf: 30 epochs of 25,000 images in batches of 48."""
ARCHITECTURE_RATE = 3e-4
CIFAR_IMAGES = 50_000


@dataclass(frozen=True)
class Length:
    """Epochs before each split and of each leaf."""

    warmup: int
    epochs: int


@dataclass(frozen=True)
class Sizes:
    """A budget: the recipe that its rows have in common, and how long each method takes."""

    name: str
    common: Changes
    lengths: Mapping[str, Length]
    methods: Mapping[str, Changes]
    architecture_steps: int = PAPER_ARCHITECTURE_STEPS  # of a leaf in the paper

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the training half, what is left at its end included."""
        images: int = self.common["data.limit"] or CIFAR_IMAGES
        batch_size: int = self.common["search.batch_size"]
        return -(-images // (2 * batch_size))

    def changed(self, changes: Changes) -> Sizes:
        """The same with other common keys."""
        return replace(self, common={**self.common, **changes})

    def with_lengths(self, lengths: Mapping[str, Length]) -> Sizes:
        """The same with other lengths of some families."""
        return replace(self, lengths={**self.lengths, **lengths})

    def length(self, method: str) -> Length:
        return self.lengths[family(method)]

    def recipe(self, method: str) -> dict[str, Any]:
        """Every key that the budget fixes for a method."""
        length = self.length(method)
        epochs = {"split.warmup_epochs": length.warmup, "search.epochs": length.epochs}
        return {**self.common, "method.name": method, **epochs, **self._rate(method), **self.methods.get(method, {})}

    def _rate(self, method: str) -> Changes:
        """An architecture learning rate with which weights can move as far as in the paper.

        Adam moves a weight by about its learning rate in a step, so the product of rate and steps is kept: with the
        published rate the few steps of a small budget would leave every weight where it began.
        """
        if family(method) != "darts":
            return {}
        steps = self.lengths["darts"].epochs * self.steps_per_epoch
        return {"method.architecture_learning_rate": ARCHITECTURE_RATE * self.architecture_steps / steps}

    def total_epochs(self, method: str, branch: Sequence[int] = (2, 2)) -> int:
        """All epochs of a split search: warm-ups of every inner node and the search of every leaf.

        `branch`: groups per split, one number for each level of the tree.
        """
        length = self.length(method)
        inner = sum(prod(branch[:depth]) for depth in range(len(branch)))
        return inner * length.warmup + prod(branch) * length.epochs


FAMILIES = {
    "random": "rsps", "rsps": "rsps", "proxyless": "proxyless",
    "shrinking": "shrinking", "sandwich": "shrinking", "subnets": "shrinking",
}  # fmt: skip


def family(method: str) -> str:
    """Which lengths a method goes by: single-path training takes longer (GM-NAS, appendix D.1)."""
    return FAMILIES.get(method, "darts")


UNTOUCHED = {"trust.control": 0, "trust.panel": 0, "threads": 1}
"""Experiments have controls of their own."""

SIZES: dict[str, Sizes] = {
    "tiny": Sizes(
        "tiny",
        {
            "data.name": "bundled", "data.limit": 96, "data.image_size": 8, "space.channels": 2, "space.cells": 1,
            "search.batch_size": 24, "split.batches": 1, "split.rule": "exact", **UNTOUCHED,
        },
        {"darts": Length(1, 1), "rsps": Length(1, 1)},
        {"rsps": {"method.samples": 3, "method.rejects": False}},
    ),
    "small": Sizes(
        "small",
        {
            "data.image_size": 16, "data.limit": 4000, "space.channels": 8, "space.cells": 1,
            "search.batch_size": 64, "split.batches": 5, "split.rule": "exact", **UNTOUCHED,
        },
        {"darts": Length(1, 5), "rsps": Length(1, 6)},
        {"rsps": {"method.samples": 20, "method.rejects": False}},
    ),
    "paper": Sizes(
        "paper",
        {
            "data.image_size": 32, "data.limit": None, "data.padding": 4, "space.channels": 16, "space.cells": 5,
            "search.batch_size": 48, "split.batches": 100, "split.rule": "exact", **UNTOUCHED,
        },
        {"darts": Length(15, 30), "rsps": Length(20, 50)},
        {"rsps": {"method.samples": 200, "method.rejects": False}},
    ),
}  # fmt: skip
