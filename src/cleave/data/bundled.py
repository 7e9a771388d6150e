"""The images that come with the package: 10,000 + 2,000 of Fashion-MNIST (see bundled/PROVENANCE.md).

A part is a lossless mosaic of 28x28 tiles, 100 to a row, and a text file with one digit per tile, the label,
and one line per row of tiles.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cleave.data.fashion import CLASSES, SIZE
from cleave.data.images import Images, Part

TILES_PER_ROW = 100


@cache  # several searches of one process see the same images
def read_bundled(part: Part) -> Images:
    """The bundled part, 28x28 in one channel, with equally many images of each of the ten classes."""
    folder = files("cleave.data") / "bundled"
    with (folder / f"{part}.webp").open("rb") as file, Image.open(file) as image:
        mosaic = torch.from_numpy(np.array(image.convert("L")))
    digits = (folder / f"{part}_labels.txt").read_text(encoding="ascii").split()
    labels = torch.tensor([int(digit) for digit in "".join(digits)])
    # Not in random order: the classes were filled up one after another, so the last ones are of few of them.
    return Images(from_mosaic(mosaic), labels, CLASSES, shuffled=False)


def from_mosaic(mosaic: Tensor) -> Tensor:
    """The tiles of a mosaic, uint8 [rows * 28, 2800] -> [rows * 100, 1, 28, 28], row by row."""
    tiles = mosaic.view(-1, SIZE, TILES_PER_ROW, SIZE).transpose(1, 2)
    return tiles.reshape(-1, 1, SIZE, SIZE)


def to_mosaic(pixels: Tensor) -> Tensor:
    """The mosaic of tiles, uint8 [rows * 100, 1, 28, 28] -> [rows * 28, 2800], row by row."""
    tiles = pixels.view(-1, TILES_PER_ROW, SIZE, SIZE).transpose(1, 2)
    return tiles.reshape(-1, TILES_PER_ROW * SIZE)
