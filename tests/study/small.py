"""Studies so small that a test can afford them: random images of 8 x 8 pixels, 8 children of 2 channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cleave.config import Raw, checked, put
from cleave.data.augment import Normalise
from cleave.data.images import Images
from cleave.space import find_space
from cleave.study.record.log import COLUMNS, Log
from cleave.study.record.problem import Study, chosen_children
from cleave.study.record.seen import Look, to_log
from cleave.study.record.settings import StudyRecipe
from cleave.study.record.sharing import divide
from cleave.study.record.training import Training

SMALL: dict[str, Any] = {
    "space.ops": ["max_pool_3x3", "sep_conv_3x3"], "space.channels": 2, "space.cells": 2, "data.name": "bundled",
    "data.image_size": 8, "data.limit": 60, "training.epochs": 2, "training.batch_size": 16, "looks.dense": 3,
    "looks.images": 12, "instances": 1, "device": "cpu",
}  # fmt: skip
"""48 images to train on (3 mini-batches an epoch) and 12 to look at."""


def recipe_of(changes: Mapping[str, Any] | None = None) -> StudyRecipe:
    raw: Raw = {}
    for key, value in {**SMALL, **(changes or {})}.items():
        put(raw, key, value)
    return checked(StudyRecipe, raw)


def words(changes: Mapping[str, Any] | None = None) -> list[str]:
    """The same as words of a command."""
    return [word for key, value in {**SMALL, **(changes or {})}.items() for word in ("--set", f"{key}={value}")]


def some_images(count: int, classes: int = 4) -> Images:
    """Random ones, all classes among them."""
    labels = torch.cat([torch.arange(classes), torch.randint(classes, (count - classes,))])
    pixels = torch.randint(256, (count, 3, 8, 8), dtype=torch.uint8)
    return Images(pixels, labels, tuple(f"class{number}" for number in range(classes)), shuffled=True)


def small_study(changes: Mapping[str, Any] | None = None, train: int = 44, reported: int | None = None) -> Study:
    """A study of random images: 44 in mini-batches of 16, 16 and 12; children are ranked by 12 others."""
    recipe = recipe_of({"seed": int(torch.randint(10**6, ())), **(changes or {})})
    space = find_space(recipe.space)
    children = chosen_children(recipe, space)
    divided = tuple(map(tuple, divide(recipe.sharing, children)))
    images, judged = some_images(train), some_images(12)
    test = None if reported is None else some_images(reported)
    return Study(recipe, space, children, divided, images, judged, test, Normalise.of(images))


class InDoubles(Normalise):
    """Images as float64."""

    def __call__(self, pixels: Tensor) -> Tensor:
        return super().__call__(pixels).double()


def doubled(study: Study) -> Study:
    """The same study of float64 images, for `doubles`."""
    return replace(study, normalise=InDoubles(study.normalise.mean, study.normalise.std))


@contextmanager
def doubles() -> Iterator[None]:
    """Networks that are made meanwhile have float64 weights."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def trained(study: Study, instance: int = 0, group: int = 0) -> Training:
    """A supernet trained to its end."""
    training = Training(study, instance, group)
    while training.step < training.steps:
        training.advance()
    return training


def rows(looks: list[Look], study: Study, **equal: object) -> list[tuple[Any, ...]]:
    """The rows of these looks, those with such values, as tuples in the order of the log's columns."""
    log = to_log(looks, "made", study.meta(), 0, 0).where(**equal)
    return list(zip(*(log.rows[column].tolist() for column in COLUMNS), strict=True))


def same_rows(one: Log, other: Log) -> bool:
    return all(np.array_equal(one.rows[column], other.rows[column]) for column in COLUMNS)


def log_bytes(run: Path) -> bytes:
    return (run / "log.parquet").read_bytes()
