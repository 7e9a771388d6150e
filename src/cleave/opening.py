"""The images that a recipe names, or that are given, with a report on what is used of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cleave.data.augment import Augment
from cleave.data.given import Given
from cleave.data.images import TENSORS, Images, Part
from cleave.data.reading import Reading
from cleave.data.report import image_report
from cleave.data.split import Listed, cut
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.settings import DataSettings

SMALLER = "data.image_size or data.limit, or leave a folder's images on the disk: data.storage=map"
"""What to do where images do not fit into memory."""


def check_padding(padding: int | None, size: int) -> None:
    if padding is not None and padding >= size:
        raise UserError(f"data.padding={padding}: must be below the size of the images, {size} pixels")


def reading_of(data: DataSettings, callback: Callback) -> Reading:
    """Reads files as settings say, under a callback's eyes."""

    def progress(done: int, total: int) -> None:
        callback.see(Progress(done, total, "", f"reading images, {done} of {total}", kind=""))

    return Reading(data.skip_damaged, progress, callback.say, data.storage)


def augment_of(data: DataSettings, size: int) -> Augment:
    """Shifts and mirror images as settings say, of images of `size` pixels on a side."""
    return Augment(size // 8 if data.padding is None else data.padding, data.flip)


def find_part(data: DataSettings, part: Part, reading: Reading, given: Given | None) -> Listed:
    """All images of a part, given or of the name in the settings."""
    from cleave.data import sources  # not at the top: workers need no torchvision, which is slow to import

    if given is not None and data.name != TENSORS:
        raise UserError(f"data: the images of this run are {data.name}, so that no others can be given; leave data out")
    if given is not None:
        return given(data.image_size, reading.progress)
    return sources.find(data.name, part, Path(data.root) if data.root else None, data.image_size, reading=reading)


def open_images(
    data: DataSettings, callback: Callback, given: Given | None, whole: bool = False
) -> tuple[Images, Images, dict[str, Any]]:
    """Images to train on, images held out, and the report on both. `whole`: all are to train on."""
    reading = reading_of(data, callback)
    source = find_part(data, "train", reading, given)
    chosen = cut(source, data.train_fraction, min(data.limit or len(source), len(source)), data.fraction)
    train, valid = source.take_each(*((torch.cat(chosen), chosen[1][:0]) if whole else chosen))
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
