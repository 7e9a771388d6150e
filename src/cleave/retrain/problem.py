"""A training with its space and images, opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from cleave.retrain.recipes import trained_layout
from cleave.retrain.retraining import Inherited, Retraining, retrain_layout
from cleave.retrain.settings import RetrainRecipe, RetrainSettings
from cleave.retrain.supernet import Supernet, find_supernet
from cleave.retrain.teacher import check_image, open_teacher
from cleave.retrain.timm_weights import Pretrained, open_pretrained
from cleave.settings import DataSettings
from cleave.space import Space, find_space

LABEL = "network"
"""Of what is trained: its random numbers go by it, and its place in the run folder."""


@dataclass(frozen=True)
class TrainingProblem:
    """A resolved recipe with what it names. `valid` has no images where all are trained on. No test images.

    `supernet`: whose weights it begins with; `pretrained`: those that it begins with. None of both: new ones.
    """

    recipe: RetrainRecipe
    space: Space
    task: Retraining
    valid: Images
    cost: Cost
    report: Mapping[str, Any]
    supernet: Supernet | None = None
    pretrained: Pretrained | None = None

    @property
    def drops_nothing(self) -> bool:
        """Whether paths are to be dropped, and there are none beside others."""
        layers_only = all(block.graph.path for _, block in self.task.layout.blocks)
        return self.recipe.training.drop_path > 0 and layers_only

    def environment(self) -> dict[str, Any]:
        """Where a run was made, a fingerprint of the images, and how the network takes them (0 to 1)."""
        recipe, task = self.recipe, self.task
        teacher = {} if task.teacher is None else {"teacher": task.teacher.identity}
        supernet = {} if self.supernet is None else {"supernet": self.supernet.identity}
        pretrained = {} if self.pretrained is None else {"pretrained": dict(self.pretrained.identity)}
        return {
            **surroundings(task.device, recipe.threads),
            **teacher,
            **supernet,
            **pretrained,
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
    settings, whole, arch = recipe.training, recipe.data.use == "all", space.parse(recipe.arch)
    supernet = find_supernet(recipe, arch) if recipe.begin.inherits else None
    train, valid, report = open_images(
        recipe.data, callback, given, whole, partial(check_classes, settings, supernet), trained_on(recipe, supernet)
    )
    channels, side = train.pixels.shape[1], train.side
    check_padding(recipe.data.padding, side)
    space.check_side(recipe.space.size, side)
    check_image(settings, channels, side)
    if supernet is not None:
        supernet.check_images(train.classes, channels)
    pretrained = pretrained_of(recipe, channels) if recipe.begin.pretrained else None
    usual = trained_layout(space, recipe, channels)
    layout = retrain_layout(space, recipe.space.size, (channels, side), settings.auxiliary, settings.dropout, usual)
    cost = cost_alone(layout, arch, (channels, side, side), len(train.classes))
    check_cost(cost, recipe)
    train, valid = train.to(device), valid.to(device)
    augment, normalise = augment_of(recipe.data, side), normalise_of(train, supernet or pretrained)
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
        inherited=inherited_from(supernet, recipe, space),
        pretrained=None if pretrained is None else pretrained.tensors,
    )
    return TrainingProblem(recipe, space, task, valid, cost, report, supernet, pretrained)


def pretrained_of(recipe: RetrainRecipe, channels: int) -> Pretrained:
    """Those that a recipe names; UserError where there are none."""
    width = getattr(recipe.space, "width", 1.0)
    if width != 1:
        raise UserError(f"space.width={width:g}: there are pretrained weights of width 1 alone; give begin.weights=new")
    return open_pretrained(recipe.arch, recipe.begin.file, channels)


def check_classes(settings: RetrainSettings, supernet: Supernet | None, classes: Sequence[str]) -> None:
    """UserError where a teacher or a supernet has others."""
    open_teacher(settings, classes)
    if supernet is not None:
        supernet.check_images(classes)


def trained_on(recipe: RetrainRecipe, supernet: Supernet | None) -> DataSettings | None:
    """How the supernet's search cut these images; None where it has seen none of them."""
    if supernet is None or (supernet.data.name, supernet.data.root) != (recipe.data.name, recipe.data.root):
        return None
    return supernet.data


def normalise_of(train: Images, known: Supernet | Pretrained | None) -> Normalise:
    """By the statistics of the images, or as the weights know them."""
    return Normalise.of(train) if known is None else known.normalise(str(train.labels.device))


def inherited_from(supernet: Supernet | None, recipe: RetrainRecipe, space: Space) -> Inherited | None:
    if supernet is None:
        return None
    network = supernet.network(space.layout(recipe.space.size, supernet.channels))
    return Inherited(network, recipe.begin.images)


def check_cost(cost: Cost, recipe: RetrainRecipe) -> None:
    most = recipe.most_multiply_adds
    if most is not None and cost.multiply_adds > most:
        raise UserError(
            f"most_multiply_adds={most}: this architecture has {cost.multiply_adds}; "
            "give it fewer channels or cells, or most_multiply_adds=null"
        )
