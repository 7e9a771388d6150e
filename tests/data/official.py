"""Small folders of random images in the layouts in which the data sets are published."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tests.fresh import fresh

Made = tuple[Tensor, Tensor]  # pixels uint8 [n, channels, size, size], labels int64 [n]


class Runs:
    """Pickles as a call of os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self.command,)


def made(count: int, channels: int, size: int, classes: int) -> Made:
    """Random images with random labels."""
    pixels = fresh().integers(0, 256, (count, channels, size, size), dtype=np.uint8)
    return torch.from_numpy(pixels), torch.from_numpy(fresh().integers(0, classes, count))


def joined(parts: Iterable[Made]) -> Made:
    pixels, labels = zip(*parts, strict=True)
    return torch.cat(pixels), torch.cat(labels)


def flat(pixels: Tensor) -> np.ndarray:
    return pixels.flatten(1).numpy()


def write_binary(path: Path, images: Made, coarse: bool = False) -> None:
    """A file of CIFAR's binary layout, with (random) coarse labels or without."""
    pixels, labels = images
    columns = [fresh().integers(0, 20, (len(labels), 1))] if coarse else []
    rows = np.hstack([*columns, labels[:, None].numpy(), flat(pixels)]).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rows.tobytes())


def write_batch(path: Path, images: Made, label_key: str = "labels", first: int = 0, protocol: int = 2) -> None:
    """A pickled batch, its labels counted from `first`."""
    pixels, labels = images
    path.parent.mkdir(parents=True, exist_ok=True)
    batch = {"data": flat(pixels), label_key: (labels + first).tolist(), "batch_label": "some batch"}
    path.write_bytes(pickle.dumps(batch, protocol))


def write_idx(path: Path, array: Tensor, zipped: bool = False) -> Path:
    """An idx file of unsigned bytes; with .gz appended to its name if it is zipped."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    data = head + array.to(torch.uint8).numpy().tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.with_name(path.name + ".gz") if zipped else path
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


def write_cifar10(root: Path, binary: bool) -> dict[str, Made]:
    """CIFAR-10 with five files of ten images and a test file of ten."""
    parts = [made(10, 3, 32, 10) for _ in range(6)]
    for number, images in enumerate(parts, start=1):
        name = f"data_batch_{number}" if number < 6 else "test_batch"
        if binary:
            write_binary(root / "cifar-10-batches-bin" / f"{name}.bin", images)
        else:
            write_batch(root / "cifar-10-batches-py" / name, images)
    return {"train": joined(parts[:5]), "test": parts[5]}


def write_cifar100(root: Path, binary: bool) -> dict[str, Made]:
    """CIFAR-100 with twenty images in either part."""
    parts = {part: made(20, 3, 32, 100) for part in ("train", "test")}
    for part, images in parts.items():
        if binary:
            write_binary(root / "cifar-100-binary" / f"{part}.bin", images, coarse=True)
        else:
            write_batch(root / "cifar-100-python" / part, images, "fine_labels")
    return parts


def write_imagenet16(root: Path) -> dict[str, Made]:
    """Downsampled ImageNet with ten files of thirty images of classes 1 to 240, and a validation file."""
    parts = [made(30, 3, 16, 240) for _ in range(11)]
    for number, images in enumerate(parts, start=1):
        name = f"train_data_batch_{number}" if number < 11 else "val_data"
        write_batch(root / "ImageNet16" / name, images, first=1)
    return {"train": joined(parts[:10]), "test": parts[10]}


def write_fashion(folder: Path, zipped: bool) -> dict[str, Made]:
    """Fashion-MNIST with thirty training and ten test images."""
    parts = {"train": made(30, 1, 28, 10), "test": made(10, 1, 28, 10)}
    for prefix, (pixels, labels) in zip(("train", "t10k"), parts.values(), strict=True):
        write_idx(folder / f"{prefix}-images-idx3-ubyte", pixels[:, 0], zipped)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels, zipped)
    return parts


def write_folder(folder: Path, counts: dict[str, int], size: tuple[int, int] = (40, 40)) -> Path:
    """Class folders with `counts` random PNG images of `size` (width, height)."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = fresh().integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder
