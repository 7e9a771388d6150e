"""Images that are given in Python: as tensors, or as a torch Dataset. They are read once, into tensors of our own."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cleave.data.decode import opaque
from cleave.data.images import Images, resized
from cleave.errors import UserError, brief, shown

Told = Callable[[int, int], None]
"""(done, total)"""

Given = Callable[[int | None, Told], Images]
"""From pixels on a side (None: as they are) and who is told how far it is to the images."""


class Dataset(Protocol):
    """What torch.utils.data.Dataset with a length is: items are pairs (image, label)."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Any: ...  # noqa: ANN401


def of_tensors(images: object, labels: object, classes: Sequence[str] | None, size: int | None, told: Told) -> Images:
    """Images [n, channels, size, size], uint8 or floats in 0 to 1, with whole labels [n] from 0 on.

    Floats are rounded to 256 levels. `classes`: the names of the labels, else their numbers. UserError says what is
    wrong with them.
    """
    pixels = as_tensor(images, "images")
    if pixels.ndim != 4 or pixels.shape[2] != pixels.shape[3] or 0 in pixels.shape:
        raise UserError(f"data: images have to be [n, channels, size, size], not {list(pixels.shape)}")
    made = labelled(levels(pixels, "images"), as_tensor(labels, "labels"), classes)
    told(len(made), len(made))
    return made if size is None else made.resize(size)


def of_dataset(dataset: Dataset, size: int | None, told: Told) -> Images:
    """The items of a Dataset, each read once. An image is Pillow's, which becomes RGB, or a tensor.

    Tensors are [channels, size, size], uint8 or floats in 0 to 1. All come at `size`, else at the first one's.
    """
    pixels, labels = list[Tensor](), list[int]()
    for number in range(total := len(dataset)):
        item = dataset[number]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise UserError(f"data: item {number} of the dataset has to be (image, label), not {shown(item)}")
        image, label = item
        side = pixels[0].shape[-1] if pixels else size
        pixels.append(from_pillow(image, side) if isinstance(image, Image.Image) else from_tensor(image, number, side))
        if pixels[-1].shape != pixels[0].shape:
            shapes = f"{pixels[-1].shape[0]} channels, the first one has {pixels[0].shape[0]}"
            raise UserError(f"data: item {number} of the dataset has {shapes}")
        labels.append(whole(label, number))
        told(number + 1, total)
    if not pixels:
        raise UserError("data: the dataset is empty")
    named = getattr(dataset, "classes", None)
    return labelled(torch.stack(pixels), torch.tensor(labels), named if isinstance(named, list | tuple) else None)


def from_pillow(image: Image.Image, size: int | None) -> Tensor:
    """uint8 [3, size, size] as of an image folder: shorter side resized, centre kept, transparent pixels over white."""
    if image.mode.startswith(("I", "F")):
        raise UserError(f"data: an image has pixels of more than 8 bits (mode {image.mode}): convert it to 8 bits")
    side = size or min(image.size)
    square = ImageOps.fit(opaque(image), (side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)


def from_tensor(image: object, number: int, size: int | None) -> Tensor:
    """uint8 [channels, size, size]"""
    what = f"item {number} of the dataset"
    pixels = as_tensor(image, what)
    if pixels.ndim != 3 or pixels.shape[1] != pixels.shape[2] or 0 in pixels.shape:
        raise UserError(f"data: {what}: an image has to be [channels, size, size], not {list(pixels.shape)}")
    taken = levels(pixels, what)
    return taken if size in (None, taken.shape[-1]) else resized(taken[None], size or 0)[0]


def as_tensor(value: object, what: str) -> Tensor:
    """A tensor or array on the CPU, without its history."""
    if not isinstance(value, Tensor | np.ndarray):
        raise UserError(f"data: {what}: give a tensor or an array, not {type(value).__name__}")
    return torch.as_tensor(value).detach().cpu()


def levels(values: Tensor, what: str) -> Tensor:
    """uint8 of uint8, or of floats in 0 to 1."""
    if values.dtype == torch.uint8:
        return values
    if not values.is_floating_point():
        raise UserError(f"data: {what}: give uint8 or floats in 0 to 1, not {values.dtype}")
    if not bool(((values >= 0) & (values <= 1)).all()):  # what is not a number is neither
        least, most = float(values.min()), float(values.max())
        raise UserError(
            f"data: {what}: floats have to be in 0 to 1, not {least:g} to {most:g}; leave normalising to us"
        )
    return (values * 255).round().to(torch.uint8)


def whole(label: object, number: int) -> int:
    """A label as a whole number."""
    try:
        return operator.index(label.item() if isinstance(label, Tensor) else label)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"data: item {number} of the dataset: a label is a whole number from 0, not {shown(label)}"
        ) from error


def labelled(pixels: Tensor, labels: Tensor, classes: Sequence[str] | None) -> Images:
    """The images, their labels checked."""
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise UserError(f"data: labels have to be whole numbers, not {labels.dtype}")
    if labels.shape != pixels.shape[:1]:
        raise UserError(f"data: {len(pixels)} images need labels [{len(pixels)}], not {list(labels.shape)}")
    least, most = int(labels.min()), int(labels.max())
    if least < 0:
        raise UserError(f"data: labels count from 0, but one is {least}")
    if most < 1:
        raise UserError("data: all labels are 0; give images of two classes or more")
    if classes is None and most >= len(labels):
        raise UserError(f"data: a label is {most}, but there are {len(labels)} images; number the classes from 0 on")
    names = tuple(brief(str(each)) for each in (range(most + 1) if classes is None else classes))
    if most >= len(names):
        raise UserError(f"data: a label is {most}, but only {len(names)} classes are named")
    return Images(pixels, labels.long(), names, shuffled=False)
