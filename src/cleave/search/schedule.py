"""Epochs, learning rates and numbers of groups: functions of the recipe and of where a node stands in the tree."""

from __future__ import annotations

from dataclasses import dataclass

from cleave.method import METHODS
from cleave.resolve_split import levels
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
    warmup: int = 0
    """The first of the epochs, which have a cosine of their own, from `warmup_rate` to 0, and no architecture steps."""
    warmup_rate: float = 0.0
    cycle: int | None = None
    """The epochs of each of several cosines, one after the other; None: there is one."""

    @property
    def searched(self) -> int:
        """The epochs in which the method may take architecture steps."""
        return self.epochs - self.warmup if self.searching else 0

    def learning_rate(self, epoch: int, settings: MethodSettings) -> float:
        """The cosine from `learning_rate` to `learning_rate_min`, constant within an epoch."""
        if epoch < self.warmup:
            return cosine(epoch, self.warmup, self.warmup_rate, 0.0)
        highest, lowest, rise = settings.learning_rate, settings.learning_rate_min, settings.learning_rate_warmup
        place = self.offset + epoch - self.warmup
        if self.cycle is None:
            return cosine(place, self.total, highest, lowest, rise)
        return cosine(place % self.cycle, self.cycle, highest, lowest, rise if place < self.cycle else 0)

    def kept(self, snapshots: int) -> list[int]:
        """After how many epochs weights are kept: the last ones of the cosine, or those that end the last cycles.

        So many, if there are as many; the last one is `epochs`.
        """
        gap = self.cycle or 1
        count = min(snapshots, (self.epochs - self.warmup) // gap)
        return [self.epochs - number * gap for number in reversed(range(count))]


def schedule(recipe: Recipe, depth: int) -> Schedule:
    """The schedule of a node `depth` splits below the root.

    Before each split a node warms up, going on with its parent's weights; leaves restart unless the recipe says
    otherwise (GM-NAS, algorithm 1 and section D.1). Where a warm-up could change nothing, since nothing is compared by
    its weights and they are thrown away, there is none. Warm-ups walk the beginning of one cosine over the
    whole line from the root to a leaf; a leaf that goes on walks the rest of it, a leaf that restarts its own. With
    `anneal: path` a restarted leaf walks the beginning of the whole line's again, as in the released code. Where
    warm-ups have a learning rate of their own, each has its own cosine, and so has a leaf; without splits there is then
    one too, at the beginning.
    """
    splits, warmup, epochs = recipe.split.splits or 0, recipe.split.warmup_epochs, recipe.search.epochs
    if recipe.split.warmup_learning_rate is not None:
        return own_schedule(recipe, depth, recipe.split.warmup_learning_rate)
    path = splits * warmup + epochs
    if depth < splits:
        return Schedule(warmup_length(recipe), depth * warmup, path, searching=False, fresh=depth == 0)
    if depth > 0 and not recipe.split.restart:
        return Schedule(epochs, splits * warmup, path, searching=True, fresh=False)
    total = path if recipe.search.anneal == "path" else epochs
    return Schedule(epochs, 0, total, searching=True, fresh=True, cycle=cycle_of(recipe))


def cycle_of(recipe: Recipe) -> int | None:
    """The epochs of one of a leaf's cosines, where there are several."""
    cycles = recipe.search.cycles
    return None if cycles == 1 else recipe.search.epochs // cycles


def own_schedule(recipe: Recipe, depth: int, rate: float) -> Schedule:
    """The same where each warm-up begins at a learning rate of its own."""
    splits, epochs = recipe.split.splits or 0, recipe.search.epochs
    if depth < splits:
        length = warmup_length(recipe)
        return Schedule(length, 0, length, searching=False, fresh=depth == 0, warmup=length, warmup_rate=rate)
    if splits == 0:
        warmup = recipe.split.warmup_epochs
        return Schedule(
            warmup + epochs, 0, epochs, searching=True, fresh=True, warmup=warmup, warmup_rate=rate,
            cycle=cycle_of(recipe),
        )  # fmt: skip
    return Schedule(epochs, 0, epochs, searching=True, fresh=recipe.split.restart, cycle=cycle_of(recipe))


def warmup_length(recipe: Recipe) -> int:
    """The epochs before a split; none where they would change nothing."""
    return recipe.split.warmup_epochs if warmup_matters(recipe) else 0


def warmup_matters(recipe: Recipe) -> bool:
    """Whether a node that is split does something with its weights, or its children do."""
    goes_on = not recipe.split.restart or METHODS[recipe.method.name].restarts_from_teacher
    return SPLITTERS[recipe.split.splitter].passes(recipe.split) > 0 or goes_on


def uses_warmup(recipe: Recipe) -> bool:
    """Whether `split.warmup_epochs` changes anything."""
    if not levels(recipe.split):
        return recipe.split.warmup_learning_rate is not None
    return warmup_matters(recipe) or recipe.search.anneal == "path"


def alone(epochs: int) -> Schedule:
    """The schedule of an architecture that is trained by itself: one cosine, no architecture steps."""
    return Schedule(epochs, 0, epochs, searching=False, fresh=True)


def parts_at(recipe: Recipe, depth: int) -> int:
    """The number of groups of a split at that depth; 2, the least there can be, where every candidate is alone."""
    branch = recipe.split.branch
    return branch[depth] if isinstance(branch, list) else 2
