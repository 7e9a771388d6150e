"""Training batches with all that is done to images: each a pure function of (seed, label, step)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cleave.data.augment import Augment, Augmentation, Chain, Normalise
from cleave.data.chance import Chance
from cleave.data.crops import Crops, draw, draw_boxes
from cleave.data.decode import Resample
from cleave.data.images import Images
from cleave.data.rand_augment import parsed
from cleave.data.stream import Batch, BatchStream
from cleave.retrain.settings import RetrainSettings
from cleave.torch_state import seeded

Transform = Callable[[Tensor], Tensor]
ERASED = (0.02, 1 / 3)
"""The share of an image's area that a rectangle takes (Zhong et al., 2020)."""


@dataclass(frozen=True)
class ImageByImage:
    """Images transformed one by one: torchvision draws once for all of a batch."""

    transform: Transform

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        number = int(torch.randint(2**62, (), generator=generator))
        return one_by_one(self.transform, pixels, number)


def one_by_one(transform: Transform, images: Tensor, seed: int) -> Tensor:
    """Each image transformed; what torchvision draws from torch's global generator comes from the seed."""
    with seeded(seed):
        return torch.stack([transform(image) for image in images])


class TrainingBatches:
    """Endless batches. Labels are numbers [n], or with mixup or cutmix shares of the classes [n, classes]."""

    def __init__(
        self,
        images: Images,
        settings: RetrainSettings,
        augment: Augment,
        normalise: Normalise,
        chance: Chance,
        resample: Resample = "bilinear",
    ) -> None:
        self.settings, self.chance, self.classes = settings, chance, len(images.classes)
        fill = [255 * level for level in normalise.mean.tolist()]
        made = augmentation(settings, augment, images.side, fill, resample)
        self.stream = BatchStream(images, settings.batch_size, made, normalise, chance, "train")

    def batch(self, step: int) -> Batch:
        images, labels = self.stream.batch(step)
        if self.settings.cutout:
            images = cutout(images, self.settings.cutout, self.chance.generator("cutout", step))
        if self.settings.erasing:
            images = erased(images, self.settings, self.chance.generator("erasing", step))
        if self.settings.mixup or self.settings.cutmix:
            return self._mixed(images, labels, self.chance.number("mix", step))
        return images, labels

    def _mixed(self, images: Tensor, labels: Tensor, seed: int) -> Batch:
        from torchvision.transforms import v2  # not at the top: it is slow to import

        kinds = {v2.MixUp: self.settings.mixup, v2.CutMix: self.settings.cutmix}
        mixes = [kind(alpha=alpha, num_classes=self.classes) for kind, alpha in kinds.items() if alpha]
        with seeded(seed):
            images, labels = v2.RandomChoice(mixes)(images, labels)
        return images, labels


def augmentation(
    settings: RetrainSettings, augment: Augment, side: int, fill: Sequence[float], resample: Resample
) -> Augmentation:
    """What is done to pixels: all of a batch in one go, but for what torchvision alone can do, image by image."""
    moved = augment if settings.crop is None else Crops(side, settings.crop, augment.flip, resample)
    steps: list[Augmentation] = [moved]
    if settings.jitter or settings.rand_augment:
        steps.append(ImageByImage(torchvisions(settings)))
    if settings.auto_augment:
        steps.append(parsed(settings.auto_augment, fill))
    return steps[0] if len(steps) == 1 else Chain(tuple(steps))


def torchvisions(settings: RetrainSettings) -> Transform:
    """What torchvision does to one image."""
    from torchvision.transforms import v2

    transforms: list[Transform] = []
    if settings.jitter:
        transforms.append(v2.ColorJitter(settings.jitter, settings.jitter, settings.jitter, settings.jitter / 2))
    if settings.rand_augment:
        transforms.append(v2.RandAugment(num_ops=2, magnitude=settings.rand_augment))
    composed: Transform = v2.Compose(transforms)
    return composed


def erased(images: Tensor, settings: RetrainSettings, generator: torch.Generator) -> Tensor:
    """Normalised images of which some have a rectangle at the mean, or of normal noise."""
    count, side = len(images), images.shape[-1]
    boxes = draw_boxes(count, side, side - 1, ERASED, 1 / 0.3, generator)
    chosen = (draw((count,), generator) < settings.erasing) & boxes.found
    rows, columns = (
        within(torch.arange(side), start[:, None], length[:, None])
        for start, length in ((boxes.top, boxes.height), (boxes.left, boxes.width))
    )
    holes = (rows[:, :, None] & columns[:, None, :] & chosen[:, None, None])[:, None].expand_as(images)
    if not settings.erasing_noise:
        return images.masked_fill(holes.to(images.device), 0.0)
    noise = torch.randn(int(holes.sum()), generator=generator).to(images)
    return images.masked_scatter(holes.to(images.device), noise)


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Normalised images with a square of `side` pixels at the mean, its centre anywhere in the image."""
    count, _, *sizes = images.shape
    rows, columns = (covered(count, length, side, generator).to(images.device) for length in sizes)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def covered(count: int, length: int, side: int, generator: torch.Generator) -> Tensor:
    """Which places of a line are within `side` pixels around a random one, [count, length]."""
    first = torch.randint(length, (count, 1), generator=generator) - side // 2
    return within(torch.arange(length), first, torch.tensor(side))


def within(places: Tensor, first: Tensor, length: Tensor) -> Tensor:
    return (places >= first) & (places < first + length)
