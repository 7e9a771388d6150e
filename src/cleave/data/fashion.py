"""Fashion-MNIST in the files its authors publish (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747).

They are idx files (http://yann.lecun.com/exdb/mnist): two zero bytes, the type of the entries (8: unsigned
byte), the number of dimensions, each dimension as a big-endian 32-bit integer, then the entries.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from cleave.data.images import Images, Part, check_labels, locate
from cleave.errors import UserError

SIZE = 28
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PREFIX: dict[Part, str] = {"train": "train", "test": "t10k"}


def read_fashion(root: Path, part: Part) -> Images | None:
    """Fashion-MNIST from `root`/FashionMNIST/raw, `root`/fashion-mnist or `root`, 28x28 in one channel.

    The files may be gzipped or not; None if they are not there. Raises UserError naming a file that is
    missing from the part, truncated, or something else.
    """
    folders = [root / "FashionMNIST" / "raw", root / "fashion-mnist", root]
    names = [f"{PREFIX[part]}-images-idx3-ubyte", f"{PREFIX[part]}-labels-idx1-ubyte"]
    files = locate(folders, names, endings=("", ".gz"))
    if files is None:
        return None
    images, labels = files
    pixels, classes = read_idx(images, dimensions=3), read_idx(labels, dimensions=1).long()
    if len(pixels) != len(classes) or pixels.shape[1:] != (SIZE, SIZE):
        raise UserError(f"{images}: holds {list(pixels.shape)}, not one 28x28 image for each of {len(classes)} labels")
    check_labels(classes, len(CLASSES), labels)
    return Images(pixels[:, None], classes, CLASSES, shuffled=True)


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The array of unsigned bytes in an idx file (if .gz, gzipped): uint8 in `dimensions` dimensions.

    Raises UserError naming the file if it is truncated, longer than it says, or of another kind.
    """
    data = _content(path)
    start = 4 + 4 * dimensions
    if len(data) < start or data[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{path}: not an idx file of unsigned bytes in {dimensions} dimensions")
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    entries = torch.frombuffer(bytearray(data), dtype=torch.uint8)[start:]
    if torch.Size(shape).numel() != len(entries):
        raise UserError(f"{path}: truncated or too long: {len(entries)} entries for {list(shape)}: copy it again")
    return entries.view(shape)


def _content(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: truncated or damaged: delete it, then copy or download it again") from error
