"""What a training is asked for: a recipe, what it is of, and what of that is left open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from cleave.config import Raw, load
from cleave.errors import UserError, plain, shown
from cleave.extensions import check_unchanged
from cleave.given import RecipeLike
from cleave.places import absolute
from cleave.resolve import resolve_device, resolve_images
from cleave.retrain.catalogue import FINETUNE, SHORT, is_named, read_recipe
from cleave.retrain.settings import BeginSettings, RetrainData, RetrainRecipe, check_begin, check_settings
from cleave.retrain.supernet import find_supernet, finished_search
from cleave.run.origin import Origin
from cleave.run.reading import Shape, read_json
from cleave.space import Arch, Layout, Space, find_space
from cleave.space.timm_networks import written

TAKEN = RetrainData.model_fields.keys() - {"train_fraction", "held_out"}
"""What is said of a search's images; how they are cut, and what a search does to them, is its own."""


def load_training(source: str | Path, recipe: RecipeLike | None, keys: Mapping[str, Any]) -> RetrainRecipe:
    """The recipe of a training of `source`: an architecture as its space writes it, timm:NAME for a network of timm's,
    the folder of a finished search, or a JSON file of another architecture that was found in one.

    `recipe`: the name of one, a file, a mapping or settings; None: short, or finetune where `keys` ask for weights that
    are good already. `keys` change it. Of a search its space, images and supernet are taken, but for what a recipe
    without a name or `keys` say. UserError names what is wrong.
    """
    usual = SHORT if keys.get("begin.weights", "new") == "new" else FINETUNE
    name = usual if recipe is None else recipe
    raw = read_recipe(name)
    if name == FINETUNE and keys.get("training.epochs") == 1:
        raw["training"]["learning_rate_warmup"] = 0  # there is no second epoch to rise to
    if isinstance(source, str) and not os.path.isdir(source) and not is_file(source):
        if keys.get("arch") is not None:
            raise UserError(f"--arch: is another architecture of a search, and {shown(source)} is no folder of one")
        said = written(source)
        space = {**raw.get("space", {}), **said.get("space", {})}
        return load(RetrainRecipe, {**raw, **said, "space": space}, (), keys)
    found = of_found(Path(source)) if is_file(source) else of_search(Path(source))
    said = written(str(keys.get("arch", "")))
    if "space" in said:  # another network, on the images of the search
        found, keys = {**found, "space": said["space"]}, {**keys, "arch": said["arch"]}
    refuse_space(raw, found)
    space = {**found["space"], **raw.get("space", {})}
    parts = (raw.get("data", {}), found["data"])
    data = {**parts[0], **parts[1]} if is_named(name) else {**parts[1], **parts[0]}
    place = found.pop("begin")
    return begun_in(load(RetrainRecipe, {**raw, **found, "space": space, "data": data}, (), keys), place)


def begun_in(recipe: RetrainRecipe, place: Mapping[str, str]) -> RetrainRecipe:
    """The recipe, whose weights come from this search (and leaf) where they come from one and no other is named."""
    begin = recipe.begin
    if not begin.inherits or begin.run is not None:
        return recipe
    missing = {key: value for key, value in place.items() if getattr(begin, key) is None}
    return recipe.model_copy(update={"begin": begin.model_copy(update=missing)})


def of_search(path: Path) -> Raw:
    """What of a finished search a training goes by."""
    origin, result = finished_search(path)
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    data = {key: value for key, value in origin.recipe["data"].items() if key in TAKEN}
    return {
        "arch": result["chosen"]["arch"],
        "space": origin.recipe["space"],
        "data": data,
        "extensions": origin.recipe["extensions"],
        "begin": {"run": str(path)},
    }


class FoundFile(Shape):
    """An architecture of a finished search, as `cleave evolve` writes it."""

    arch: str
    run: str
    leaf: str


def is_file(source: str | Path) -> bool:
    """Whether it is the name of such a file."""
    return str(source).endswith(".json") and not os.path.isdir(source)


def of_found(file: Path) -> Raw:
    """What a training goes by of an architecture that was found in a search."""
    found = read_json(file, FoundFile)
    begin = {key: found[key] for key in ("run", "leaf")}
    return {**of_search(Path(found["run"])), "arch": found["arch"], "begin": begin}


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
    begin = resolve_begin(recipe, arch)
    name, root = resolve_images(recipe.data.name, recipe.data.root)
    data = recipe.data.model_copy(update={"name": name, "root": root})
    weights = recipe.training.teacher_weights
    training = recipe.training.model_copy(update={"teacher_weights": weights and absolute(weights)})
    changes = {"arch": space.format(arch), "begin": begin, "data": data, "training": training, "device": device}
    return recipe.model_copy(update=changes)


def resolve_begin(recipe: RetrainRecipe, arch: Arch) -> BeginSettings:
    """Which leaf's weights, and where that search is; UserError where they are not the architecture's."""
    check_begin(recipe.begin, recipe.space.name)
    if recipe.begin.file is not None:
        return recipe.begin.model_copy(update={"file": absolute(recipe.begin.file)})
    if recipe.begin.run is None:
        return recipe.begin
    begin = recipe.begin.model_copy(update={"run": absolute(recipe.begin.run)})
    found = find_supernet(recipe.model_copy(update={"begin": begin}), arch)
    return begin.model_copy(update={"leaf": found.leaf})


def trained_layout(space: Space, recipe: RetrainRecipe, channels: int) -> Layout:
    """What the network of a training looks like, of images of so many channels."""
    layout = space.layout(recipe.space.size, channels)
    return layout.inheriting if recipe.begin.inherits else layout


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
