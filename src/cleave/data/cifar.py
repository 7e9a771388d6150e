"""CIFAR-10 and CIFAR-100 in the layouts their authors publish (https://www.cs.toronto.edu/~kriz/cifar.html)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cleave.data.images import Images, Part, check_labels, locate
from cleave.data.pickles import read_batch, restricted_load
from cleave.errors import UserError
from cleave.files import read_text

SIZE = 32
BYTES = 3 * SIZE * SIZE  # of one image: red, green, blue, each row by row

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


@dataclass(frozen=True)
class ArchiveLayout:
    """One way the data set is published: the files of each part, and how one file is read."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    read: Callable[[Path], tuple[Tensor, Tensor]]  # file -> pixels uint8 [n, 3, 32, 32], labels int64 [n]

    def find(self, root: Path, part: Part) -> list[Path] | None:
        """The files of `part` in its folder under `root` or in `root` itself; none of the other part's."""
        return locate([root / self.folder, root], self.train if part == "train" else self.test)


def read_binary(path: Path, label_bytes: int) -> tuple[Tensor, Tensor]:
    """Rows of `label_bytes` labels, the last of which counts, and 3072 bytes of pixels."""
    row = label_bytes + BYTES
    size = path.stat().st_size
    if size == 0 or size % row:
        raise UserError(f"{path}: truncated: {size} bytes are no multiple of {row}: copy or download it again")
    rows = torch.from_numpy(np.fromfile(path, dtype=np.uint8)).view(-1, row)
    return rows[:, label_bytes:].reshape(-1, 3, SIZE, SIZE), rows[:, label_bytes - 1].long()


def read_python(path: Path, label_key: str) -> tuple[Tensor, Tensor]:
    """A pickled batch of {"data": uint8 [n, 3072], label_key: n labels}."""
    data, labels = read_batch(path, label_key, BYTES)
    return torch.from_numpy(data).view(-1, 3, SIZE, SIZE), torch.from_numpy(labels)


_TEN = tuple(f"data_batch_{number}" for number in range(1, 6))

CIFAR10 = (
    ArchiveLayout(
        "cifar-10-batches-bin",
        train=tuple(f"{name}.bin" for name in _TEN),
        test=("test_batch.bin",),
        read=lambda path: read_binary(path, label_bytes=1),
    ),
    ArchiveLayout(
        "cifar-10-batches-py",
        train=_TEN,
        test=("test_batch",),
        read=lambda path: read_python(path, "labels"),
    ),
)
CIFAR100 = (
    ArchiveLayout(
        "cifar-100-binary",
        train=("train.bin",),
        test=("test.bin",),
        read=lambda path: read_binary(path, label_bytes=2),  # the coarse label, then the fine one
    ),
    ArchiveLayout(
        "cifar-100-python",
        train=("train",),
        test=("test",),
        read=lambda path: read_python(path, "fine_labels"),
    ),
)


def read_cifar10(root: Path, part: Part) -> Images | None:
    """CIFAR-10 from `root`, 32x32 in colour; None if its files are not there.

    Raises UserError naming a file that is missing from the part, truncated, or something else.
    """
    return _read(CIFAR10, root, part, lambda folder: CIFAR10_CLASSES)


def read_cifar100(root: Path, part: Part) -> Images | None:
    """CIFAR-100 (fine labels) from `root`, 32x32 in colour; None if its files are not there.

    Raises UserError naming a file that is missing from the part, truncated, or something else.
    """
    return _read(CIFAR100, root, part, _cifar100_classes)


def _read(
    layouts: tuple[ArchiveLayout, ...], root: Path, part: Part, classes_in: Callable[[Path], tuple[str, ...]]
) -> Images | None:
    for layout in layouts:
        files = layout.find(root, part)
        if files is not None:
            return _images(files, layout, classes_in(files[0].parent))
    return None


def _images(files: list[Path], layout: ArchiveLayout, classes: tuple[str, ...]) -> Images:
    batches = [layout.read(file) for file in files]
    for file, (_, labels) in zip(files, batches, strict=True):
        check_labels(labels, len(classes), file)
    pixels, labels = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    return Images(pixels, labels, classes, shuffled=True)


def _cifar100_classes(folder: Path) -> tuple[str, ...]:
    """The names of the fine classes as either layout has them beside the images, else their numbers."""
    text, pickled = folder / "fine_label_names.txt", folder / "meta"
    if text.is_file():
        return _hundred(read_text(text, 2**16).split(), text)
    if pickled.is_file():
        with pickled.open("rb") as file:
            return _hundred(restricted_load(file, pickled, encoding="latin1"), pickled)
    return tuple(map(str, range(100)))


def _hundred(names: object, file: Path) -> tuple[str, ...]:
    if isinstance(names, dict):
        names = names.get("fine_label_names")
    if not isinstance(names, list) or len(names) != 100:
        raise UserError(f"{file}: does not hold the 100 names of the fine classes: copy or download it again")
    return tuple(map(str, names))
