"""Endless batches: batch `step` is a pure function of (seed, leaf, purpose, step)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import lru_cache

import torch
from torch import Tensor

from cleave.data.augment import Augmentation, Normalise
from cleave.data.chance import Chance
from cleave.data.images import Images, central

Batch = tuple[Tensor, Tensor]
"""Normalised images [n, channels, height, width] and labels [n]."""


class BatchStream:
    """One shuffled pass over the images after another, cut into batches of equal size; the last one of a pass is
    filled from the next pass."""

    def __init__(
        self,
        images: Images,
        batch_size: int,
        augment: Augmentation,
        normalise: Normalise,
        chance: Chance,
        purpose: str,
    ) -> None:
        self.images, self.batch_size = images, batch_size
        self.augment, self.normalise = augment, normalise
        self.chance, self.purpose = chance, purpose
        self._order = lru_cache(maxsize=2)(
            lambda number: torch.randperm(len(images), generator=chance.generator(f"{purpose} order", number))
        )

    def batch(self, step: int) -> Batch:
        """The batch of that step, on the images' device."""
        pixels, labels = self.images.at(self.indices(step))
        generator = self.chance.generator(f"{self.purpose} augment", step)
        return self.normalise(self.augment(pixels, generator)), labels

    def indices(self, step: int) -> Tensor:
        """Which images the batch of that step holds, [batch size]."""
        positions = range(step * self.batch_size, (step + 1) * self.batch_size)
        count = len(self.images)
        passes = range(positions[0] // count, positions[-1] // count + 1)
        start = positions[0] - passes[0] * count
        return torch.cat([self._order(number) for number in passes])[start : start + self.batch_size]


class InOrder(Sequence[Batch]):
    """Every image once, unchanged, in batches as equal as can be: with batch statistics a small last batch would
    be judged by other rules than the rest."""

    def __init__(self, images: Images, batch_size: int, normalise: Normalise) -> None:
        parts = torch.arange(len(images)).tensor_split(-(-len(images) // batch_size))
        self._parts = [slice(int(part[0]), int(part[-1]) + 1) for part in parts]
        self._images, self._normalise = images, normalise

    def __len__(self) -> int:
        return len(self._parts)

    def first(self, batches: int) -> int:
        """How many images the first `batches` batches hold."""
        return sum(part.stop - part.start for part in self._parts[:batches])

    def between(self, first: int, last: int) -> InOrder:
        """The batches from number `first` on, without number `last`."""
        some = copy(self)
        some._parts = self._parts[first:last]
        return some

    def __getitem__(self, number: int) -> Batch:  # type: ignore[override]
        """The batch of that number, normalised anew whenever it is asked for."""
        part = self._parts[number]
        seen = central(self._images.pixels[part], self._images.side)
        return self._normalise(seen), self._images.labels[part]
