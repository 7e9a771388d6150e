"""Epochs, learning rates and numbers of groups: functions of the recipe and of where a node stands in the tree."""

from __future__ import annotations

from dataclasses import dataclass

from cleave.settings import MethodSettings, Recipe
from cleave.split.splitters import SPLITTERS
from cleave.train.rates import cosine


@dataclass(frozen=True)
class Schedule:
    """What one node of the tree does. Epochs count from 0; `offset` and `total` place them on the cosine."""

    epochs: int
    offset: int
    total: int
    searching: bool
    """Whether the method takes architecture steps (leaves only; before, alpha is frozen)."""
    fresh: bool
    """Whether the node starts from new weights instead of its parent's."""
    warmup_rate: float | None = None
    """Where the learning rate begins of a warm-up that has a cosine of its own, to 0."""

    def learning_rate(self, epoch: int, settings: MethodSettings) -> float:
        """The cosine from `learning_rate` to `learning_rate_min`, constant within an epoch."""
        if self.warmup_rate is not None:
            return cosine(epoch, self.epochs, self.warmup_rate, 0.0)
        highest, lowest, rise = settings.learning_rate, settings.learning_rate_min, settings.learning_rate_warmup
        return cosine(self.offset + epoch, self.total, highest, lowest, rise)


def schedule(recipe: Recipe, depth: int) -> Schedule:
    """The schedule of a node `depth` splits below the root.

    Before each split a node warms up, going on with its parent's weights; leaves restart unless the recipe says
    otherwise (GM-NAS, algorithm 1 and section D.1). Where a warm-up could change nothing, since no gradient is
    compared and its weights are thrown away, there is none. Warm-ups walk the beginning of one cosine over the
    whole line from the root to a leaf; a leaf that goes on walks the rest of it, a leaf that restarts its own. With
    `anneal: path` a restarted leaf walks the beginning of the whole line's again, as in the released code. Where
    warm-ups have a learning rate of their own, each has its own cosine, and so has a leaf.
    """
    splits, warmup, epochs = recipe.split.splits or 0, recipe.split.warmup_epochs, recipe.search.epochs
    path, rate = splits * warmup + epochs, recipe.split.warmup_learning_rate
    if depth < splits:
        matters = SPLITTERS[recipe.split.splitter].scores or not recipe.split.restart
        length = warmup if matters else 0
        return Schedule(length, depth * warmup, path, searching=False, fresh=depth == 0, warmup_rate=rate)
    if depth > 0 and not recipe.split.restart:
        if rate is not None:
            return Schedule(epochs, 0, epochs, searching=True, fresh=False)
        return Schedule(epochs, splits * warmup, path, searching=True, fresh=False)
    total = path if recipe.search.anneal == "path" else epochs
    return Schedule(epochs, 0, total, searching=True, fresh=True)


def alone(epochs: int) -> Schedule:
    """The schedule of an architecture that is trained by itself: one cosine, no architecture steps."""
    return Schedule(epochs, 0, epochs, searching=False, fresh=True)


def parts_at(recipe: Recipe, depth: int) -> int:
    """The number of groups of a split at that depth; 2, the least there can be, where every candidate is alone."""
    branch = recipe.split.branch
    return branch[depth] if isinstance(branch, list) else 2
