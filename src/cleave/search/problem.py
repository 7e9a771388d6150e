"""What every node of a search has in common: the recipe, the space, the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cleave.bench.table import Table, find
from cleave.data.augment import Normalise
from cleave.data.chance import Chance
from cleave.data.given import Given
from cleave.data.images import Images, fingerprint
from cleave.data.stream import Batch, BatchStream
from cleave.deploy.table import LatencyTable
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.kinds import of_kind
from cleave.memory import memory_for
from cleave.method import METHODS, Method
from cleave.net.cost import Costs, costs
from cleave.net.sized import Sized
from cleave.net.units import Image
from cleave.opening import SMALLER, check_padding, open_images, search_augment
from cleave.pretrained.opening import Pretrained
from cleave.search.judging import Judging
from cleave.search.latency import learns_by_latency, table_for
from cleave.settings import BeginSettings, MethodSettings, Recipe
from cleave.space import Layout, Limited, Space, find_space
from cleave.split.splitters import SPLITTERS


@dataclass(frozen=True)
class Setup:
    """What a network looks like at its size, and how its weights are trained.

    drop_path: the share of paths that is dropped in the last epoch, rising linearly from 0 as in DARTS. auxiliary: the
    weight of the auxiliary head's loss, where the layout has one.
    """

    layout: Layout
    settings: MethodSettings
    drop_path: float = 0.0
    auxiliary: float = 0.4


@dataclass(frozen=True)
class Problem:
    """A resolved recipe with its space and images; `train` learns weights, `valid` is held out. No test images.

    `report` tells what is used of the images (`cleave.data.report`). `latency`: of milliseconds, if anything goes by
    them. `begin`: what supernets begin with, of a search that is begun; None: weights that are drawn.
    """

    recipe: Recipe
    space: Space
    train: Images
    valid: Images
    normalise: Normalise
    table: Table | None
    report: Mapping[str, Any] = field(default_factory=dict)
    latency: LatencyTable | None = None
    begin: Pretrained | None = None

    @property
    def layout(self) -> Layout:
        """Of the supernets. An architecture's own network is that of `Space.layout`."""
        layout = self.space.layout(self.recipe.space.size, image_channels=self.train.pixels.shape[1])
        return SPLITTERS[self.recipe.split.splitter].supernet(self.recipe.split, layout)

    def costs(self) -> Costs:
        """What architectures cost, trained alone at the size of this search."""
        return costs(self.space, self.recipe.space.size, self.image, self.classes, latency=self.latency)

    @property
    def image(self) -> Image:
        """What a network is given."""
        return image_of(self.train)

    @property
    def setup(self) -> Setup:
        """Of every network of the search; one that is trained alone may have another."""
        return Setup(self.layout, self.recipe.method)

    @property
    def method(self) -> type[Method]:
        return METHODS[self.recipe.method.name]

    @property
    def classes(self) -> int:
        return len(self.train.classes)

    @property
    def held_out_per_class(self) -> list[int]:
        """How many held-out images there are of each class."""
        counts: list[int] = self.valid.labels.bincount(minlength=self.classes).tolist()
        return counts

    @property
    def smaller_by(self) -> list[str]:
        """The keys by which what is done takes less memory."""
        retrained = ["selection.training.batch_size", "selection.space"] if self.recipe.selection.retrains else []
        return ["search.batch_size", "search.eval_batch_size", *retrained, self.recipe.space.smaller_by]

    @property
    def steps_per_epoch(self) -> int:
        """Batches that show every training image at least once."""
        return -(-len(self.train) // self.recipe.search.batch_size)

    def stream(self, images: Images, chance: Chance, purpose: str, size: int | None = None) -> BatchStream:
        """Endless augmented batches; `size`: their images, None: those of a training step."""
        augment = search_augment(self.recipe.data, images.side)
        return BatchStream(images, size or self.recipe.search.batch_size, augment, self.normalise, chance, purpose)

    @property
    def judging(self) -> Judging:
        """How architectures are judged."""
        return Judging.of(self.recipe.search)

    def calibration(self, chance: Chance, judging: Judging) -> list[Batch]:
        """Training batches, as they are trained on, from which the statistics of a leaf's architectures are measured:
        the same ones for all of them. `chance`: of (seed, label of the leaf)."""
        return judging.batches(self.stream(self.train, chance, "recalibrate", max(judging.sizes, default=1)))

    def fingerprint(self) -> str:
        """SHA-256 of the images and labels, in order: a resumed run must see the same ones."""
        return fingerprint((self.train, self.valid))


def image_of(images: Images) -> Image:
    """The size of what networks see of each of some images."""
    return images.pixels.shape[1], images.side, images.side


def limited_size(recipe: Recipe, space: Space, image: Image, classes: int) -> Sized:
    """The size at which the recipe's limits count costs; `image`: that of the search."""
    limits, (channels, height, width) = recipe.limits, image
    size = of_kind(Recipe, "space", {**recipe.space.model_dump(), **limits.space}).size
    return Sized(space, size, (channels, limits.image_size or height, limits.image_size or width), classes)


def prices(recipe: Recipe, space: Space, image: Image, classes: int) -> Costs:
    """What architectures cost at that size."""
    asked, table = limited_size(recipe, space, image, classes), None
    if recipe.limits.latency is not None:
        assert recipe.latency is not None, "resolving refuses a limit without a table"
        table = table_for(recipe.latency, asked)
    return costs(space, asked.size, asked.image, classes, latency=table)


def limited(recipe: Recipe, space: Space, image: Image, classes: int) -> Space:
    """What of a space keeps the recipe's limits; UserError, which tells the least, where nothing does."""
    if not recipe.limits.given:
        return space
    try:
        return Limited(space, prices(recipe, space, image, classes), recipe.limits.most)
    except UserError as error:
        keys = ", ".join(f"limits.{key}" for key in recipe.limits.given)
        raise type(error)(f"{keys}: {error}") from error


def normalise_of(begin: BeginSettings, train: Images) -> Normalise:
    """By the statistics of the images, or as pretrained weights know them."""
    if begin.mean is None or begin.std is None:
        return Normalise.of(train)
    device = train.labels.device
    return Normalise(torch.tensor(begin.mean, device=device), torch.tensor(begin.std, device=device))


WHOLE = 15_625
"""The architectures of NAS-Bench-201."""


@memory_for("the images", SMALLER)
def open_problem(recipe: Recipe, callback: Callback | None = None, given: Given | None = None) -> Problem:
    """Loads what a resolved recipe names, or what is given; UserError where it is not there or too small."""
    space = find_space(recipe.space)
    data = recipe.data
    trained, held, report = open_images(data, callback or Callback(), given)
    train, valid = trained.to(recipe.device), held.to(recipe.device)
    for part in (train, valid):
        if len(part) < recipe.search.batch_size:
            raise UserError(
                f"search.batch_size={recipe.search.batch_size}: only {len(train)} training and {len(valid)} "
                "held-out images; use a smaller batch or more images"
            )
    table = find(Path(recipe.benchmark)) if recipe.benchmark else None
    if table is not None and len(table) < WHOLE:
        raise UserError(f"{recipe.benchmark}: holds {len(table)} of {WHOLE} architectures; import the whole benchmark")
    check_padding(data.padding, train.side)
    space.check_side(recipe.space.size, train.side)
    image, classes = image_of(train), len(train.classes)
    latency = None
    if recipe.latency is not None and learns_by_latency(recipe):
        latency = table_for(recipe.latency, Sized(space, recipe.space.size, image, classes))
    return Problem(
        recipe,
        limited(recipe, space, image, classes),
        train,
        valid,
        normalise_of(recipe.begin, train),
        table,
        report,
        latency,
    )
