"""What the public functions are given, as what the runners take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleave.data.given import Given
from cleave.engine.engine import ONE, Engine
from cleave.engine.progress import CallbackLike
from cleave.errors import UserError, shown
from cleave.given import (
    DataLike,
    MethodLike,
    RecipeLike,
    SpaceLike,
    SplitterLike,
    images_from,
    method_keys,
    once,
    recipe_from,
    space_keys,
    splitter_keys,
    without,
)
from cleave.result import SearchResult
from cleave.run.mirror import run_at_hand
from cleave.settings import Recipe
from cleave.space import Space

SpaceObject = Space | type[Space]
Folder = str | Path | SearchResult


def asked_for(
    space: SpaceLike | None,
    method: MethodLike | None,
    splitter: SplitterLike | None,
    data: DataLike | None,
    recipe: RecipeLike | None,
    settings: Mapping[str, Any] | None,
    seed: int | None,
    device: str | None,
    engine: Engine,
) -> tuple[Recipe, Given | None]:
    """The recipe of a search, and its images where no recipe can name them."""
    images, given = images_from(data)
    named = {**space_keys(space, engine), **method_keys(method), **splitter_keys(splitter), **images}
    keys = {**named, **without({"seed": seed, "device": device})}
    once(keys, settings or {})
    return recipe_from(Recipe, recipe, keys, settings or {}), given


def given_again(data: DataLike | None) -> Given | None:
    """What reads the images of a run that no recipe can name; UserError for a name: the run knows its own."""
    keys, given = images_from(data)
    if keys and given is None:
        raise UserError("data: a run knows the name of its images; leave data out")
    return given


def space_again(space: SpaceObject | None, engine: Engine = ONE) -> None:
    """Registers a space that no recipe can name; UserError for a name: the run knows its own."""
    if isinstance(space, str):
        raise UserError(f"space: a run knows the name of its space; leave space={shown(space)} out")
    space_keys(space, engine)


def checked_callbacks(callbacks: Iterable[CallbackLike]) -> list[CallbackLike]:
    """The same, each with what it is called by."""
    found = list(callbacks)
    for each in found:
        if not isinstance(each, CallbackLike):
            raise UserError(
                f"callbacks: each needs see(progress) and say(line), as cleave.Callback has; {shown(each)} has not"
            )
    return found


def folder_of(run: Folder) -> Path:
    return run.run if isinstance(run, SearchResult) else run_at_hand(run)


def path_or_none(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
