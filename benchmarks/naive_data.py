"""Batches the way published code draws them: image by image, and a new pass over all of them for every step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset

from benchmarks.naive import Batch
from cleave.data.augment import Normalise
from cleave.data.images import Images
from cleave.search.problem import Problem


class OneByOne(Dataset[Batch]):
    """Images that are augmented (unless `padding` is None) and normalised one at a time."""

    def __init__(self, images: Images, normalise: Normalise, padding: int | None) -> None:
        self.pixels, self.labels, self.padding = images.pixels[:], images.labels, padding
        self.mean, self.std = normalise.mean.view(-1, 1, 1), normalise.std.view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        pixels = self.pixels[index]
        if self.padding is not None:
            pixels = shifted_and_flipped(pixels, self.padding)
        return (pixels.float() / 255 - self.mean) / self.std, self.labels[index]


def shifted_and_flipped(pixels: Tensor, padding: int) -> Tensor:
    """A random crop of the padded image, mirrored half of the time."""
    _, height, width = pixels.shape
    top, left = torch.randint(2 * padding + 1, (2,)).tolist()
    cropped = pad(pixels, [padding] * 4)[:, top : top + height, left : left + width]
    return cropped.flip(2) if torch.rand(()) < 0.5 else cropped


def training_loader(problem: Problem, images: Images) -> DataLoader[Batch]:
    dataset = OneByOne(images, problem.normalise, padding=images.pixels.shape[-1] // 8)
    return DataLoader(dataset, problem.recipe.search.batch_size, shuffle=True)


def held_loader(problem: Problem) -> DataLoader[Batch]:
    """Every held-out image once, as it is."""
    dataset = OneByOne(problem.valid, problem.normalise, padding=None)
    return DataLoader(dataset, problem.recipe.search.eval_batch_size)


def fresh(loader: DataLoader[Batch]) -> Batch:
    """The first batch of a new pass, for which all images are shuffled again."""
    images, labels = next(iter(loader))
    return images, labels
