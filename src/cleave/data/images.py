"""A set of labelled images as two tensors, and what the readers of published files have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cleave.data.decode import Resample
from cleave.data.pixel_map import PixelMap
from cleave.data.remembered import remembered
from cleave.errors import UserError

Part = Literal["train", "test"]

TENSORS = "tensors"
"""What a recipe calls images that were given in Python."""

CHUNK = 12 * 2**20
"""Bytes of pixels that are looked at together: bounds the memory that their copies take."""


@dataclass(frozen=True, eq=False)  # tensors do not compare to one truth value
class Images:
    """Labelled square images of one size: pixels uint8 [n, channels, size, size], labels int64 [n].

    Pixels are in memory, or on the disk and read when they are asked for (`PixelMap`); `at`, `take` and `chunks` serve
    both. `classes` are the names of labels 0, 1, ...; `shuffled` says that the images are stored in random order,
    so that a prefix is a fair sample. `view`: pixels on a side of the middle that networks see, where that is not all.
    """

    pixels: Tensor | PixelMap
    labels: Tensor
    classes: tuple[str, ...]
    shuffled: bool
    view: int | None = None

    def __post_init__(self) -> None:
        assert self.pixels.dtype == torch.uint8
        assert self.pixels.ndim == 4
        assert self.pixels.shape[2] == self.pixels.shape[3]
        assert self.labels.dtype == torch.int64
        assert self.labels.shape == self.pixels.shape[:1]
        assert self.labels.device == self.pixels.device
        assert bool(((self.labels >= 0) & (self.labels < len(self.classes))).all())

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def side(self) -> int:
        """Pixels on a side of what networks see."""
        return self.view or int(self.pixels.shape[-1])

    def at(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels and labels of the images at `indices` (int64 [k] on the CPU), on the device of the images."""
        there = indices.to(self.labels.device, non_blocking=True)
        return self.pixels[indices if isinstance(self.pixels, PixelMap) else there], self.labels[there]

    def chunks(self) -> Iterator[Tensor]:
        """All pixels in order, some at a time."""
        _, channels, height, width = self.pixels.shape
        each = max(1, CHUNK // (channels * height * width))
        return (self.pixels[start : start + each] for start in range(0, len(self), each))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that is held in memory."""
        pixels = self.pixels.tensors if isinstance(self.pixels, PixelMap) else (self.pixels,)
        return *pixels, self.labels

    def take(self, indices: Tensor) -> Images:
        """The images at `indices` (int64 [k]), in that order, in memory."""
        return replace(self, pixels=self.pixels[indices], labels=self.labels[indices])

    def take_each(self, *several: Tensor) -> list[Images]:
        """The images at each of several indices (int64 [k])."""
        return [self.take(indices) for indices in several]

    def files_of(self, *several: Tensor) -> Sequence[str]:
        """None."""
        return ()

    @property
    def held_out_from(self) -> None:
        """Nothing says which of them are to be held out."""

    @property
    def found(self) -> None:
        """They were not found in a folder of image files."""

    def resize(self, size: int, resample: Resample = "bilinear") -> Images:
        """The images at `size` x `size` pixels, with antialiasing; no change if they have them."""
        if self.pixels.shape[-1] == size:
            return self
        return replace(self, pixels=torch.cat([resized(chunk, size, resample) for chunk in self.chunks()]))

    def to(self, device: torch.device | str) -> Images:
        """The same images with pixels and labels on `device`; pixels that lie on the disk come there batch by batch."""
        labels = self.labels.to(device)
        return replace(self, pixels=self.pixels.to(labels.device), labels=labels)


def fingerprint(parts: Sequence[Images]) -> str:
    """SHA-256 of pixels and labels, in order, wherever they are kept."""

    def look() -> str:
        digest = hashlib.sha256()
        for images in parts:
            for tensor in (*images.chunks(), images.labels):
                digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    return str(remembered("fingerprint", parts, look))


def central(pixels: Tensor, side: int) -> Tensor:
    """The middle of images [n, channels, size, size]: [n, channels, side, side]."""
    edge = (pixels.shape[-1] - side) // 2
    return pixels[..., edge : edge + side, edge : edge + side]


def resized(pixels: Tensor, size: int, resample: Resample = "bilinear") -> Tensor:
    """uint8 [n, channels, h, w] -> uint8 [n, channels, size, size]; in floats, which all devices have."""
    sized = interpolate(pixels.float(), (size, size), mode=resample, align_corners=False, antialias=True)
    return sized.round().clamp(0, 255).to(torch.uint8)


def locate(folders: Iterable[Path], names: Sequence[str], endings: Sequence[str] = ("",)) -> list[Path] | None:
    """The files `names` in the first of `folders` that has any of them, or None if no folder has one.

    Each may have any of `endings`; the first one counts. Raises UserError naming the first missing file if
    that folder has some but not all.
    """
    for folder in folders:
        spelled = {folder / name: [folder / f"{name}{ending}" for ending in endings] for name in names}
        files = [next(filter(Path.is_file, each), plain) for plain, each in spelled.items()]
        missing = [file for file in files if not file.is_file()]
        if not missing:
            return files
        if len(missing) < len(files):
            raise UserError(f"{missing[0]}: missing, though the other files are there: copy or download it")
    return None


def check_labels(labels: Tensor, classes: int, file: Path) -> None:
    """Raises UserError naming `file` unless every label is one of 0 .. classes - 1."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise UserError(f"{file}: label {int(wrong[0])} is none of 0 to {classes - 1}: damaged or another data set")
