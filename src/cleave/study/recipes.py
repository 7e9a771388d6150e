"""Recipes of studies: from a file, or from a name and a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleave.config import load, read_yaml
from cleave.files import holds_text
from cleave.study.catalogue import at_budget, find_entry
from cleave.study.settings import StudyRecipe
from cleave.yaml_text import written


def read(recipe: str | None, budget: str, changes: Iterable[str], flags: Mapping[str, Any]) -> StudyRecipe:
    """The recipe of a file, or of a study of the paper at a budget, or the usual one (None), with what was changed.

    UserError names the key.
    """
    if recipe is None:
        return load(StudyRecipe, {}, changes, flags)
    path = Path(recipe)
    is_file = path.suffix in (".yaml", ".yml") or holds_text(path)
    if is_file:
        return load(StudyRecipe, read_yaml(path), changes, flags)
    entry = find_entry(recipe)
    at_budget([entry], budget)
    return load(StudyRecipe, entry.recipe(budget), changes, flags)


def as_yaml(recipe: StudyRecipe) -> str:
    """The whole recipe as it could stand in a file."""
    return written(recipe.model_dump(mode="json"))
