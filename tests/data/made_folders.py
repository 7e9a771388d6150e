"""Folders of images as people have them, made anew for every test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fresh import fresh

ANIMALS = ("cats", "dogs", "owls")
LEFTOVER = (255, 0, 255)
"""The colour under transparent pixels of `alpha`."""


def photo(kind: int, width: int = 24, height: int = 24) -> Image.Image:
    """Noise with a tint that tells its class."""
    pixels = fresh().integers(0, 80, (height, width, 3)).astype(np.uint8)
    pixels[..., kind % 3] += 120
    return Image.fromarray(pixels)


def plain(folder: Path, classes: Sequence[str] = ("a", "b"), count: int = 20) -> Path:
    for kind, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            photo(kind).save(folder / name / f"{number:03d}.png")
    return folder


def parts(folder: Path, names: Sequence[str], count: int = 12) -> Path:
    """The same classes in each of several folders."""
    for name in names:
        plain(folder / name, ANIMALS, count)
    return folder


def broken_links(folder: Path) -> Path:
    plain(folder)
    for number in range(10):
        os.symlink(f"nowhere/{number}.png", folder / "a" / f"link{number}.png")
    return folder


def linked_folder(folder: Path) -> Path:
    """Ten more images of class a, behind a link."""
    plain(folder)
    more = plain(folder.with_name("elsewhere"), ("more",), 10) / "more"
    os.symlink(more.absolute(), folder / "a" / "more")
    return folder


def alpha(folder: Path) -> Path:
    plain(folder)
    pixels = np.full((16, 16, 4), (*LEFTOVER, 0), np.uint8)
    pixels[4:12, 4:12] = (10, 200, 10, 255)
    Image.fromarray(pixels).save(folder / "a" / "0-alpha.png")
    return folder


def palette(folder: Path) -> Path:
    plain(folder)
    photo(0).convert("P").save(folder / "a" / "0-palette.png", transparency=bytes([0] * 10 + [255] * 246))
    return folder


def huge(folder: Path) -> Path:
    plain(folder)
    Image.new("1", (14_000, 14_000)).save(folder / "a" / "0-huge.png")
    return folder


def imbalance(folder: Path) -> Path:
    plain(folder, ("big",), 300)
    return plain(folder, ("tiny",), 3)


MAKERS = {
    "capital": lambda folder: parts(folder, ("Train", "Test")),
    "training": lambda folder: parts(folder, ("Training", "Testing")),
    "three": lambda folder: parts(folder, ("train", "val", "test")),
    "brokenlinks": broken_links,
    "linkeddir": linked_folder,
    "alpha": alpha,
    "palette": palette,
    "huge": huge,
    "imbalance": imbalance,
}
