"""`cleave evaluate`: a trained network on the test part of its images, which only this and `cleave verdict` open."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.data.copies import Files
from cleave.data.given import Given
from cleave.data.images import Images
from cleave.engine.progress import Callback
from cleave.errors import UserError, brief, shown
from cleave.extensions import check_unchanged
from cleave.memory import memory_for
from cleave.opening import SMALLER, find_part, reading_of, viewed
from cleave.resolve import resolve_device, resolve_images
from cleave.retrain.answers import answers
from cleave.retrain.ranks import device_of
from cleave.retrain.recipes import recipe_of
from cleave.retrain.seen import copies_in
from cleave.retrain.settings import RetrainData
from cleave.run.origin import TRAIN, Origin, read_origin
from cleave.stats.accuracy import Accuracy, majority_share
from cleave.stats.intervals import wilson


def evaluate(
    model: Path,
    callback: Callback,
    data: str | None = None,
    data_root: str | None = None,
    device: str | None = None,
    given: Given | None = None,
) -> dict[str, Any]:
    """How well a finished training does on test images: {"model", "data", "images", "hits", "accuracy", "interval",
    "balanced_accuracy", "majority_share", "classes", "copies"}, shares in percent.

    `data`: other images of the same classes; None: those that it was trained on, their test part. `interval`: 95 %
    (Wilson). "copies": test images that it has seen, as of `copies_in`. UserError where classes or size are others.
    """
    origin = read_origin(model, TRAIN)
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    recipe = recipe_of(origin)
    settings = data_settings(recipe.data, data, data_root)
    with memory_for("the images", SMALLER):
        images, files = test_images(settings, callback, given)
    check_images(images, origin, model, settings.name)
    predicted = answers(model, images, device_of(resolve_device(device or recipe.device)), callback)
    return {**judged(str(model), settings.name, images, predicted), "copies": copies_in(images, files, [model])}


def data_settings(settings: RetrainData, data: str | None, root: str | None) -> RetrainData:
    """Where the test images are; another name is one of other images, of which all are used."""
    name, found = resolve_images(data or settings.name, root or settings.root)
    return settings.model_copy(update={"name": name, "root": found})


def test_images(settings: RetrainData, callback: Callback, given: Given | None) -> tuple[Images, Files]:
    """All of the test part, and their files."""
    reading = reading_of(settings, callback)
    source = find_part(settings, "test", reading, given)
    everything = torch.arange(len(source))
    images = viewed(source.take_each(everything)[0], settings)
    reading.check()
    return images, partial(source.files_of, everything)


def check_images(images: Images, origin: Origin, model: Path, name: str) -> None:
    """UserError where a network cannot be judged by these."""
    known = origin.environment["classes"]
    if list(images.classes) != known:
        odd = [each for each in images.classes if each not in known] or [*images.classes]
        raise UserError(
            f"{name}: has {len(images.classes)} classes, among them {brief(odd[0])}, and {model} was trained on "
            f"{len(known)} others, {brief(known[0])} and so on; give images of the same classes with --data"
        )
    channels, side = images.pixels.shape[1], images.side
    if (channels, side) != (len(origin.environment["mean"]), origin.environment["size"]):
        raise UserError(
            f"{name}: images of {channels} channels and {side} pixels on a side, and {shown(str(model))} was trained "
            f"on {len(origin.environment['mean'])} and {origin.environment['size']}"
        )


def judged(model: str, name: str, images: Images, predicted: Tensor) -> dict[str, Any]:
    """What `evaluate` tells of answers [n]."""
    right = images.labels[predicted == images.labels]
    hits, counts = (labels.bincount(minlength=len(images.classes)).tolist() for labels in (right, images.labels))
    accuracy, total = Accuracy.of(hits, counts), len(images)
    each = zip(images.classes, counts, hits, strict=True)
    return {
        "model": model,
        "data": name,
        "images": total,
        "hits": sum(hits),
        "accuracy": accuracy.overall,
        "interval": [100 * end for end in wilson(sum(hits), total)],
        "balanced_accuracy": accuracy.balanced,
        "majority_share": majority_share(counts),
        "classes": [{"name": label, "images": count, "hits": right} for label, count, right in each],
    }
