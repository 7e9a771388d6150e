"""Cutting the training part in two: images to train on, and images held out to choose architectures by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from cleave.data.images import Images
from cleave.data.parts import FoundParts
from cleave.errors import UserError, shown

PERMUTATION_SEED = 0  # the cut is a property of the data, so it does not follow the seed of a search


class Listed(Protocol):
    """Images that are chosen by their labels (int64 [n]) before any of them need be read.

    Where there is a `held_out_from`, the images from there on are held out, whatever else is asked for. `found` is what
    there was in a folder of image files, if they are from one.
    """

    @property
    def labels(self) -> Tensor: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def shuffled(self) -> bool: ...
    @property
    def held_out_from(self) -> int | None: ...
    @property
    def found(self) -> FoundParts | None: ...
    def __len__(self) -> int: ...
    def take_each(self, *several: Tensor) -> list[Images]: ...
    def files_of(self, *several: Tensor) -> Sequence[str]:
        """The files of the images that `take_each` gave, one after the other; none where they are not of files."""


def held_out(images: Listed, train_fraction: float, limit: int | None = None) -> tuple[Images, Images]:
    """(train, valid), as `cut` chooses them."""
    train, valid = images.take_each(*cut(images, train_fraction, limit))
    return train, valid


def cut(
    images: Listed,
    train_fraction: float,
    limit: int | None = None,
    fraction: float | None = None,
    held_out: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The indices of (train, valid): disjoint, together `limit` (default: all), `train_fraction` of them in train.

    Images in random order are cut as they lie: the first ones train (so .5 of CIFAR-10 is the published cut,
    25,000 and 25,000). Others are drawn class by class with a fixed permutation, in proportion, and every
    class has an image on both sides, whatever the fraction. Where the data have images of their own to hold out,
    `train_fraction` has no meaning, and a limit is shared out in proportion.

    `fraction`: that share of every class, within an image, also of images in random order; at most `limit` in all.
    So .125 with a train_fraction of .8 gives 10 % to train on and 2.5 % held out, as in the ImageNet search of PC-DARTS
    (Xu et al., 2020, section 4.3). `held_out`, in place of train_fraction: so many images, as many of every class (one
    more of the first classes where that leaves a rest). Raises UserError naming data.limit, data.fraction,
    data.train_fraction or data.held_out where that cannot be.
    """
    total, key = asked(len(images), limit, fraction)
    if limit is not None and not 2 <= limit <= len(images):
        raise UserError(f"data.limit: {limit} is not in 2 .. {len(images)}, the images of the training part")
    if images.held_out_from is not None:
        return _given(images, total, images.held_out_from, key)
    if held_out is not None:
        return _balanced(images, total, held_out, key)
    wanted = round(total * train_fraction)
    if not 0 < wanted < total:
        raise UserError(f"data.train_fraction: {train_fraction} of {total} images leaves one side empty")
    if images.shuffled and fraction is None:
        return torch.arange(wanted), torch.arange(wanted, total)
    return _stratified(images, total, wanted, key)


def _balanced(images: Listed, total: int, held: int, key: str) -> tuple[Tensor, Tensor]:
    """As many images of every class are held out, whatever the classes' sizes."""
    members, used = _used(images, total, key)
    highest = [count - 1 for count in used]
    if not len(used) <= held <= total - len(used):
        raise UserError(f"data.held_out={held}: with {len(used)} classes {len(used)} to {total - len(used)} of {total}")
    shares = apportion(held, [1] * len(used), low=[1] * len(used), high=highest)
    return _sides(members, used, [count - share for count, share in zip(used, shares, strict=True)])


def asked(count: int, limit: int | None, fraction: float | None) -> tuple[int, str]:
    """How many of `count` images are used, and the key that says so."""
    most = count if limit is None else limit
    share = count if fraction is None else round(fraction * count)
    return min(most, share), "data.limit" if most <= share else f"data.fraction={fraction}"


def for_training(images: Listed, limit: int | None = None, fraction: float | None = None) -> Tensor:
    """The indices of `limit` (default: all) images where none are held out, chosen as `cut` chooses."""
    count = images.held_out_from or len(images)
    total, key = asked(count, limit, fraction)
    if total >= count:
        return torch.arange(count)
    if images.held_out_from is None:
        return cut(images, total / count, fraction=None if fraction is None else 1.0)[0]
    return _drawn(shuffled_classes(images.labels[:count].cpu()), total, key)


def _given(images: Listed, total: int, first: int, key: str) -> tuple[Tensor, Tensor]:
    """Both sides are given; each is drawn class by class, at least one of every class."""
    labels = images.labels.cpu()
    sides = [shuffled_classes(labels[:first]), shuffled_classes(labels[first:])]
    sizes, fewest = [first, len(labels) - first], [len(side) for side in sides]
    if total < sum(fewest):
        raise UserError(f"{key}: {total} images are not two for each of the {max(fewest)} classes")
    counts = apportion(total, sizes, low=fewest, high=sizes)
    train, valid = (_drawn(side, count, key) for side, count in zip(sides, counts, strict=True))
    return train, first + valid


def _drawn(members: list[Tensor], count: int, key: str) -> Tensor:
    """A number of images in proportion to the classes, at least one of each, mixed."""
    sizes = [len(of_class) for of_class in members]
    if count < len(sizes):
        raise UserError(f"{key}: {count} images are not one for each of the {len(sizes)} classes")
    shares = apportion(count, sizes, low=[1] * len(sizes), high=sizes)
    return mixed(torch.cat([of_class[:share] for of_class, share in zip(members, shares, strict=True)]))


def _used(images: Listed, total: int, key: str) -> tuple[list[Tensor], list[int]]:
    """The images of each class, and how many of them are used; UserError where a class has too few for two sides."""
    members = shuffled_classes(images.labels.cpu())
    sizes = [len(of_class) for of_class in members]
    if min(sizes) < 2:
        name = images.classes[int(images.labels[min(members, key=len)])]
        raise UserError(f"data: class {shown(name)} has one image, which cannot be both trained on and held out")
    if total < 2 * len(sizes):
        raise UserError(f"{key}: {total} images are not two for each of the {len(sizes)} classes")
    return members, apportion(total, sizes, low=[2] * len(sizes), high=sizes)


def _stratified(images: Listed, total: int, wanted: int, key: str) -> tuple[Tensor, Tensor]:
    members, used = _used(images, total, key)
    highest = [count - 1 for count in used]
    trained = apportion(min(max(wanted, len(used)), sum(highest)), used, low=[1] * len(used), high=highest)
    return _sides(members, used, trained)


def _sides(members: list[Tensor], used: list[int], trained: list[int]) -> tuple[Tensor, Tensor]:
    """(train, valid): of each class the first ones train, up to those that are used."""
    train = [of_class[:end] for of_class, end in zip(members, trained, strict=True)]
    valid = [of_class[start:end] for of_class, start, end in zip(members, trained, used, strict=True)]
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

    Shares are rounded down to start with; what is left goes one by one to the class that is furthest from its due.
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
