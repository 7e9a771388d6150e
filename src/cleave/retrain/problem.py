"""A training from scratch with its space and images, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cleave.data.augment import Normalise
from cleave.data.given import Given
from cleave.data.images import Images, fingerprint
from cleave.engine.environment import surroundings
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.extensions import file_hashes
from cleave.memory import memory_for
from cleave.net.cost import Cost, cost_alone
from cleave.opening import SMALLER, augment_of, check_padding, open_images
from cleave.retrain.ranks import device_of
from cleave.retrain.settings import RetrainRecipe
from cleave.retrain.teacher import check_image, open_teacher
from cleave.retrain.trainer import Retraining, retrain_layout
from cleave.space import Space, find_space

LABEL = "network"
"""Of what is trained: its random numbers go by it, and its place in the run folder."""


@dataclass(frozen=True)
class TrainingProblem:
    """A resolved recipe with what it names. `valid` has no images where all are trained on. No test images."""

    recipe: RetrainRecipe
    space: Space
    task: Retraining
    valid: Images
    cost: Cost
    report: Mapping[str, Any]

    @property
    def drops_nothing(self) -> bool:
        """Whether paths are to be dropped, and there are none beside others."""
        layers_only = all(block.graph.path for _, block in self.task.layout.blocks)
        return self.recipe.training.drop_path > 0 and layers_only

    def environment(self) -> dict[str, Any]:
        """Where a run was made, a fingerprint of the images, and how the network takes them (0 to 1)."""
        recipe, task = self.recipe, self.task
        teacher = {} if task.teacher is None else {"teacher": task.teacher.identity}
        return {
            **surroundings(task.device, recipe.threads),
            **teacher,
            "extensions": file_hashes(recipe.extensions, recipe.space.name),
            "train_images": len(task.train),
            "held_out_images": len(self.valid),
            "images": fingerprint((task.train, self.valid)),
            "classes": list(task.train.classes),
            "size": task.train.side,
            "mean": task.normalise.mean.tolist(),
            "std": task.normalise.std.tolist(),
        }


@memory_for("the images", SMALLER)
def open_training(recipe: RetrainRecipe, callback: Callback, given: Given | None = None) -> TrainingProblem:
    """Loads what a resolved recipe names, or what is given; UserError where it does not go together."""
    space, device = find_space(recipe.space), device_of(recipe.device)
    settings, whole = recipe.training, recipe.data.use == "all"
    train, valid, report = open_images(recipe.data, callback, given, whole, check=partial(open_teacher, settings))
    channels, side = train.pixels.shape[1], train.side
    check_padding(recipe.data.padding, side)
    check_image(settings, channels, side)
    arch = space.parse(recipe.arch)
    layout = retrain_layout(space, recipe.space.size, (channels, side), settings.auxiliary, settings.dropout)
    cost = cost_alone(layout, arch, (channels, side, side), len(train.classes))
    check_cost(cost, recipe)
    train, valid = train.to(device), valid.to(device)
    augment, normalise = augment_of(recipe.data, side), Normalise.of(train)
    teacher = open_teacher(settings, train.classes, device)
    task = Retraining(
        LABEL,
        arch,
        layout,
        settings,
        train,
        augment,
        normalise,
        recipe.seed,
        device,
        resample=recipe.data.resample,
        teacher=teacher,
    )
    return TrainingProblem(recipe, space, task, valid, cost, report)


def check_cost(cost: Cost, recipe: RetrainRecipe) -> None:
    most = recipe.most_multiply_adds
    if most is not None and cost.multiply_adds > most:
        raise UserError(
            f"most_multiply_adds={most}: this architecture has {cost.multiply_adds}; "
            "give it fewer channels or cells, or most_multiply_adds=null"
        )
