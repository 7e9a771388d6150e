"""From what a recipe says to what will run: what was left open is filled in, contradictions are named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from cleave.bench.table import default_path
from cleave.data.sources import SOURCES
from cleave.errors import UserError, plain, unknown
from cleave.settings import Recipe, SplitSettings
from cleave.space import Space

SCORED = ("similarity", "average", "batches", "enable", "shared")
MEANINGLESS = {
    "none": ("splits", "branch", "choice", "warmup_epochs", "restart", *SCORED),
    "exhaustive": ("branch", *SCORED),
    "random": SCORED,
    "gradient": (),
}
"""The keys of `split` that have no meaning for a splitter."""

SPLITS = {"none": 0, "exhaustive": 1, "random": 2, "gradient": 2}


def resolve(recipe: Recipe, space: Space) -> tuple[Recipe, list[str]]:
    """The recipe with nothing left open, and a note for each key that was given without having a meaning.

    Resolving twice changes nothing, so a run folder's recipe can be run again. UserError names what contradicts.
    """
    split, notes = resolve_split(recipe.split, space)
    changes = {
        "split": split,
        "data": recipe.data.model_copy(update=resolve_data(recipe)),
        "device": resolve_device(recipe.device),
        "threads": recipe.threads or min(4, os.cpu_count() or 1),
        "benchmark": resolve_benchmark(recipe.benchmark),
    }
    return recipe.model_copy(update=changes), notes


def resolve_split(split: SplitSettings, space: Space) -> tuple[SplitSettings, list[str]]:
    """The tree's levels, branching and choices, checked against the space's choices."""
    given = [key for key in MEANINGLESS[split.splitter] if _differs(split, key)]
    notes = [f"split.{key} has no meaning with split.splitter={split.splitter}; it is not used" for key in given]
    splits = SPLITS[split.splitter] if split.splits is None or "splits" in given else split.splits
    branch = None if split.splitter in ("none", "exhaustive") else _per_level("branch", split.branch or 2, splits)
    choice = _resolve_choice(split, splits, space) if splits else None
    _check_levels(splits, branch, choice, space)
    return split.model_copy(update={"splits": splits, "branch": branch, "choice": choice}), notes


def _differs(split: SplitSettings, key: str) -> bool:
    """Whether a key was given a value that is neither its default nor what resolving would fill in."""
    default = SplitSettings.model_fields[key].default
    filled = (default, 0) if key == "splits" else (default,)
    return getattr(split, key) not in filled


def _per_level(key: str, value: Any, splits: int) -> list[Any]:  # noqa: ANN401
    """One value for every split, or a list that has one for each."""
    if not isinstance(value, list):
        return [value] * splits
    if len(value) != splits:
        raise UserError(f"split.{key}: lists {len(value)} values for split.splits={splits}; give one per split")
    return value


def _resolve_choice(split: SplitSettings, splits: int, space: Space) -> str | list[str]:
    choice = split.choice or ("lowest" if split.splitter == "gradient" else "random")
    if choice == "lowest" and split.splitter != "gradient":
        raise UserError("split.choice=lowest needs split.splitter=gradient: the others score no cut")
    if choice in ("lowest", "random"):
        return choice
    names = [choice] if isinstance(choice, str) else choice
    known = [each.name for each in space.choices]
    for name in names:
        if name not in known:
            raise unknown("split.choice", name, [*known, "lowest", "random"])
    if len(names) != splits or len(set(names)) != splits:
        raise UserError(f"split.choice: name {splits} different choices, one per split, not {names}")
    return names


def _check_levels(splits: int, branch: list[int] | None, choice: str | list[str] | None, space: Space) -> None:
    """Every level must find a choice with a candidate for each part."""
    candidates = {each.name: len(each.candidates) for each in space.choices}
    if splits > len(candidates):
        raise UserError(f"split.splits={splits}: {space.name} has only {len(candidates)} choices to split")
    offered = [candidates[name] for name in choice] if isinstance(choice, list) else [max(candidates.values())] * splits
    for parts, most in zip(branch or [], offered, strict=bool(branch)):
        if parts > most:
            raise UserError(f"split.branch={parts}: a choice of {space.name} has only {most} candidates")


def resolve_data(recipe: Recipe) -> dict[str, Any]:
    """Folders as absolute paths, so that a run can be resumed from anywhere."""
    name, root = recipe.data.name, recipe.data.root or os.environ.get("CLEAVE_DATA")
    named = plain(name) in map(plain, SOURCES) and Path(name).name == name  # comes before a folder of that name
    if not named and Path(name).is_dir():
        name = absolute(name)
    return {"name": name, "root": absolute(root) if root else None}


def absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def resolve_device(device: str) -> str:
    """ "auto" as the device that is there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device: {device!r} is not a device; use auto, cpu, cuda or cuda:N") from error
    if wanted.type == "cuda" and (wanted.index or 0) >= (count := torch.cuda.device_count()):
        raise UserError(f"device={device}: torch finds {count} CUDA devices on this machine; use device=cpu")
    if wanted.type not in ("cpu", "cuda"):
        raise UserError(f"device: {device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return device


def resolve_benchmark(benchmark: str | None) -> str | None:
    """The table's absolute path: the given one, else the imported one where there is one."""
    if benchmark is not None:
        return absolute(benchmark)
    return str(default_path()) if default_path().exists() else None
