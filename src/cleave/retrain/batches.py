"""Training batches with all that is done to images: each a pure function of (seed, label, step)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cleave.data.augment import Augment, Normalise
from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.stream import Batch, BatchStream
from cleave.retrain.settings import RetrainSettings
from cleave.torch_state import seeded

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ImageByImage(Augment):
    """Shifted and mirrored as by `Augment`, then transformed one by one: torchvision draws once for all of a batch."""

    transform: Transform = torch.clone

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        moved = super().__call__(pixels, generator)
        number = int(torch.randint(2**62, (), generator=generator))
        return one_by_one(self.transform, moved, number)


def one_by_one(transform: Transform, images: Tensor, seed: int) -> Tensor:
    """Each image transformed; what torchvision draws from torch's global generator comes from the seed."""
    with seeded(seed):
        return torch.stack([transform(image) for image in images])


class TrainingBatches:
    """Endless batches. Labels are numbers [n], or with mixup or cutmix shares of the classes [n, classes]."""

    def __init__(
        self, images: Images, settings: RetrainSettings, augment: Augment, normalise: Normalise, chance: Chance
    ) -> None:
        self.settings, self.chance, self.classes = settings, chance, len(images.classes)
        made = augmentation(settings, augment, images.pixels.shape[-1])
        self.stream = BatchStream(images, settings.batch_size, made, normalise, chance, "train")

    def batch(self, step: int) -> Batch:
        images, labels = self.stream.batch(step)
        if self.settings.cutout:
            images = cutout(images, self.settings.cutout, self.chance.generator("cutout", step))
        if self.settings.erasing:
            images = self._erased(images, self.chance.number("erasing", step))
        if self.settings.mixup or self.settings.cutmix:
            return self._mixed(images, labels, self.chance.number("mix", step))
        return images, labels

    def _erased(self, images: Tensor, seed: int) -> Tensor:
        from torchvision.transforms import v2  # not at the top: it is slow to import

        return one_by_one(v2.RandomErasing(self.settings.erasing), images, seed)

    def _mixed(self, images: Tensor, labels: Tensor, seed: int) -> Batch:
        from torchvision.transforms import v2

        kinds = {v2.MixUp: self.settings.mixup, v2.CutMix: self.settings.cutmix}
        mixes = [kind(alpha=alpha, num_classes=self.classes) for kind, alpha in kinds.items() if alpha]
        with seeded(seed):
            images, labels = v2.RandomChoice(mixes)(images, labels)
        return images, labels


def augmentation(settings: RetrainSettings, augment: Augment, size: int) -> Augment:
    """What is done to pixels: shifted and mirrored in one go, the rest image by image where anything is asked for."""
    if settings.crop is None and not settings.jitter and not settings.rand_augment:
        return augment
    from torchvision.transforms import v2

    transforms: list[Transform] = []
    if settings.crop is not None:
        transforms.append(v2.RandomResizedCrop(size, scale=(settings.crop, 1.0), antialias=True))
    if settings.jitter:
        transforms.append(v2.ColorJitter(settings.jitter, settings.jitter, settings.jitter, settings.jitter / 2))
    if settings.rand_augment:
        transforms.append(v2.RandAugment(num_ops=2, magnitude=settings.rand_augment))
    return ImageByImage(0 if settings.crop else augment.padding, augment.flip, v2.Compose(transforms))


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Normalised images with a square of `side` pixels at the mean, its centre anywhere in the image."""
    count, _, *sizes = images.shape
    rows, columns = (covered(count, length, side, generator).to(images.device) for length in sizes)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def covered(count: int, length: int, side: int, generator: torch.Generator) -> Tensor:
    """Which places of a line are within `side` pixels around a random one, [count, length]."""
    first = torch.randint(length, (count, 1), generator=generator) - side // 2
    places = torch.arange(length)
    return (places >= first) & (places < first + side)
