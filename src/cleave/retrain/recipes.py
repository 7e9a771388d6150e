"""What a training from scratch is asked for: a recipe, what it is of, and what of that is left open.

The recipes that have a name, with the source of every constant. P is the paper (Wu et al. refer to DARTS; its appendix
D.2), C the published code of DARTS (Liu et al., 2019) that it was run with.
"""

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
from cleave.given import RecipeLike, raw_of
from cleave.resolve import resolve_device, resolve_images
from cleave.retrain.settings import RetrainRecipe, check_settings
from cleave.run.origin import SEARCH, read_origin
from cleave.run.view import view
from cleave.space import find_space

SHORT = "short"
RECIPES: dict[str, Raw] = {
    # Of our own, for data of which nothing is known: it ends in minutes to hours and tells a held-out accuracy.
    SHORT: {
        "training": {
            "epochs": 50,
            "nesterov": True,
            "label_smoothing": 0.1,
            "drop_path": 0.1,
        },
    },
    # The paper retrains as DARTS does; where its text and the code differ, the code's is here.
    "darts-cifar": {
        "space": {"name": "darts", "cells": 20, "channels": 36},  # P, C
        "data": {"name": "cifar10", "use": "all", "padding": 4, "flip": True},  # C: all 50,000 images, as usual there
        "training": {
            "epochs": 600,  # P, C
            "batch_size": 96,  # P, C
            "learning_rate": 0.025,  # C; P prints .0025
            "learning_rate_min": 0.0,  # C: cosine to 0
            "momentum": 0.9,  # P, C
            "weight_decay": 3e-4,  # P, C
            "clip": 5.0,  # C
            "auxiliary": 0.4,  # P, C
            "drop_path": 0.2,  # C, rising linearly; P prints .3
            "cutout": 16,  # P, C
        },
    },
    # DARTS' transfer to ImageNet, section 3.3 and A.2 of its paper, and C.
    "darts-imagenet": {
        "space": {"name": "darts", "cells": 14, "channels": 48, "stem": "imagenet"},  # C
        "data": {"image_size": 224, "use": "all"},
        "training": {
            "epochs": 250,
            "batch_size": 128,
            "learning_rate": 0.1,
            "learning_rate_decay": 0.97,  # after every epoch
            "momentum": 0.9,
            "weight_decay": 3e-5,
            "clip": 5.0,  # C
            "auxiliary": 0.4,
            "label_smoothing": 0.1,  # C
            "crop": 0.08,  # C, as torchvision's default
            "jitter": 0.4,  # C
        },
        "most_multiply_adds": 600_000_000,  # the mobile setting: less than 600 M
    },
}


def load_training(source: str | Path, recipe: RecipeLike | None, keys: Mapping[str, Any]) -> RetrainRecipe:
    """The recipe of a training of `source`: an architecture as its space writes it, or the folder of a finished search.

    `recipe`: the name of one, a file, a mapping or settings; None: short. `keys` change it. Of a search its space and
    images are taken, but for what a recipe without a name or `keys` say. UserError names what is wrong.
    """
    name = SHORT if recipe is None else recipe
    usual = RECIPES.get(name) if isinstance(name, str) else None
    raw = deepcopy(usual) if usual is not None else read_recipe(name)
    if isinstance(source, str) and not os.path.isdir(source):
        return load(RetrainRecipe, {**raw, "arch": source}, (), keys)
    found = of_search(Path(source))
    refuse_space(raw, found)
    space = {**found["space"], **raw.get("space", {})}
    parts = (raw.get("data", {}), found["data"])
    data = {**parts[0], **parts[1]} if usual is not None else {**parts[1], **parts[0]}
    return load(RetrainRecipe, {**raw, **found, "space": space, "data": data}, (), keys)


def read_recipe(recipe: RecipeLike) -> Raw:
    if isinstance(recipe, str | Path) and not os.path.isfile(recipe):
        raise UserError(f"recipe {shown(str(recipe))}: is neither a file nor one of {', '.join(RECIPES)}")
    return raw_of(recipe)


def of_search(path: Path) -> Raw:
    """What of a finished search a training goes by."""
    origin = read_origin(path, SEARCH)
    result = view(path)
    if result.get("status") == "unfinished":
        raise UserError(f"{path}: is not finished; go on with: cleave resume {quote(str(path))}")
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    data = {key: value for key, value in origin.recipe["data"].items() if key != "train_fraction"}
    return {
        "arch": result["chosen"]["arch"],
        "space": origin.recipe["space"],
        "data": data,
        "extensions": origin.recipe["extensions"],
    }


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
    try:
        arch = space.parse(recipe.arch)
    except UserError:
        raise
    except (ValueError, LookupError) as error:
        raise UserError(f"architecture {shown(recipe.arch)}: is none of the space {space.name} ({error})") from error
    if not space.valid(arch):
        raise UserError(f"architecture {shown(recipe.arch)}: is not a valid one of {space.name}: it computes nothing")
    name, root = resolve_images(recipe.data.name, recipe.data.root)
    data = recipe.data.model_copy(update={"name": name, "root": root})
    return recipe.model_copy(update={"arch": space.format(arch), "data": data, "device": device})
