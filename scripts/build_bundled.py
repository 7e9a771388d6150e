"""Builds the bundled images, src/cleave/data/bundled, from Debian's package dataset-fashion-mnist.

Usage: python scripts/build_bundled.py [FOLDER]      (default FOLDER: /usr/share/datasets/fashion-mnist)
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch
from PIL import Image

from cleave.data.bundled import TILES_PER_ROW, to_mosaic
from cleave.data.fashion import read_fashion
from cleave.data.images import Images, Part

SOURCE = Path("/usr/share/datasets/fashion-mnist")
TARGET = Path(__file__).resolve().parents[1] / "src" / "cleave" / "data" / "bundled"
PER_CLASS: dict[Part, int] = {"train": 1000, "test": 200}

PROVENANCE = """\
# Where these images come from

A class-balanced subset of Fashion-MNIST (Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST: a Novel
Image Dataset for Benchmarking Machine Learning Algorithms, arXiv:1708.07747,
https://github.com/zalandoresearch/fashion-mnist), from Debian's package `dataset-fashion-mnist`, version
0.0~git20200523.55506a9-1.

- `train.webp`: the first 1,000 images of each of the ten classes of the training file, in that file's order.
- `test.webp`: the first 200 images of each class of the test file, in that file's order.
- `train_labels.txt`, `test_labels.txt`: their labels, one digit per image.

A `.webp` is a lossless mosaic of 28x28 tiles, 100 to a row; the labels have one line per row of tiles.

## How to build them again

    apt install dataset-fashion-mnist
    python scripts/build_bundled.py

The script writes this file too. Another release of the WebP library may give other bytes for
the same pixels.

## SHA-256

{checksums}

The first four are Debian's files, the others those beside this one.

## Licence

MIT (in Debian's words: Expat). Copyright 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without
limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the
Software, and to permit persons to whom the Software is furnished to do so, subject to the following
conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions
of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED
TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL
THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
DEALINGS IN THE SOFTWARE.
"""


def build(source: Path, target: Path) -> None:
    """Writes the mosaics, the labels and PROVENANCE.md into `target` from the idx files in `source`."""
    target.mkdir(parents=True, exist_ok=True)
    for part, count in PER_CLASS.items():
        write_part(balanced(source, part, count), target, part)
    written = [file for part in PER_CLASS for file in (target / f"{part}.webp", target / f"{part}_labels.txt")]
    checksums = "\n".join(f"    {sha256(file)}  {file.name}" for file in [*sorted(source.glob("*.gz")), *written])
    (target / "PROVENANCE.md").write_text(PROVENANCE.format(checksums=checksums), encoding="utf-8")


def balanced(source: Path, part: Part, count: int) -> Images:
    """The first `count` images of each class of the published part, in its order."""
    images = read_fashion(source, part)
    if images is None:
        sys.exit(f"{source}: no Fashion-MNIST here: apt install dataset-fashion-mnist")
    first = [(images.labels == label).nonzero().flatten()[:count] for label in range(len(images.classes))]
    return images.take(torch.cat(first).sort().values)


def write_part(images: Images, target: Path, part: Part) -> None:
    """One part as a mosaic, and its labels as lines of digits."""
    mosaic = Image.fromarray(to_mosaic(images.pixels[:]).numpy()).convert("RGB")
    # Quality 100 takes twenty times as long and saves one byte in two thousand.
    mosaic.save(target / f"{part}.webp", lossless=True, method=6, quality=90, exact=True)
    lines = ["".join(map(str, row.tolist())) + "\n" for row in images.labels.view(-1, TILES_PER_ROW)]
    (target / f"{part}_labels.txt").write_text("".join(lines), encoding="ascii")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE, TARGET)
