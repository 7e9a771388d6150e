"""A tiny tree of class folders as ImageNet has it, an architecture, and recipes shrunk to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.data.made_folders import parts

ARCH = " ".join(["3x3_e3"] * 21)
SIZES: dict[str, Any] = {
    "space.width": 0.25,
    "space.stem": "cifar",
    "data.image_size": 36,
    "data.view": 32,
    "training.epochs": 4,
    "training.batch_size": 16,
    "training.learning_rate": 0.01,
    "device": "cpu",
}
"""Of a retraining: width .25, images of 36 pixels of which 32 are seen."""


def tree(folder: Path, count: int = 8) -> Path:
    """train/ and val/ with three classes."""
    return parts(folder, ("train", "val"), count)
