"""Recipes of studies: from a file, or from a name and a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleave.config import Raw, load, read_yaml
from cleave.errors import UserError, brief
from cleave.files import holds_text
from cleave.study.record.catalogue import at_budget, find_entry
from cleave.study.record.settings import StudyRecipe
from cleave.yaml_text import written

USUAL_BUDGET = "small"


def read(recipe: str | None, budget: str | None, changes: Iterable[str], flags: Mapping[str, Any]) -> StudyRecipe:
    """The recipe of a file, or of a study of the paper at a budget, or the usual one (None), with what was changed.

    UserError names the key.
    """
    return load(StudyRecipe, raw(recipe, budget), changes, flags)


def raw(recipe: str | Path | None, budget: str | None) -> Raw:
    """The same as a mapping, before anything is changed."""
    path = None if recipe is None else Path(recipe)
    named = path is not None and path.suffix not in (".yaml", ".yml") and not holds_text(path)
    if budget is not None and not named:
        raise UserError(f"--budget {brief(budget)}: is of a study by name, as in table1/seeds; leave it out")
    if path is None:
        return {}
    if not named:
        return read_yaml(path)
    entry, size = find_entry(str(recipe)), budget or USUAL_BUDGET
    at_budget([entry], size)
    return entry.recipe(size)


def as_yaml(recipe: StudyRecipe) -> str:
    """The whole recipe as it could stand in a file."""
    return written(recipe.model_dump(mode="json"))
