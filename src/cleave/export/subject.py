"""What is exported: the network of a finished run, by running statistics, with the images that it is checked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

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
from cleave.retrain.answers import classes_of
from cleave.retrain.problem import open_training
from cleave.retrain.recipes import is_file, load_training, recipe_of, resolve_training, trained_layout
from cleave.retrain.result import finished_trainings, read_training, trained_network
from cleave.retrain.settings import RetrainRecipe
from cleave.retrain.supernet import finished_search
from cleave.retrain.trainer import RetrainTrainer
from cleave.run.mirror import known_as, resume_command
from cleave.run.origin import DESIGN, SEARCH, TRAIN, Origin, holds, read_origin
from cleave.run.reading import is_there
from cleave.search.chosen import chosen_network
from cleave.search.runner import recipe_of as search_recipe_of
from cleave.settings import Recipe, ViewSettings
from cleave.space import Arch, Space, find_space
from cleave.stats.accuracy import Accuracy

Data = TypeVar("Data", bound=ViewSettings)
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

    `weights`: where they come from, for people; `pretrained`: what is known of weights that it began with and that were
    trained elsewhere; `next`: the command that tells more about it.
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
    pretrained: Mapping[str, Any] | None
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
    if not is_file(whose.source) and holds(whose.source, DESIGN):
        whose = replace(whose, source=best_in(whose.source))
    opener = Opener(whose, callback, given)
    with memory_for("the images", SMALLER):
        if not is_file(whose.source) and holds(whose.source, TRAIN):
            return opener.of_training()
        return opener.of_search()


def best_in(design: Path) -> Path:
    """The training whose network is to be used so far; UserError where none is finished."""
    if not (found := finished_trainings(design)):
        raise UserError(f"{known_as(design)}: nothing is trained yet; go on with: {resume_command(design)}")
    return found[0].run


class Opener:
    """Opens a network and its images. `given`: images that no recipe can name."""

    def __init__(self, whose: Whose, callback: Callback, given: Given | None) -> None:
        self.whose, self.callback, self.given = whose, callback, given

    def of_training(self) -> Subject:
        """What `cleave train` trained."""
        run = self.whose.source
        if self.whose.arch is not None or self.whose.leaf is not None:
            raise UserError(f"--arch, --leaf: say which network of a search, and {run} is a training of one network")
        told, origin = read_training(run).to_json(), read_origin(run, TRAIN)
        check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
        recipe = recipe_of(origin, "cpu")
        space, data = find_space(recipe.space), self.moved(recipe.data)
        taken = told["inherited"]
        begun = "" if taken is None else f", from those of leaf {taken['leaf']} of a search"
        return Subject(
            run,
            space,
            space.parse(recipe.arch),
            trained_network(run),
            data,
            *self.images(data, origin, run, recipe.data.use == "all"),
            told["held_out"],
            f"trained for {told['epochs']} epochs{begun}",
            pretrained_in(origin, *searched(recipe)),
            f"cleave evaluate {quote(str(run))}",
        )

    def of_search(self) -> Subject:
        """What a search chose, or what was found in it."""
        whose = self.whose
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
            return self.retrained(run, origin, recipe, result["chosen"]["arch"])
        cut = {"train_fraction": recipe.data.train_fraction, "held_out": recipe.data.held_out}
        data = self.moved(asked.data).model_copy(update=cut)
        return self.inherited(run, origin, asked.model_copy(update={"data": data}))

    def inherited(self, run: Path, origin: Origin, asked: RetrainRecipe) -> Subject:
        """With the weights of a supernet: as `cleave train --from supernet` begins, before any step.

        Supernets normalise by the batch; statistics of the network's own are measured on training images.
        """
        problem = open_training(resolve_training(asked), self.callback, self.given)
        recipe, space, task, supernet = problem.recipe, problem.space, problem.task, problem.supernet
        assert supernet is not None
        self.check(origin, task.train, problem.valid, recipe.data.name, run)
        layout, environment = trained_layout(space, recipe, supernet.channels), origin.environment
        weights = RetrainTrainer(task).trained()
        known = environment["mean"], environment["std"]
        network = standalone(layout, task.arch, len(task.train.classes), weights, *known)
        return Subject(
            run,
            space,
            task.arch,
            network,
            recipe.data,
            task.train,
            problem.valid,
            accuracy(network, problem.valid, self.callback),
            f"those of the supernet of leaf {supernet.leaf}, shared with other architectures; statistics of "
            f"normalisations measured on {recipe.begin.images:,} training images or more",
            pretrained_in(origin),
            f"cleave train {quote(str(self.whose.source))} --from supernet",
        )

    def retrained(self, run: Path, origin: Origin, recipe: Recipe, arch: str) -> Subject:
        """As halving left it."""
        space, network, data = find_space(recipe.space), chosen_network(run), self.moved(recipe.data)
        train, valid = self.images(data, origin, run)
        return Subject(
            run,
            space,
            space.parse(arch),
            network,
            data,
            train,
            valid,
            accuracy(network, valid, self.callback),
            "trained while the search chose among its leaves (halving)",
            None,
            f"cleave train {quote(str(run))}",
        )

    def moved(self, data: Data) -> Data:
        """Settings of images that may be in another place now."""
        return data.model_copy(update=without({"root": self.whose.root}))

    def images(self, data: ViewSettings, origin: Origin, run: Path, whole: bool = False) -> tuple[Images, Images]:
        """Those that were trained on, and those held out; `whole`: all were trained on."""
        train, valid, _ = open_images(data, self.callback, self.given, whole)
        self.check(origin, train, valid, data.name, run)
        return train, valid

    def check(self, origin: Origin, train: Images, valid: Images, name: str, run: Path) -> None:
        """UserError where they are not those of the run."""
        here = {**origin.environment, "images": fingerprint((train, valid))}
        compare(origin.environment, here, name, run, self.callback)


def searched(recipe: RetrainRecipe) -> list[Origin]:
    """What the search was begun as whose weights a training began with, where it is still there."""
    run = recipe.begin.run
    return [read_origin(Path(run), SEARCH)] if run is not None and is_there(Path(run)) else []


def pretrained_in(*origins: Origin) -> Mapping[str, Any] | None:
    """What runs say of weights that were trained elsewhere, with source and licence; None where they say nothing."""
    known = (each.environment.get(key) for each in origins for key in ("pretrained", "begin"))
    return next(filter(None, known), None)


def accuracy(network: ChosenNetwork, images: Images, callback: Callback) -> dict[str, Any] | None:
    """{"images", "accuracy", "balanced_accuracy"} in percent, as trainings tell it; None where there are no images."""
    if not len(images):
        return None
    hits = torch.zeros(len(images.classes), dtype=torch.int64)
    for piece in torch.split(torch.arange(len(images)), TOGETHER):
        callback.stop.check()
        labels = images.labels[piece]
        right = classes_of(network, images, piece, "cpu") == labels
        hits += labels[right].bincount(minlength=len(hits))
    found = Accuracy.of(hits.tolist(), images.labels.bincount(minlength=len(hits)).tolist())
    return {"images": len(images), "accuracy": found.overall, "balanced_accuracy": found.balanced}
