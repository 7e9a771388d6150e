"""At what size networks are trained: the largest that the images have and the time allows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from cleave.data.decode import Unusable, opened
from cleave.data.folder import Folder
from cleave.data.given import Given
from cleave.data.parts import NoTestPart
from cleave.data.sources import SOURCES
from cleave.design.scale import IMAGENET_SIDE, ChosenScale, Scale
from cleave.design.settings import DesignRecipe
from cleave.design.work import SEARCH, Work
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.opening import find_part, reading_of
from cleave.plan.plan import planned
from cleave.pretrained.opening import KEY, NEW
from cleave.resolve import resolve
from cleave.search.beginning import opened as begun_with
from cleave.search.problem import Problem, open_problem
from cleave.settings import DataSettings, Recipe
from cleave.space import find_space
from cleave.torch_state import cpu_threads

SPACE, METHOD = "mobilenet-ofa", "subnets"
SAMPLES = 20
"""Architectures of which a search by itself takes the best; the evolution comes after it."""
LOOKED_AT = 64
"""Files of a folder whose sizes are read."""
LARGE = 48
"""Pixels on a side from which images are taken for photographs, not for small pictures such as CIFAR's."""
FEW = 4000
"""Training images below which batches are small, so that there are enough steps."""


SMALL_WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0)
PHOTOGRAPHS = [
    Scale(64, 0.5), Scale(96, 0.5), Scale(128, 0.5), Scale(128, 0.75), Scale(160, 0.75), Scale(160, 1.0),
    Scale(192, 1.0), Scale(224, 1.0),
]  # fmt: skip
"""From the cheapest on."""
JUDGING = ("calibrate", "evaluate")
"""What of a plan is done for each architecture that is judged."""
EPOCHS = {False: 20, True: 5}
"""Epochs of a supernet for which there has to be time, by whether its weights are pretrained."""


def scales(recipe: DesignRecipe, native: int, pretrained: bool) -> list[Scale]:
    """Those that are possible for images of about `native` pixels on a side, the cheapest first."""
    side, width = recipe.data.image_size, recipe.width
    if native < LARGE and not pretrained:
        found = [Scale(side or native, each) for each in SMALL_WIDTHS]
    else:
        most = max(native, IMAGENET_SIDE)
        found = [each for each in PHOTOGRAPHS if each.side <= most]
    if pretrained:
        found = [Scale(each, 1.0) for each in sorted({each.side for each in found})]
    fixed = [Scale(side or each.side, each.width if width is None else width) for each in found]
    return list(dict.fromkeys(fixed))


def test_images(work: Work) -> int:
    """How many there are, about: those of a folder are counted and not opened, a published set has a fifth more."""
    if work.given is not None:
        return 0
    data = work.recipe.data
    if data.name in SOURCES:
        return (work.scale.train + work.scale.held_out) // 5
    try:
        return len(find_part(data, "test", reading_of(data, Callback()), None))
    except NoTestPart:
        return 0


def native_side(recipe: DesignRecipe, given: Given | None) -> int:
    """About how many pixels images have on their shorter side."""
    data = recipe.data.model_copy(update={"image_size": None})
    source = find_part(data, "train", reading_of(data, Callback()), given)
    if isinstance(source, Folder):
        return median_side(source)
    images = source.take_each(torch.arange(1))[0]
    return int(images.pixels.shape[-1])


def median_side(folder: Folder) -> int:
    """Of some files from all over a folder; those that cannot be used are told when all are read."""
    indices = torch.linspace(0, len(folder) - 1, min(LOOKED_AT, len(folder))).round().long().tolist()
    sides = []
    for path in (os.path.join(folder.root, folder.files[index]) for index in indices):
        try:
            with open(path, "rb") as file, opened(file, path) as image:
                sides.append(min(image.size))
        except Unusable:
            continue
    return int(median(sides)) if sides else folder.size


