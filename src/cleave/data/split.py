"""Cutting the training part in two: images to train on, and images held out to choose architectures by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cleave.data.images import Images
from cleave.errors import UserError, shown

PERMUTATION_SEED = 0  # the cut is a property of the data, so it does not follow the seed of a search


def held_out(images: Images, train_fraction: float, limit: int | None = None) -> tuple[Images, Images]:
    """(train, valid): disjoint, together `limit` (default: all) of images, `train_fraction` of them in train.

    Images in random order are cut as they lie: the first ones train (so .5 of CIFAR-10 is the published cut,
    25,000 and 25,000). Others are drawn class by class with a fixed permutation, in proportion, and every
    class has an image on both sides, whatever the fraction. Raises UserError naming data.limit or
    data.train_fraction where that cannot be.
    """
    total = _total(images, limit)
    wanted = round(total * train_fraction)
    if not 0 < wanted < total:
        raise UserError(f"data.train_fraction: {train_fraction} of {total} images leaves one side empty")
    train, valid = _prefix(total, wanted) if images.shuffled else _stratified(images, total, wanted)
    return images.take(train), images.take(valid)


def _total(images: Images, limit: int | None) -> int:
    if limit is not None and not 2 <= limit <= len(images):
        raise UserError(f"data.limit: {limit} is not in 2 .. {len(images)}, the images of the training part")
    return len(images) if limit is None else limit


def _prefix(total: int, wanted: int) -> tuple[Tensor, Tensor]:
    return torch.arange(wanted), torch.arange(wanted, total)


def _stratified(images: Images, total: int, wanted: int) -> tuple[Tensor, Tensor]:
    members = shuffled_classes(images.labels.cpu())
    sizes = [len(of_class) for of_class in members]
    if min(sizes) < 2:
        name = images.classes[int(images.labels[min(members, key=len)])]
        raise UserError(f"data: class {shown(name)} has one image, which cannot be both trained on and held out")
    if total < 2 * len(sizes):
        raise UserError(f"data.limit: {total} images are not two for each of the {len(sizes)} classes")
    used = apportion(total, sizes, low=[2] * len(sizes), high=sizes)
    highest = [count - 1 for count in used]
    trained = apportion(min(max(wanted, len(used)), sum(highest)), used, low=[1] * len(used), high=highest)
    train = [of_class[:cut] for of_class, cut in zip(members, trained, strict=True)]
    valid = [of_class[cut:end] for of_class, cut, end in zip(members, trained, used, strict=True)]
    return mixed(torch.cat(train)), mixed(torch.cat(valid))


def mixed(indices: Tensor) -> Tensor:
    """The same in a fixed random order: with batch statistics a batch of one class would be judged unlike others."""
    return indices[torch.randperm(len(indices), generator=torch.Generator().manual_seed(PERMUTATION_SEED))]


def shuffled_classes(labels: Tensor) -> list[Tensor]:
    """For every class that occurs, in order: the indices of its images, in an order that the labels fix."""
    generator = torch.Generator().manual_seed(PERMUTATION_SEED)
    members = [(labels == label).nonzero().flatten() for label in sorted(set(labels.tolist()))]
    return [indices[torch.randperm(len(indices), generator=generator)] for indices in members]


def apportion(total: int, sizes: Sequence[int], low: Sequence[int], high: Sequence[int]) -> list[int]:
    """`total` shared out in proportion to `sizes`, each share within `low` .. `high` (largest remainders).

    Shares are rounded down to start with; what is left goes one by one to whoever is furthest from its due.
    """
    assert sum(low) <= total <= sum(high)
    due = [total * size / sum(sizes) for size in sizes]
    shares = [min(max(math.floor(d), least), most) for d, least, most in zip(due, low, high, strict=True)]
    while rest := total - sum(shares):
        step = 1 if rest > 0 else -1
        movable = [i for i, share in enumerate(shares) if low[i] <= share + step <= high[i]]
        furthest = max(movable, key=lambda i: step * (due[i] - shares[i]))
        shares[furthest] += step
    return shares
