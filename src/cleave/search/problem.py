"""What every node of a search has in common: the recipe, the space, the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleave.bench.table import Table, find
from cleave.data.augment import Augment, Normalise
from cleave.data.chance import Chance
from cleave.data.given import Given
from cleave.data.images import TENSORS, Images, fingerprint
from cleave.data.reading import Reading
from cleave.data.report import image_report
from cleave.data.split import Listed, cut
from cleave.data.stream import BatchStream
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.memory import memory_for
from cleave.method import METHODS, Method
from cleave.net.cost import Costs, costs
from cleave.settings import DataSettings, MethodSettings, Recipe
from cleave.space import Layout, Space, find_space


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

    `report` tells what is used of the images (`cleave.data.report`).
    """

    recipe: Recipe
    space: Space
    train: Images
    valid: Images
    normalise: Normalise
    table: Table | None
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return self.space.layout(self.recipe.space.size, image_channels=self.train.pixels.shape[1])

    def costs(self) -> Costs:
        """What architectures cost, trained alone at the size of this search."""
        _, channels, height, width = self.train.pixels.shape
        return costs(self.space, self.recipe.space.size, (channels, height, width), self.classes)

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
    def steps_per_epoch(self) -> int:
        """Batches that show every training image at least once."""
        return -(-len(self.train) // self.recipe.search.batch_size)

    def stream(self, images: Images, chance: Chance, purpose: str) -> BatchStream:
        """Endless augmented batches."""
        return BatchStream(images, self.recipe.search.batch_size, self.augment, self.normalise, chance, purpose)

    @property
    def augment(self) -> Augment:
        """How training images are shifted and mirrored."""
        data, size = self.recipe.data, self.train.pixels.shape[-1]
        return Augment(size // 8 if data.padding is None else data.padding, data.flip)

    def fingerprint(self) -> str:
        """SHA-256 of the images and labels, in order: a resumed run must see the same ones."""
        return fingerprint((self.train, self.valid))


SMALLER = "data.image_size or data.limit, or leave a folder's images on the disk: data.storage=map"
"""What to do where images do not fit into memory."""
WHOLE = 15_625
"""The architectures of NAS-Bench-201."""


def check_padding(padding: int | None, size: int) -> None:
    if padding is not None and padding >= size:
        raise UserError(f"data.padding={padding}: must be below the size of the images, {size} pixels")


def reading_of(data: DataSettings, callback: Callback) -> Reading:
    """Reads files as settings say, under a callback's eyes."""

    def progress(done: int, total: int) -> None:
        callback.see(Progress(done, total, "", f"reading images, {done} of {total}", kind=""))

    return Reading(data.skip_damaged, progress, callback.say, data.storage)


def open_images(data: DataSettings, callback: Callback, given: Given | None) -> tuple[Images, Images, dict[str, Any]]:
    """Images to train on, images held out, and the report on both."""
    from cleave.data import sources  # not at the top: workers need no torchvision, which is slow to import

    reading, root = reading_of(data, callback), Path(data.root) if data.root else None
    if given is not None and data.name != TENSORS:
        raise UserError(f"data: the images of this run are {data.name}, so that no others can be given; leave data out")
    source: Listed = (
        given(data.image_size, reading.progress)
        if given is not None
        else sources.find(data.name, "train", root, data.image_size, reading=reading)
    )
    chosen = cut(source, data.train_fraction, min(data.limit or len(source), len(source)), data.fraction)
    train, valid = source.take_each(*chosen)
    reading.check()
    report = image_report(data.name, source, train, valid, sum(map(len, chosen)), reading)
    report["warnings"][:0] = unused_keys(data, source)
    return train, valid, report


def unused_keys(data: DataSettings, source: Listed) -> list[str]:
    """A note for each key that was given without having a meaning for these images."""
    notes = []
    if source.held_out_from is not None and data.train_fraction != type(data)().train_fraction:
        notes.append("data.train_fraction has no meaning with a folder that is held out; it is not used")
    for key, given in {"skip_damaged": data.skip_damaged, "storage": data.storage == "map"}.items():
        if given and source.found is None:
            notes.append(f"data.{key} has no meaning with data.name={data.name}; it is not used")
    return notes


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
    check_padding(data.padding, train.pixels.shape[-1])
    return Problem(recipe, space, train, valid, Normalise.of(train), table, report)