def search_recipe(recipe: DesignRecipe, scale: Scale, epochs: int, batch_size: int, limits: dict[str, Any]) -> Recipe:
    """The search of a supernet at a scale. Nothing is told of trust: test images tell it in the end."""
    images = recipe.data.model_dump(exclude={"image_size"})
    width = {"width": scale.width, "stem": scale.stem}
    return Recipe.model_validate(
        {
            "space": {"name": SPACE, **width},
            "begin": {"weights": recipe.init},
            "data": DataSettings(**images, image_size=scale.side).model_dump(),
            "method": {"name": METHOD, "samples": SAMPLES},
            "split": {"splitter": "none"},
            "search": {"epochs": epochs, "batch_size": batch_size},
            "limits": limits,
            "trust": {"panel": 0, "control": 0},
            "seed": recipe.seed,
            "device": recipe.device,
            "threads": recipe.threads or 1,
        }
    )


def batch_of(train: int, held_out: int) -> int:
    """Images of a training step, of so many to train on and held out."""
    return max(2, min(32 if train < FEW else 64, train, held_out))


def open_search(recipe: Recipe, callback: Callback, given: Given | None) -> Problem:
    """The problem of a search that may not begin."""
    resolved, _ = resolve(recipe, find_space(recipe.space))
    return begun_with(open_problem(resolved, callback, given), callback.say)


def cheapest(recipe: DesignRecipe, callback: Callback, given: Given | None) -> Problem:
    """The smallest search that there could be; UserError where there is none, before there is a folder."""
    scale = scales(recipe, native_side(recipe, given), recipe.init != NEW)[0]
    return open_search(search_recipe(recipe, scale, 1, 2, counted(recipe)), callback, given)


def counted(recipe: DesignRecipe) -> dict[str, Any]:
    """The limits that need no table of latency."""
    return {key: most for key, most in recipe.limits.given.items() if key != "latency"}


def chosen_scale(work: Work) -> ChosenScale:
    """The largest scale at which there is time to train a supernet; else the smallest.

    UserError where nothing of the smallest is within the limits.
    """
    recipe, found = work.recipe, None
    native, pretrained = native_side(recipe, work.given), recipe.init != NEW
    for scale in scales(recipe, native, pretrained):
        try:
            timed = timing(work, scale, native)
        except UserError:
            if found is None:
                raise
            break  # larger ones have no network within the limits either
        enough = timed.epochs(work.share(SEARCH)) >= EPOCHS[pretrained]
        found = timed if found is None or enough else found
        if not enough:
            break
    assert found is not None, "there is always one"
    return found


def resolved_init(recipe: DesignRecipe) -> tuple[str, list[str]]:
    """The weights that supernets begin with, in full, and what is to be said; UserError where they are not there."""
    asked = search_recipe(recipe, Scale(IMAGENET_SIDE, 1.0), 1, 2, {})
    resolved, notes = resolve(asked, find_space(asked.space))
    begun = resolved.begin.weights
    return begun, [note for note in notes if begun != NEW or note.startswith(KEY)]


def timing(work: Work, scale: Scale, native: int) -> ChosenScale:
    """What a search at a scale takes here, from a few steps."""
    limits = counted(work.recipe)
    small = open_search(search_recipe(work.recipe, scale, 1, 2, limits), work.callback, work.given)
    batch_size = batch_of(len(small.train), len(small.valid))
    problem = open_search(search_recipe(work.recipe, scale, 1, batch_size, limits), work.callback, work.given)
    with cpu_threads(problem.recipe.threads):
        seconds = seconds_of(planned(problem, [])["phases"])
    return ChosenScale(
        *scale,
        native,
        batch_size,
        **seconds,
        pretrained=problem.begin is not None,
        channels=problem.recipe.data.channels,
        image_channels=problem.image[0],
        train=len(problem.train),
        held_out=len(problem.valid),
        classes=problem.classes,
    )


def seconds_of(phases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of an epoch of training, of what is done once, and of judging one architecture."""
    trained = [phase for phase in phases if phase["epochs"]]
    judged = [phase for phase in phases if not phase["epochs"]]
    return {
        "epoch_seconds": sum(phase["seconds"] or 0.0 for phase in trained),
        "fixed_seconds": sum(phase["seconds"] or 0.0 for phase in judged),
        "arch_seconds": sum(phase["seconds_per_step"] or 0.0 for phase in judged if phase["name"] in JUDGING),
    }
