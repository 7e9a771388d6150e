"""What is exported: the network of a finished run, by running statistics, with the images that it is checked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from cleave.data.given import Given
from cleave.data.images import Images, fingerprint
from cleave.engine.environment import compare
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.export.deployed import Pixels
from cleave.extensions import check_unchanged
from cleave.given import without
from cleave.memory import memory_for
from cleave.method import METHODS
from cleave.net.chosen import ChosenNetwork, standalone
from cleave.opening import SMALLER, open_images
from cleave.retrain.evaluate import hits_of
from cleave.retrain.problem import open_training
from cleave.retrain.recipes import is_file, load_training, recipe_of, resolve_training, trained_layout
from cleave.retrain.result import read_training, trained_network
from cleave.retrain.settings import RetrainRecipe
from cleave.retrain.supernet import finished_search
from cleave.retrain.trainer import RetrainTrainer
from cleave.run.origin import TRAIN, Origin, holds, read_origin
from cleave.search.chosen import chosen_network
from cleave.search.runner import recipe_of as search_recipe_of
from cleave.settings import Recipe, ViewSettings
from cleave.space import Arch, Space, find_space
from cleave.stats.accuracy import Accuracy

TOGETHER = 250
"""Images that are judged at once."""


@dataclass(frozen=True)
class Whose:
    """Which network is asked for: a run, or a JSON file of `cleave evolve`; of a search perhaps another architecture
    or leaf than it chose. `root`: where named image sets are, if not where they were."""

    source: Path
    arch: str | None = None
    leaf: str | None = None
    root: str | None = None


@dataclass(frozen=True)
class Subject:
    """A network with its images. `held`: how it does on held-out images, None where there are none.

    `weights`: where they come from, for people; `next`: the command that tells more about it.
    """

    run: Path
    space: Space
    arch: Arch
    network: ChosenNetwork
    data: ViewSettings
    train: Images
    valid: Images
    held: Mapping[str, Any] | None
    weights: str
    next: str

    @property
    def pixels(self) -> Pixels:
        return Pixels(self.train.pixels.shape[1], int(self.train.pixels.shape[-1]), self.train.side, self.data.resample)

    @property
    def unseen(self) -> bool:
        """Whether there are images that it was not trained on."""
        return len(self.valid) > 0

    def checked(self, most: int) -> Images:
        """So many images by which an export is checked: held-out ones, or of those that it was trained on."""
        return some(self.valid if self.unseen else self.train, most)


def some(images: Images, most: int) -> Images:
    """At most so many, from all over the set."""
    return images.take(torch.linspace(0, len(images) - 1, min(most, len(images))).round().long())


def open_subject(whose: Whose, callback: Callback, given: Given | None = None) -> Subject:
    """That of a finished run; UserError where it is not finished, keeps no weights, or its images are others now."""
    with memory_for("the images", SMALLER):
        if not is_file(whose.source) and holds(whose.source, TRAIN):
            return of_training(whose, callback, given)
        return of_search(whose, callback, given)


def of_training(whose: Whose, callback: Callback, given: Given | None) -> Subject:
    """What `cleave train` trained."""
    run = whose.source
    if whose.arch is not None or whose.leaf is not None:
        raise UserError(f"--arch, --leaf: say which network of a search, and {run} is a training of one network")
    told, origin = read_training(run).to_json(), read_origin(run, TRAIN)
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    recipe = recipe_of(origin, "cpu")
    data = recipe.data.model_copy(update=without({"root": whose.root}))
    train, valid, _ = open_images(data, callback, given, recipe.data.use == "all")
    check_images(origin, train, valid, data.name, run, callback)
    taken = told["inherited"]
    begun = "from new weights" if taken is None else f"from the weights of leaf {taken['leaf']} of a search"
    weights = f"trained by cleave for {told['epochs']} epochs, {begun}"
    after = f"cleave evaluate {quote(str(run))}"
    space, network = find_space(recipe.space), trained_network(run)
    arch = space.parse(recipe.arch)
    return Subject(run, space, arch, network, data, train, valid, told["held_out"], weights, after)


def of_search(whose: Whose, callback: Callback, given: Given | None) -> Subject:
    """What a search chose, or what was found in it."""
    keys = {"begin.weights": "supernet", "device": "cpu", **without({"arch": whose.arch, "begin.leaf": whose.leaf})}
    asked = load_training(whose.source, None, keys)
    assert asked.begin.run is not None
    run = Path(asked.begin.run)
    origin, result = finished_search(run)
    recipe = search_recipe_of(origin, {"device": "cpu"})
    if METHODS[recipe.method.name].alone:
        raise UserError(
            f"{run}: method.name={recipe.method.name} keeps no weights; train what it chose and export that: "
            f"cleave train {quote(str(run))}"
        )
    others = is_file(whose.source) or whose.arch is not None or whose.leaf is not None
    if recipe.selection.retrains and not others:
        return retrained(whose, run, recipe, origin, result, callback, given)
    cut = {"train_fraction": recipe.data.train_fraction, "held_out": recipe.data.held_out}
    data = asked.data.model_copy(update={**cut, **without({"root": whose.root})})
    return inherited(whose, run, asked.model_copy(update={"data": data}), origin, callback, given)


def inherited(
    whose: Whose, run: Path, asked: RetrainRecipe, origin: Origin, callback: Callback, given: Given | None
) -> Subject:
    """With the weights of a supernet: as `cleave train --from supernet` begins, before any step.

    Supernets normalise by the batch; statistics of the network's own are measured on training images.
    """
    problem = open_training(resolve_training(asked), callback, given)
    recipe, space, task, supernet = problem.recipe, problem.space, problem.task, problem.supernet
    assert supernet is not None
    check_images(origin, task.train, problem.valid, recipe.data.name, run, callback)
    layout, classes = trained_layout(space, recipe, supernet.channels), len(task.train.classes)
    mean, std = (origin.environment[key] for key in ("mean", "std"))
    network = standalone(layout, task.arch, classes, RetrainTrainer(task).trained(), mean, std)
    weights = (
        f"those of the supernet of leaf {supernet.leaf}, shared with other architectures; statistics of normalisations "
        f"measured on {recipe.begin.images:,} training images or more"
    )
    held = accuracy(network, problem.valid, callback)
    after = f"cleave train {quote(str(whose.source))} --from supernet"
    return Subject(run, space, task.arch, network, recipe.data, task.train, problem.valid, held, weights, after)


def retrained(
    whose: Whose,
    run: Path,
    recipe: Recipe,
    origin: Origin,
    result: Mapping[str, Any],
    callback: Callback,
    given: Given | None,
) -> Subject:
    """As halving left it."""
    data = recipe.data.model_copy(update=without({"root": whose.root}))
    train, valid, _ = open_images(data, callback, given)
    check_images(origin, train, valid, data.name, run, callback)
    network = chosen_network(run)
    space, held = find_space(recipe.space), accuracy(network, valid, callback)
    arch = space.parse(result["chosen"]["arch"])
    weights = "trained by itself while the search chose among its leaves (halving)"
    after = f"cleave train {quote(str(run))}"
    return Subject(run, space, arch, network, data, train, valid, held, weights, after)


def check_images(origin: Origin, train: Images, valid: Images, name: str, run: Path, callback: Callback) -> None:
    """UserError where they are not those of the run."""
    compare(origin.environment, {**origin.environment, "images": fingerprint((train, valid))}, name, run, callback)


def accuracy(network: ChosenNetwork, images: Images, callback: Callback) -> dict[str, Any] | None:
    """{"images", "accuracy", "balanced_accuracy"} in percent, as trainings tell it; None where there are no images."""
    if not len(images):
        return None
    hits = torch.zeros(len(images.classes), dtype=torch.int64)
    for piece in torch.split(torch.arange(len(images)), TOGETHER):
        callback.stop.check()
        hits += hits_of(network, images, piece, "cpu")
    found = Accuracy.of(hits.tolist(), images.labels.bincount(minlength=len(hits)).tolist())
    return {"images": len(images), "accuracy": found.overall, "balanced_accuracy": found.balanced}
