"""Runs that are the same but for their seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from cleave.errors import UserError, brief, named, unknown
from cleave.paired.figures import RunFigures

RECIPE, NAME = "recipe", "name"
NOTHING_ELSE = {
    "seed",
    "device",
    "threads",
    "checkpoint_seconds",
    "search.checkpoint_seconds",
    "data.root",
    "data.storage",
    "benchmark",
}
"""Keys in which the runs of a group may differ."""
FIRST = ("method.name", "split.splitter", "space.name", "arch")
"""Keys that groups are called by before others."""
KEYS = 3
"""Of those in which groups differ, how many their names have at most."""
LONGEST = 60
"""Letters of a value in the name of a group."""


@dataclass(frozen=True)
class Group:
    """Runs by their seed. `key` tells them from those of other groups, and so does `name`, which is short."""

    name: str
    key: str
    runs: Mapping[int, RunFigures]

    @property
    def seeds(self) -> list[int]:
        return sorted(self.runs)


def grouped(runs: Sequence[RunFigures], by: str) -> list[Group]:
    """Two groups or more, in the order of their first runs.

    UserError where runs are of several kinds, where a group has a seed twice, or there is one group alone.
    """
    check_kinds(runs)
    keys = named("--by", by, GROUPINGS)(runs)
    found = dict[str, dict[int, RunFigures]]()
    for key, run in zip(keys, runs, strict=True):
        group = found.setdefault(key, {})
        if run.seed in group:
            raise UserError(
                f"{run.path}: has seed {run.seed}, and so has {group[run.seed].path}, and they differ in nothing that "
                f"tells them apart (--by {by}); leave one out, or give --by {NAME if by == RECIPE else RECIPE}"
            )
        group[run.seed] = run
    if len(found) < 2:
        raise UserError(
            f"--by {by}: all of these runs are one group, so that nothing can be compared; give runs of two"
        )
    return [Group(name, key, found[key]) for key, name in zip(found, short_names(list(found)), strict=True)]


def short_names(keys: Sequence[str]) -> list[str]:
    """Each with long values cut in the middle; those that are then equal are numbered."""
    names = [", ".join(map(cut, key.split(", "))) for key in keys]
    return [
        f"{name} ({names[:place].count(name) + 1})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def cut(text: str) -> str:
    """Its beginning and its end, which is where architectures that are much alike often differ."""
    seen = brief(text, len(text))
    return seen if len(seen) <= LONGEST else f"{seen[: LONGEST // 3]}...{seen[3 + LONGEST // 3 - LONGEST :]}"


def check_kinds(runs: Sequence[RunFigures]) -> None:
    """UserError where some are searches and some are trainings."""
    for run in runs:
        if run.kind != runs[0].kind:
            raise UserError(
                f"{run.path}: is of another kind ({run.kind}) than {runs[0].path} ({runs[0].kind}), so that they "
                "cannot be paired; give runs of one kind"
            )


def by_recipe(runs: Sequence[RunFigures]) -> list[str]:
    """What tells each from others: the keys in which its recipe differs, with their values."""
    flat = [dict(flattened(run.recipe)) for run in runs]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if key not in NOTHING_ELSE]
    odd = [key for key in keys if any(each.get(key) != flat[0].get(key) for each in flat)]
    chosen = telling(sorted(odd, key=lambda key: (*(key != first for first in FIRST), len(key))), flat)
    return [", ".join(f"{key}={written(each.get(key))}" for key in chosen) or "all" for each in flat]


def telling(odd: Sequence[str], flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fewest keys that tell all recipes apart that differ; the first such, of at most `KEYS`, else all of them."""
    kinds = distinct(odd, flat)
    for count in range(1, min(KEYS, len(odd)) + 1):
        for keys in combinations(odd[:12], count):
            if distinct(keys, flat) == kinds:
                return list(keys)
    return list(odd)


def distinct(keys: Iterable[str], flat: Sequence[Mapping[str, Any]]) -> int:
    listed = list(keys)
    return len({tuple(repr(each.get(key)) for key in listed) for each in flat})


def flattened(values: Mapping[str, Any], section: str = "") -> Iterable[tuple[str, Any]]:
    """Dotted keys with their values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{section}{key}.")
        else:
            yield f"{section}{key}", value


def written(value: object) -> str:
    return "null" if value is None else str(value)


def by_name(runs: Sequence[RunFigures]) -> list[str]:
    """The name of each folder without its seed: gradient of gradient-seed0."""
    return [without_seed(run) for run in runs]


def without_seed(run: RunFigures) -> str:
    """UserError where the seed is not in the name."""
    name = run.path.resolve().name
    for form in (rf"[-_]?seed[-_=]?{run.seed}(?!\d)", rf"[-_]s?{run.seed}(?!\d)"):
        if found := list(re.finditer(form, name)):  # the last one, as in layers-2-s2
            return name[: found[-1].start()] + name[found[-1].end() :] or name
    raise UserError(f"{run.path}: has not its seed, {run.seed}, in its name; call it as in gradient-seed{run.seed}")


GROUPINGS: Mapping[str, Callable[[Sequence[RunFigures]], list[str]]] = {RECIPE: by_recipe, NAME: by_name}


def pairs_of(groups: Sequence[Group], against: str | None) -> list[tuple[Group, Group]]:
    """All of them, the later one first; or each against one of them.

    UserError where two have no seed in common, or saw other images.
    """
    if against is None:
        pairs = [(later, first) for first, later in combinations(groups, 2)]
    else:
        base = next((group for group in groups if against in (group.name, group.key)), None)
        if base is None:
            raise unknown("--against", against, [group.name for group in groups])
        pairs = [(group, base) for group in groups if group is not base]
    for pair in pairs:
        check_pair(*pair)
    return pairs


def check_pair(one: Group, other: Group) -> None:
    common = one.runs.keys() & other.runs.keys()
    if not common:
        raise UserError(
            f"{one.name} (seeds {listed(one.seeds)}) and {other.name} (seeds {listed(other.seeds)}): have no seed in "
            "common, so that they cannot be paired; run both with the same seeds"
        )
    for seed in sorted(common):
        mine, theirs = one.runs[seed], other.runs[seed]
        if mine.images != theirs.images:
            raise UserError(
                f"{mine.path} and {theirs.path}: saw other images, or other ones were held out, so that they cannot be "
                "paired; compare runs of the same images"
            )


def listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
