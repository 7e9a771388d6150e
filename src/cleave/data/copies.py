"""Images that are there twice, found by a hash of their pixels as they are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cleave.data.images import Images
from cleave.data.pixel_map import DIGEST, PixelMap, digest_of
from cleave.data.reading import printable

SHOWN = 3
"""Files that are named."""

ODD = 0x2545F4914F6CDD1D
"""By which labels are multiplied, modulo 2**64, so that they change all bits of a hash."""

Files = Callable[[], Sequence[str]]
"""The files of images in their order, none where they are not of files; only asked where one is to be named."""


@dataclass(frozen=True, eq=False)
class Marks:
    """What tells images [n] apart: int64 hashes of their pixels, and their labels; both on the CPU.

    A hash is 64 bits of a SHA-256: among a million images two different ones have the same by a chance of 3e-8.
    """

    hashes: Tensor
    labels: Tensor

    @staticmethod
    def of(*several: Images) -> Marks:
        """Of several sets of images, one after the other."""
        hashes = [hash_tensor(images) for images in several]
        return Marks(torch.cat(hashes), torch.cat([images.labels.cpu() for images in several]))

    @property
    def with_labels(self) -> Tensor:
        """int64 [n]: the same for the same pixels in the same class."""
        return self.hashes + self.labels * ODD

    def __add__(self, other: Marks) -> Marks:
        return Marks(torch.cat([self.hashes, other.hashes]), torch.cat([self.labels, other.labels]))


def hash_tensor(images: Images) -> Tensor:
    """int64 [n]. A map has the digests of its images already, so that none is read."""
    if isinstance(images.pixels, PixelMap):
        digests = images.pixels.digests.numpy()
    else:
        rows = (row for chunk in images.chunks() for row in chunk.cpu().flatten(1).numpy())
        digests = np.frombuffer(b"".join(digest_of(row.tobytes()) for row in rows), np.uint8).reshape(-1, DIGEST)
    return torch.from_numpy(digests[:, :8].copy().view(np.int64)[:, 0])


def copies_between(train: Images, held_out: Images, files: Files) -> dict[str, Any]:
    """{"held_out", "files", "classes", "class_files"}: images whose pixels are there more than once.

    "held_out": how many of the held-out images are also among those to train on; "files": the first ones, each with
    one that it is a copy of. "classes": how many of all images are also in another class; "class_files": the first
    one and one that it is a copy of. `files`: of both parts, those to train on first.
    """
    seen, judged = Marks.of(train), Marks.of(held_out)
    both = seen + judged
    copied = torch.isin(judged.hashes, seen.hashes).nonzero().flatten() + len(seen.hashes)
    torn = in_several_classes(both).nonzero().flatten()
    pairs = [(number, first(both.hashes == both.hashes[number])) for number in copied[:SHOWN].tolist()]
    apart = [(number, first(apart_from(both, number))) for number in torn[:1].tolist()]
    named = names(files, [number for pair in pairs + apart for number in pair])
    return {
        "held_out": len(copied),
        "files": [[named[number] for number in pair] for pair in pairs if named],
        "classes": len(torn),
        "class_files": [named[number] for pair in apart for number in pair if named],
    }


def first(chosen: Tensor) -> int:
    """The number of the first of the images [n] that are chosen."""
    return int(chosen.nonzero()[0])


def apart_from(marks: Marks, number: int) -> Tensor:
    """bool [n]: the images with the pixels of this one, in another class."""
    return (marks.hashes == marks.hashes[number]) & (marks.labels != marks.labels[number])


def in_several_classes(marks: Marks) -> Tensor:
    """bool [n]: whether the same pixels have another label too."""
    _, group = torch.unique(marks.hashes, return_inverse=True)
    least, most = (
        torch.zeros_like(group).scatter_reduce(0, group, marks.labels, end, include_self=False)
        for end in ("amin", "amax")
    )
    return (least != most)[group]


def names(files: Files, numbers: Sequence[int]) -> dict[int, str]:
    """The files of the images with these numbers, by number; nothing where images are not of files."""
    if not numbers or not (known := files()):
        return {}
    return {number: printable(known[number]) for number in numbers}


def copies_of(seen: Marks, images: Images, files: Files) -> dict[str, Any]:
    """{"images", "other_class", "files"}: how many images have the pixels of one that was seen, how many of these are
    in another class than it, and the files of the first ones."""
    asked = Marks.of(images)
    copied = torch.isin(asked.hashes, seen.hashes)
    alike = torch.isin(asked.with_labels, seen.with_labels)
    numbers = copied.nonzero().flatten().tolist()
    return {
        "images": len(numbers),
        "other_class": int((copied & ~alike).sum()),
        "files": list(names(files, numbers[:SHOWN]).values()),
    }
