"""From what a recipe says of splits to what will run: levels, branching, choices, and how a cut is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cleave.errors import UserError, shown, unknown
from cleave.settings import Settings, SplitSettings
from cleave.space import Choice, Space
from cleave.split.hypotheses import LIMIT
from cleave.split.partition import balanced_partitions
from cleave.split.products import BY_PRODUCTS
from cleave.split.race import RaceRule
from cleave.split.similarity import SIMILARITIES
from cleave.split.splitters import SPLITTERS

RACED_FROM = 16
"""The mini-batches from which a race is worth while."""


def resolve_split(split: SplitSettings, space: Space) -> tuple[SplitSettings, list[str]]:
    """The tree's levels, branching and choices, checked against the space's choices."""
    kind = SPLITTERS[split.splitter]
    given = [key for key in kind.meaningless if differs(split, key)]
    notes = [f"split.{key} has no meaning with split.splitter={split.splitter}; it is not used" for key in given]
    splits, choices = levels(split), kind.divides(space)
    if splits > len(choices):
        raise UserError(f"split.splits={splits}: {space.name} has only {len(choices)} choices to split")
    branch = _per_level("branch", split.branch or 2, splits) if kind.branches else None
    choice = _resolve_choice(split, splits, choices) if splits else None
    _check_levels(splits, branch, choice, space)
    rule = _resolve_rule(split, branch, space)
    return split.model_copy(update={"splits": splits, "branch": branch, "choice": choice, "rule": rule}), notes


def levels(split: SplitSettings) -> int:
    """How often the space is split: as said, as many times as `branch` lists, or the splitter's usual number."""
    kind = SPLITTERS[split.splitter]
    if "splits" in kind.meaningless:
        return kind.splits
    if split.splits is not None:
        return split.splits
    return len(split.branch) if isinstance(split.branch, list) and kind.branches else kind.splits


def differs(settings: Settings, key: str) -> bool:
    """Whether a key was given a value that is neither its default nor what resolving would fill in."""
    default = type(settings).model_fields[key].default
    filled = {"splits": (default, 0), "rule": (default, "exact")}.get(key, (default,))
    return getattr(settings, key) not in filled


def _resolve_rule(split: SplitSettings, branch: list[int] | None, space: Space) -> str:
    """A race where it can be run and is worth while, unless another rule is given."""
    if "rule" in SPLITTERS[split.splitter].meaningless:
        return "exact"
    hindrance = _no_race(split, branch or [], space)
    if split.rule == "race" and hindrance:
        raise UserError(f"split.rule=race: {hindrance}; use split.rule=exact")
    return split.rule or ("exact" if hindrance or split.batches < RACED_FROM else "race")


def _no_race(split: SplitSettings, branch: list[int], space: Space) -> str | None:
    """Why there can be no race, if so."""
    if split.batches < RaceRule.first:
        return f"begins with {RaceRule.first} mini-batches; split.batches={split.batches}"
    if SIMILARITIES[split.similarity] not in BY_PRODUCTS:
        return f"split.similarity={split.similarity} has no common measure by which a difference would be negligible"
    for count, parts in ((len(choice.candidates), parts) for choice in space.splittable for parts in branch):
        if parts <= count and balanced_partitions(count, parts) > LIMIT:
            return f"{count} candidates in {parts} parts have over {LIMIT:,} balanced partitions"
    return None


def _per_level(key: str, value: Any, splits: int) -> list[Any]:  # noqa: ANN401
    """One value for every split, or a list that has one for each."""
    if not isinstance(value, list):
        return [value] * splits
    if len(value) != splits:
        raise UserError(f"split.{key}: lists {len(value)} values for split.splits={splits}; give one per split")
    return value


def _resolve_choice(split: SplitSettings, splits: int, choices: Sequence[Choice]) -> str | list[str]:
    scores = SPLITTERS[split.splitter].scores
    usual = "lowest" if scores else "random"
    choice = usual if split.choice is None else split.choice
    if choice == "lowest" and not scores:
        splitter = split.splitter
        raise UserError(f"split.choice=lowest needs a criterion, as split.splitter=gradient: {splitter} scores no cut")
    if choice in ("lowest", "random"):
        return choice
    names = [choice] if isinstance(choice, str) else choice
    known = [each.name for each in choices]
    for name in names:
        if name not in known:
            raise unknown("split.choice", name, [*known, "lowest", "random"])
    if len(names) != splits or len(set(names)) != splits:
        raise UserError(f"split.choice: name {splits} different choices, one per split, not {shown(names)}")
    return names


def _check_levels(splits: int, branch: list[int] | None, choice: str | list[str] | None, space: Space) -> None:
    """Every level must find a choice with a candidate for each part."""
    candidates = {each.name: len(each.candidates) for each in space.splittable}
    for level, parts in enumerate(branch or [2] * splits):
        offered = [candidates[choice[level]]] if isinstance(choice, list) else list(candidates.values())
        if parts > max(offered):
            raise UserError(f"split.branch={parts}: a choice of {space.name} has only {max(offered)} candidates")
        enough = sum(count >= parts for count in candidates.values())
        if enough <= level:
            raise UserError(f"split.splits={splits}: only {enough} choices of {space.name} have {parts} candidates")
