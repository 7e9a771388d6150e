"""The files below a folder as strings, in an order that their names fix. No file is opened."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cleave.data.reading import Reading, printable
from cleave.errors import UserError, cause

SYSTEM = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir")  # what systems put there unasked
SHOWN = 8  # names that a message shows, before the rest is counted

Kind = Literal["folder", "file"]


@dataclass(frozen=True)
class Listing:
    """The files of one set of class folders, relative to it, with their labels [n]; and files beside the folders."""

    files: list[str]
    labels: Tensor
    classes: tuple[str, ...]
    loose: tuple[str, ...]


def list_classes(folder: str, fewest: int, reading: Reading) -> Listing:
    """Every file below the class folders of `folder`; UserError where there are too few of either.

    Hidden files and those of the system are ignored. Links to folders are followed. What is neither file nor folder,
    such as a link to what is not there, is told to `reading`.
    """
    found = dict(sorted(contents(folder, reading)))
    classes = [name for name, kind in found.items() if kind == "folder"]
    loose = tuple(name for name, kind in found.items() if kind == "file")
    if len(classes) < 2:
        raise too_few(folder, classes, loose)
    members = {name: files_below(folder, name, reading) for name in classes}
    reading.check()  # before it is said that a class has too few
    for name, files in members.items():
        if len(files) < fewest:
            where = printable(below(folder, name))
            raise UserError(f"{where}: {len(files)} images, at least {fewest} are needed in a class")
    counts = torch.tensor([len(files) for files in members.values()])
    labels = torch.arange(len(members)).repeat_interleave(counts)
    return Listing([file for files in members.values() for file in files], labels, tuple(members), loose)


def too_few(folder: str, classes: list[str], loose: tuple[str, ...]) -> UserError:
    found = [*(f"{name}/" for name in classes), *([f"{len(loose)} files"] if loose else [])]
    return UserError(
        f"{printable(folder)}: {len(classes)} class folders, where two or more are needed (or train/ and test/ with "
        f"them); it holds {names(found)}"
    )


def files_below(root: str, start: str, reading: Reading) -> list[str]:
    """The files below `root`/`start`, relative to `root` and sorted; UserError where links lead round in a circle."""
    found: list[str] = []
    folders: list[tuple[str, tuple[tuple[int, int], ...]]] = [(start, (identity(root),))]
    while folders:
        name, above = folders.pop()
        here = identity(below(root, name))
        if here in above:
            raise circle(below(root, name))
        for each, kind in contents(below(root, name), reading):
            if kind == "folder":
                folders.append((f"{name}/{each}", (*above, here)))
            else:
                found.append(f"{name}/{each}")
    return sorted(found)


def contents(folder: str, reading: Reading) -> Iterator[tuple[str, Kind]]:
    """(name, kind) of what is in a folder, links followed; UserError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
                    reading.hidden.add(entry.path)
                elif (kind := kind_of(entry, reading)) is not None:
                    yield entry.name, kind
    except OSError as error:
        raise UserError(f"{printable(folder)}: the folder cannot be read ({cause(error)}); allow reading it") from error


def kind_of(entry: os.DirEntry[str], reading: Reading) -> Kind | None:
    """None where it is neither, which is told to `reading`."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        why = "is neither a file nor a folder: move it elsewhere"
        if entry.is_symlink():
            target = printable(os.readlink(entry.path))
            why = f"is a link to {target}, which is not there: put that back or remove the link"
        reading.unusable[entry.path] = why
    except OSError as error:
        circle = error.errno == errno.ELOOP
        why = "is one of links that lead round in a circle: remove it" if circle else f"cannot be read ({cause(error)})"
        reading.unusable[entry.path] = why
    return None


def identity(folder: str) -> tuple[int, int]:
    """What is the same for two paths to one folder."""
    try:
        status = os.stat(folder)
    except OSError as error:
        raise UserError(f"{printable(folder)}: the folder cannot be read ({cause(error)}); allow reading it") from error
    return status.st_dev, status.st_ino


def circle(path: str) -> UserError:
    return UserError(f"{printable(path)}: links lead round in a circle; remove one of them")


def below(folder: str, name: str) -> str:
    """The path of what has that name in the folder; of the folder itself where it is empty."""
    return os.path.join(folder, name) if name else folder


def names(found: Sequence[str], most: int = SHOWN) -> str:
    """The first names, and how many there are beside them."""
    shown, rest = ", ".join(map(printable, found[:most])) or "nothing", len(found) - most
    return f"{shown} and {rest} more" if rest > 0 else shown
