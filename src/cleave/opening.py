"""The images that a recipe names, or that are given, with a report on what is used of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.data import sources
from cleave.data.augment import Augment, Augmentation, Chain
from cleave.data.colour import Colour
from cleave.data.crops import Crops
from cleave.data.given import Given
from cleave.data.held_in_test import held_in_test
from cleave.data.images import TENSORS, Images, Part
from cleave.data.reading import Reading
from cleave.data.report import image_report
from cleave.data.split import Listed, cut
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.settings import DataSettings, ImageSettings, ViewSettings

SMALLER = "data.image_size or data.limit, or leave a folder's images on the disk: data.storage=map"
"""What to do where images do not fit into memory."""


def check_padding(padding: int | None, size: int) -> None:
    if padding is not None and padding >= size:
        raise UserError(f"data.padding={padding}: must be below the size of the images, {size} pixels")


def reading_of(data: ImageSettings, callback: Callback) -> Reading:
    """Reads files as settings say, under a callback's eyes."""

    def progress(done: int, total: int) -> None:
        callback.see(Progress(done, total, "", f"reading images, {done} of {total}", kind=""))

    resample = data.resample if isinstance(data, ViewSettings) else "bilinear"
    return Reading(data.skip_damaged, progress, callback.say, data.storage, resample)


def augment_of(data: ImageSettings, side: int) -> Augment:
    """Shifts and mirror images as settings say, of images of which networks see `side` pixels."""
    return Augment(side // 8 if data.padding is None else data.padding, data.flip, side)


def search_augment(data: DataSettings, side: int) -> Augmentation:
    """What a search does to training images."""
    moved = augment_of(data, side) if data.crop is None else Crops(side, data.crop, data.flip, data.resample)
    if not (data.brightness or data.saturation):
        return moved
    return Chain((moved, Colour(data.brightness, data.saturation)))


def viewed(images: Images, data: ViewSettings) -> Images:
    """The images, of which networks see what settings say; UserError where that is more than there is."""
    size = images.pixels.shape[-1]
    if data.view is not None and data.view > size:
        raise UserError(f"data.view={data.view}: is more than the images have, {size} pixels; raise data.image_size")
    return replace(coloured(images) if data.channels == 3 else images, view=data.view)


def coloured(images: Images) -> Images:
    """Images of three channels, all the same where there was one; UserError where there are others."""
    channels = images.pixels.shape[1]
    if channels == 3:
        return images
    if channels != 1 or not isinstance(images.pixels, Tensor):
        raise UserError(f"data.channels=3: images of {channels} channels cannot be given three; leave it out")
    return replace(images, pixels=images.pixels.repeat(1, 3, 1, 1))


def find_part(data: ImageSettings, part: Part, reading: Reading, given: Given | None) -> Listed:
    """All images of a part, given or of the name in the settings."""
    if given is not None and data.name != TENSORS:
        raise UserError(f"data: the images of this run are {data.name}, so that no others can be given; leave data out")
    if given is not None:
        return given(data.image_size, reading.progress)
    return sources.find(data.name, part, Path(data.root) if data.root else None, data.image_size, reading=reading)


def open_images(
    data: ViewSettings,
    callback: Callback,
    given: Given | None,
    whole: bool = False,
    check: Callable[[Sequence[str]], object] = lambda classes: None,
    trained: ViewSettings | None = None,
) -> tuple[Images, Images, dict[str, Any]]:
    """Images to train on, images held out, and the report on both. `whole`: all are to train on.

    `check` is given the classes, before any image of a folder is read. `trained`: how a search cut these images whose
    supernet is gone on with; UserError where any that it trained on would be held out.
    """
    reading = reading_of(data, callback)
    source = find_part(data, "train", reading, given)
    check(source.classes)
    chosen = cut_of(source, data)
    if trained is not None and not whole:
        check_held_out(chosen[1], cut_of(source, trained)[0], trained)
    sides = (torch.cat(chosen), chosen[1][:0]) if whole else chosen
    train, valid = (viewed(part, data) for part in source.take_each(*sides))
    reading.check()
    files = partial(source.files_of, *sides)
    report = image_report(data.name, source, train, valid, sum(map(len, chosen)), reading, files=files)
    report["warnings"][:0] = unused_keys(data, source)
    report["in_test"] = held_in_test(source, source.files_of(sides[1]))
    return train, valid, report


def cut_of(source: Listed, data: ViewSettings) -> tuple[Tensor, Tensor]:
    """The indices of the images to train on and of those held out, as settings say."""
    limit = min(data.limit or len(source), len(source))
    return cut(source, data.train_fraction, limit, data.fraction, data.held_out)


def check_held_out(held: Tensor, seen: Tensor, trained: ViewSettings) -> None:
    """UserError where images are held out that a supernet was trained on: they would not tell how well it does."""
    both = int(torch.isin(held, seen).sum())
    if both:
        keys = ("train_fraction", "held_out", "limit", "fraction")
        told = ", ".join(f"data.{key}={value}" for key in keys if (value := getattr(trained, key)) is not None)
        raise UserError(
            f"data: {both} of {len(held)} images that are to be held out were trained on by the supernet; cut them as "
            f"its search did ({told}), or give data.use=all"
        )


def unused_keys(data: ImageSettings, source: Listed) -> list[str]:
    """A note for each key that was given without having a meaning for these images."""
    notes = []
    held_out = data.held_out if isinstance(data, ViewSettings) else None
    cuts = {"train_fraction": data.train_fraction != type(data)().train_fraction, "held_out": held_out}
    for key, given in cuts.items():
        if source.held_out_from is not None and given:
            notes.append(f"data.{key} has no meaning with a folder that is held out; it is not used")
    if held_out and source.held_out_from is None and cuts["train_fraction"]:
        notes.append("data.train_fraction has no meaning with data.held_out; it is not used")
    if isinstance(data, DataSettings) and data.crop is not None and data.padding is not None:
        notes.append("data.padding has no meaning with data.crop; it is not used")
    for key, given in {"skip_damaged": data.skip_damaged, "storage": data.storage == "map"}.items():
        if given and source.found is None:
            notes.append(f"data.{key} has no meaning with data.name={data.name}; it is not used")
    return notes
