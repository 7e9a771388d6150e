"""What every node of a search has in common: the recipe, the space, the images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cleave.bench.table import Table, find
from cleave.data.augment import Augment, Normalise
from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.split import held_out
from cleave.data.stream import Stream
from cleave.errors import UserError
from cleave.memory import memory_for
from cleave.method import METHODS, Method
from cleave.settings import Recipe
from cleave.space import Layout, NetworkSize, Space, find_space


@dataclass(frozen=True)
class Problem:
    """A resolved recipe with its space and images; `train` learns weights, `valid` is held out. No test images."""

    recipe: Recipe
    space: Space
    train: Images
    valid: Images
    normalise: Normalise
    table: Table | None

    @property
    def layout(self) -> Layout:
        size = NetworkSize(self.recipe.space.channels, self.recipe.space.cells)
        return self.space.layout(size, image_channels=self.train.pixels.shape[1])

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

    def stream(self, images: Images, chance: Chance, purpose: str) -> Stream:
        """Endless augmented batches."""
        data = self.recipe.data
        size = images.pixels.shape[-1]
        padding = size // 8 if data.padding is None else data.padding
        augment = Augment(padding, data.flip)
        return Stream(images, self.recipe.search.batch_size, augment, self.normalise, chance, purpose)

    def fingerprint(self) -> str:
        """SHA-256 of the images and labels, in order: a resumed run must see the same ones."""
        digest = hashlib.sha256()
        for images in (self.train, self.valid):
            for tensor in (images.pixels, images.labels):
                digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


WHOLE = 15_625
"""The architectures of NAS-Bench-201."""


def check_padding(padding: int | None, size: int) -> None:
    if padding is not None and padding >= size:
        raise UserError(f"data.padding={padding}: must be below the size of the images, {size} pixels")


@memory_for("the images", "data.image_size or data.limit")
def open_problem(recipe: Recipe) -> Problem:
    """Loads what a resolved recipe names; UserError where it is not there or too small."""
    from cleave.data.sources import load  # not at the top: workers need no torchvision, which is slow to import

    space = find_space(recipe.space.name, recipe.space.ops)
    data = recipe.data
    root = Path(data.root) if data.root else None
    images = load(data.name, "train", root, data.image_size)
    limit = min(data.limit or len(images), len(images))
    train, valid = (part.to(recipe.device) for part in held_out(images, data.train_fraction, limit))
    for part in (train, valid):
        if len(part) < recipe.search.batch_size:
            raise UserError(
                f"search.batch_size={recipe.search.batch_size}: only {len(train)} training and {len(valid)} "
                "held-out images; use a smaller batch or more images"
            )
    table = find(Path(recipe.benchmark)) if recipe.benchmark else None
    if table is not None and len(table) < WHOLE:
        raise UserError(f"{recipe.benchmark}: holds {len(table)} of {WHOLE} architectures; import the whole benchmark")
    check_padding(data.padding, images.pixels.shape[-1])
    return Problem(recipe, space, train, valid, Normalise.of(train), table)
