"""What a training from scratch is asked for: a recipe, what it is of, and what of that is left open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from shlex import quote
from typing import Any

from cleave.config import Raw, load
from cleave.errors import UserError, plain, shown
from cleave.extensions import check_unchanged
from cleave.given import RecipeLike
from cleave.resolve import absolute, resolve_device, resolve_images
from cleave.retrain.catalogue import SHORT, is_named, read_recipe
from cleave.retrain.settings import RetrainData, RetrainRecipe, check_settings
from cleave.run.origin import SEARCH, Origin, read_origin
from cleave.run.reading import Shape, read_json
from cleave.run.view import view
from cleave.space import Arch, Space, find_space

TAKEN = RetrainData.model_fields.keys() - {"train_fraction", "held_out"}
"""What is said of a search's images; how they are cut, and what a search does to them, is its own."""


def load_training(source: str | Path, recipe: RecipeLike | None, keys: Mapping[str, Any]) -> RetrainRecipe:
    """The recipe of a training of `source`: an architecture as its space writes it, the folder of a finished search, or
    a JSON file of another architecture that was found in one.

    `recipe`: the name of one, a file, a mapping or settings; None: short. `keys` change it. Of a search its space and
    images are taken, but for what a recipe without a name or `keys` say. UserError names what is wrong.
    """
    name = SHORT if recipe is None else recipe
    raw = read_recipe(name)
    if isinstance(source, str) and not os.path.isdir(source) and not is_file(source):
        return load(RetrainRecipe, {**raw, "arch": source}, (), keys)
    found = of_found(Path(source)) if is_file(source) else of_search(Path(source))
    refuse_space(raw, found)
    space = {**found["space"], **raw.get("space", {})}
    parts = (raw.get("data", {}), found["data"])
    data = {**parts[0], **parts[1]} if is_named(name) else {**parts[1], **parts[0]}
    return load(RetrainRecipe, {**raw, **found, "space": space, "data": data}, (), keys)


def of_search(path: Path) -> Raw:
    """What of a finished search a training goes by."""
    origin = read_origin(path, SEARCH)
    result = view(path)
    if result.get("status") == "unfinished":
        raise UserError(f"{path}: is not finished; go on with: cleave resume {quote(str(path))}")
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    data = {key: value for key, value in origin.recipe["data"].items() if key in TAKEN}
    return {
        "arch": result["chosen"]["arch"],
        "space": origin.recipe["space"],
        "data": data,
        "extensions": origin.recipe["extensions"],
    }


class FoundFile(Shape):
    """An architecture of a finished search, as `cleave evolve` writes it."""

    arch: str
    run: str


def is_file(source: str | Path) -> bool:
    """Whether it is the name of such a file."""
    return str(source).endswith(".json") and not os.path.isdir(source)


def of_found(file: Path) -> Raw:
    """What a training goes by of an architecture that was found in a search."""
    found = read_json(file, FoundFile)
    return {**of_search(Path(found["run"])), "arch": found["arch"]}


def recipe_of(origin: Origin, device: str | None = None) -> RetrainRecipe:
    """The recipe that a training was begun with, on another device where one is given."""
    return load(RetrainRecipe, deepcopy(dict(origin.recipe)), (), {"device": device})


def refuse_space(raw: Raw, found: Raw) -> None:
    """UserError where a recipe is of another space than a search."""
    asked, searched = raw.get("space", {}).get("name"), found["space"]["name"]
    if asked is not None and plain(asked) != plain(searched):
        raise UserError(f"space.name: the recipe is of {asked}, the search was in {searched}; use the recipe {SHORT}")


def resolve_training(recipe: RetrainRecipe) -> RetrainRecipe:
    """The recipe with nothing left open: the architecture as its space writes it, places, the device that is there."""
    device = resolve_device(recipe.device)
    check_settings(recipe.training, device)
    space = find_space(recipe.space)
    arch = arch_of(space, recipe.arch)
    name, root = resolve_images(recipe.data.name, recipe.data.root)
    data = recipe.data.model_copy(update={"name": name, "root": root})
    weights = recipe.training.teacher_weights
    training = recipe.training.model_copy(update={"teacher_weights": weights and absolute(weights)})
    changes = {"arch": space.format(arch), "data": data, "training": training, "device": device}
    return recipe.model_copy(update=changes)


def arch_of(space: Space, text: str) -> Arch:
    """The architecture that is written; UserError where it is none of the space, or computes nothing."""
    try:
        arch = space.parse(text)
    except UserError:
        raise
    except (ValueError, LookupError) as error:
        raise UserError(f"architecture {shown(text)}: is none of the space {space.name} ({error})") from error
    if not space.valid(arch):
        raise UserError(f"architecture {shown(text)}: is not a valid one of {space.name}: it computes nothing")
    return arch
