"""Any folder of images with one subfolder per class (the layout of torchvision's ImageFolder)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from cleave.data.images import Images, Part
from cleave.data.listing import Listing, below, list_classes, names
from cleave.data.map_builder import build_map, on_disk
from cleave.data.parts import FoundParts, NoTestPart, Parts, find_parts, innermost
from cleave.data.pixel_map import PixelMap
from cleave.data.reading import Reading, printable, read_files
from cleave.data.split import for_training, shuffled_classes
from cleave.errors import UserError

DEFAULT_SIZE = 32
TEST_SHARE = 10  # without a test folder, one image in this many is for the test


@dataclass(frozen=True, eq=False)
class Folder:
    """Images that are listed and not yet read: the training part with what is held out, or the test part.

    `files` are relative to `root`, `labels` int64 [n]; from `held_out_from` on they are those of a held-out folder.
    """

    root: str
    parts: Parts
    files: list[str]
    labels: Tensor
    classes: tuple[str, ...]
    loose: tuple[str, ...]
    size: int
    reading: Reading
    held_out_from: int | None = None
    shuffled: bool = False

    def __len__(self) -> int:
        return len(self.files)

    def take_each(self, *several: Tensor) -> list[Images]:
        """The images at each of several indices (int64 [k]), but for those that cannot be used.

        In memory, or where that would be short on the disk. They are read together; ask `reading.check()` at last, so
        that all that is damaged is told.
        """
        indices = torch.cat(several)
        paths = [os.path.join(self.root, self.files[index]) for index in indices.tolist()]
        pixels, usable = self._read(paths)
        counts = [int(part.sum()) for part in torch.split(usable, [len(each) for each in several])]
        labels = torch.split(self.labels[indices][usable], counts)
        if self.reading.skip_damaged:
            for wanted, left in zip(several, labels, strict=True):
                self._check_classes(wanted, left)
        parts = zip(pixels.split(counts), labels, strict=True)
        return [Images(*part, self.classes, shuffled=False) for part in parts]

    def files_of(self, *several: Tensor) -> list[str]:
        """The files of the images that `take_each` gave, one after the other."""
        listed = [self.files[index] for index in torch.cat(several).tolist()]
        return [file for file in listed if os.path.join(self.root, file) not in self.reading.unusable]

    def _read(self, paths: list[str]) -> tuple[Tensor | PixelMap, Tensor]:
        """The pixels of the files that can be used, and for each path whether it can."""
        if on_disk(len(paths), self.size, self.reading.storage):
            pixel_map, usable = build_map(self.root, paths, self.size, self.reading)
            return pixel_map, torch.from_numpy(usable)
        pixels, usable = read_files(paths, self.size, self.reading)
        return torch.from_numpy(pixels), torch.from_numpy(usable)

    def _check_classes(self, wanted: Tensor, left: Tensor) -> None:
        """UserError where no image of a class could be used; `left` are the labels of those that could."""
        lost = set(self.labels[wanted].tolist()) - set(left.tolist())
        if lost:
            raise UserError(
                f"{printable(self.root)}: no image of class {self.classes[min(lost)]!r} could be used on one side: "
                "replace its damaged files, or raise data.limit"
            )

    @property
    def found(self) -> FoundParts:
        """What was found in the folder."""
        parts = self.parts
        where = {"train": None if parts.whole else parts.train, "held_out": parts.held_out, "test": parts.test}
        return FoundParts(
            {part: f"{printable(name)}/" if name else None for part, name in where.items()},
            tuple(map(printable, self.loose)),
            tuple(map(printable, parts.unused)),
        )


def read_folder(folder: Path, part: Part, size: int | None = None, reading: Reading | None = None) -> Images:
    """The images of `part` in RGB at `size` x `size` pixels (default 32): shorter side resized, centre kept.

    Those of a held-out folder are not in the training part. Raises UserError as `open_folder` does, and naming the
    files that cannot be used.
    """
    found = open_folder(folder, part, size, reading or Reading())
    images = found.take_each(for_training(found))[0]
    found.reading.check()
    return images


def open_folder(folder: Path, part: Part, size: int | None, reading: Reading) -> Folder:
    """The images of `part`, listed; no file is opened.

    With train/ in `folder`, and the class folders in it, that is the training part; test/ beside it is the test part
    and val/ is held out. With val/ alone beside it that is the test part. `cleave.data.parts` has the spellings.
    Otherwise the class folders are in `folder` itself and a tenth of each class is the test part: at least one image,
    but none of a class with only two; it depends on the sorted file names alone.
    Raises UserError naming the folder that is empty, lacks classes, or has a class with too few images, and links
    that lead nowhere or round in a circle. Hidden files are ignored.
    """
    root = str(folder)
    parts = find_parts(root)
    found = Folder(root, parts, [], torch.empty(0, dtype=torch.int64), (), (), size or DEFAULT_SIZE, reading)
    if parts.whole:
        return drawn(found, part)
    listing = listed(found, parts.train, fewest=1 if parts.held_out else 2)
    if part == "train":
        return with_held_out(found, listing)
    if parts.test is None:
        raise NoTestPart(f"{folder}: has train/ but none of test, val, valid, validation: put the test images there")
    return of(found, same_classes(found, parts.test, listing))


def drawn(found: Folder, part: Part) -> Folder:
    """A fixed tenth of each class is the test part, the others the training part."""
    listing = listed(found, found.parts.train, fewest=2)
    chosen = tenth(listing.labels, part)
    if not len(chosen):
        kind = NoTestPart if part == "test" else UserError
        raise kind(f"{printable(found.root)}: too few images for a test part: give it folders train/ and test/")
    files = [listing.files[index] for index in chosen.tolist()]
    return of(found, replace(listing, files=files, labels=listing.labels[chosen]))


def tenth(labels: Tensor, part: Part) -> Tensor:
    """The indices of `part` where the test part is a fixed tenth of each class."""
    test = torch.zeros(len(labels), dtype=torch.bool)
    for members in shuffled_classes(labels):
        if len(members) > 2:
            test[members[: max(1, len(members) // TEST_SHARE)]] = True
    return (test if part == "test" else ~test).nonzero().flatten()


def with_held_out(found: Folder, train: Listing) -> Folder:
    """The training part, then the held-out folder's images if there is one."""
    if found.parts.held_out is None:
        return of(found, train)
    valid = same_classes(found, found.parts.held_out, train)
    both = Listing(
        train.files + valid.files, torch.cat([train.labels, valid.labels]), train.classes, train.loose + valid.loose
    )
    return replace(of(found, both), held_out_from=len(train.files))


def of(found: Folder, listing: Listing) -> Folder:
    classes = tuple(map(printable, listing.classes))
    return replace(found, files=listing.files, labels=listing.labels, classes=classes, loose=listing.loose)


def listed(found: Folder, part: str, fewest: int) -> Listing:
    """The class folders of a part, their files relative to the root."""
    inner = innermost(found.root, part)
    listing = list_classes(below(found.root, inner), fewest, found.reading)
    if not inner:
        return listing
    return replace(listing, files=[f"{inner}/{file}" for file in listing.files])


def same_classes(found: Folder, part: str, train: Listing) -> Listing:
    """Another part's listing; UserError where it has not the classes of the training part."""
    listing = listed(found, part, fewest=1)
    missing, more = (sorted({*one} - {*other}) for one, other in (
        (train.classes, listing.classes), (listing.classes, train.classes)
    ))  # fmt: skip
    if missing or more:
        words = [f"lacks {names(missing)}"] * bool(missing) + [f"has also {names(more)}"] * bool(more)
        raise UserError(
            f"{printable(below(found.root, part))}: its class folders differ from those of "
            f"{printable(below(found.root, found.parts.train))}: it {' and '.join(words)}"
        )
    return listing
