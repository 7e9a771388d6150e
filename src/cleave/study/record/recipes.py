"""Recipes of studies: from a file, or from a name and a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleave.config import Raw, load, read_yaml
from cleave.files import holds_text
from cleave.study.record.catalogue import at_budget, find_entry
from cleave.study.record.settings import StudyRecipe
from cleave.yaml_text import written


def read(recipe: str | None, budget: str, changes: Iterable[str], flags: Mapping[str, Any]) -> StudyRecipe:
    """The recipe of a file, or of a study of the paper at a budget, or the usual one (None), with what was changed.

    UserError names the key.
    """
    return load(StudyRecipe, {} if recipe is None else raw(recipe, budget), changes, flags)


def raw(recipe: str | Path, budget: str) -> Raw:
    """The same as a mapping, before anything is changed."""
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml") or holds_text(path):
        return read_yaml(path)
    entry = find_entry(str(recipe))
    at_budget([entry], budget)
    return entry.recipe(budget)


def as_yaml(recipe: StudyRecipe) -> str:
    """The whole recipe as it could stand in a file."""
    return written(recipe.model_dump(mode="json"))
