"""Any folder of images with one subfolder per class (the layout of torchvision's ImageFolder)."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cleave.data.images import Images, Part
from cleave.data.split import shuffled_classes
from cleave.errors import UserError

DEFAULT_SIZE = 32
THREADS = 8  # decoding releases the interpreter lock, and opening files waits for the disk
TEST_SHARE = 10  # without a test folder, one image in this many is for the test
TEST_NAMES = ("test", "val", "valid", "validation")

# What Pillow raises on files that are truncated, damaged, absurdly large or no images (its decoders, its metadata).
_UNREADABLE = (
    OSError,
    SyntaxError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    Image.DecompressionBombError,
)


def read_folder(folder: Path, part: Part, size: int | None = None) -> Images:
    """The images of `part` in RGB at `size` x `size` pixels (default 32): shorter side resized, centre kept.

    With train/ in `folder`, and the class folders in it, that is the training part, and test/ (or val/, valid/,
    validation/) beside it the test part; nothing else in `folder` is looked at.
    Otherwise the class folders are in `folder` itself and a tenth of each class is the test part: at least
    one image, but none of a class with only two; it depends on the sorted file names alone.
    Raises UserError naming the folder that is empty, lacks classes, or has a class with too few images,
    and the first file that is not a whole image; hidden files are ignored, no other is skipped.
    """
    files, labels, classes = _listed(folder, part)
    if not files:
        raise UserError(f"{folder}: too few images for a test part: give it folders train/ and test/")
    decode = partial(_decode, size=size or DEFAULT_SIZE)
    with ThreadPoolExecutor(THREADS) as pool:
        pixels = torch.stack(list(pool.map(decode, files)))
    return Images(pixels, labels, classes, shuffled=False)


def _listed(folder: Path, part: Part) -> tuple[list[Path], Tensor, tuple[str, ...]]:
    """The files of `part`, their labels and the names of the classes; no file is opened."""
    if not _has_folders(folder / "train"):
        files, labels, classes = _one_set(folder, fewest=2)
        chosen = _chosen(labels, part)
        return [files[index] for index in chosen], labels[chosen], classes
    files, labels, classes = _one_set(folder / "train", fewest=2)
    if part == "test":
        test = next((folder / name for name in TEST_NAMES if (folder / name).is_dir()), None)
        if test is None:
            raise UserError(f"{folder}: has train/ but none of {', '.join(TEST_NAMES)}: put the test images there")
        files, labels, found = _one_set(test, fewest=1)
        if found != classes:
            raise UserError(f"{test}: its class folders differ from those of {folder / 'train'}")
    return files, labels, classes


def _has_folders(folder: Path) -> bool:
    """Whether it holds class folders; a class that happens to be called train holds images."""
    return folder.is_dir() and any(path.is_dir() for path in folder.iterdir())


def _one_set(folder: Path, fewest: int) -> tuple[list[Path], Tensor, tuple[str, ...]]:
    """Every file below the class folders of `folder`, sorted, with its label."""
    members = {path.name: _visible_files(path) for path in _class_folders(folder)}
    for name, files in members.items():
        if len(files) < fewest:
            raise UserError(f"{folder / name}: {len(files)} images, at least {fewest} are needed in a class")
    counts = torch.tensor([len(files) for files in members.values()])
    labels = torch.arange(len(members)).repeat_interleave(counts)
    return [file for files in members.values() for file in files], labels, tuple(members)


def _class_folders(folder: Path) -> list[Path]:
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(folders) < 2:
        raise UserError(
            f"{folder}: {len(folders)} class folders, where two or more are needed (or train/ and test/ with them)"
        )
    return folders


def _visible_files(folder: Path) -> list[Path]:
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    visible = [name for name in names if not any(step.startswith(".") for step in name.parts)]
    return [folder / name for name in sorted(visible, key=Path.as_posix)]


def _chosen(labels: Tensor, part: Part) -> Tensor:
    """The indices of `part` where the test part is a fixed tenth of each class."""
    test = torch.zeros(len(labels), dtype=torch.bool)
    for members in shuffled_classes(labels):
        if len(members) > 2:
            test[members[: max(1, len(members) // TEST_SHARE)]] = True
    return (test if part == "test" else ~test).nonzero().flatten()


def _decode(path: Path, size: int) -> Tensor:
    """One image file as uint8 [3, size, size], the way its camera was held."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # Pillow would clip these to 255, mostly to plain white
                raise UserError(f"{path}: pixels of more than 8 bits: convert it to an 8-bit image")
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except UserError:
        raise
    except _UNREADABLE as error:
        raise UserError(f"{path}: not an image, or truncated: mend or remove it") from error
    square = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)
