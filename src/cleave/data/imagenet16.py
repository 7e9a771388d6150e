"""ImageNet16-120: the first 120 classes of ImageNet at 16x16 pixels, as NAS-Bench-201 uses them.

The files are those of downsampled ImageNet (Chrabaszcz, Loshchilov, Hutter 2017, arXiv:1707.08819):
pickles of {"data": uint8 [n, 768], "labels": n labels from 1 on}, train_data_batch_1 to _10 and val_data.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from cleave.data.images import Images, Part, check_labels, locate
from cleave.data.pickles import read_batch

SIZE = 16
KEPT = 120
CLASSES = tuple(str(label) for label in range(1, KEPT + 1))  # as published: they have numbers, not names
FILES: dict[Part, tuple[str, ...]] = {
    "train": tuple(f"train_data_batch_{number}" for number in range(1, 11)),
    "test": ("val_data",),
}


def read_imagenet16(root: Path, part: Part) -> Images | None:
    """ImageNet16-120 from `root`/ImageNet16 or `root`, 16x16 in colour; None if its files are not there.

    Part "test" is the whole published validation file. Raises UserError naming a file that is missing from
    the part, truncated, or something else.
    """
    files = locate([root / "ImageNet16", root], FILES[part])
    if files is None:
        return None
    pixels, labels = (torch.cat(tensors) for tensors in zip(*map(_kept, files), strict=True))
    return Images(pixels, labels, CLASSES, shuffled=False)  # no order is promised


def _kept(path: Path) -> tuple[Tensor, Tensor]:
    """The images of one file that are of the kept classes, and their labels counted from 0."""
    data, published = read_batch(path, "labels", 3 * SIZE * SIZE)
    labels = torch.from_numpy(published) - 1
    check_labels(labels, 1000, path)
    kept = labels < KEPT
    return torch.from_numpy(data).view(-1, 3, SIZE, SIZE)[kept], labels[kept]
