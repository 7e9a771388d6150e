"""Held-out files that are also files of the test part, as far as can be known without opening one of these.

A search opens no file of the test part. But a copied or linked folder is known by the names and sizes of its files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from math import comb, exp, log
from typing import Any

from cleave.data.folder import Folder
from cleave.data.listing import below
from cleave.data.parts import innermost
from cleave.data.reading import printable
from cleave.data.split import Listed
from cleave.errors import UserError

LOOKED_AT = 1_000
"""Held-out files, spread over all of them."""
CHANCE = 1e-6
"""By which so many different files may have the same sizes, at most, for them to be taken for the same."""
SHOWN = 3
"""Files that are named."""


def held_in_test(source: Listed, held: Sequence[str]) -> dict[str, Any] | None:
    """{"looked_at", "held_out", "files"}: held-out files, how many of them are also in the test part, and the first of
    them, each with the file there.

    `held`: those of a folder, relative to it. None where nothing can be compared: of images that are not in a folder,
    or without a folder for the test part.
    """
    if not isinstance(source, Folder) or source.parts.test is None or not held:
        return None
    looked = held[:: -(-len(held) // LOOKED_AT)]
    pairs = list(zip(looked, counterparts(source, looked), strict=True))
    found = [(file, other) for file, other in pairs if same_file(source.root, file, other)]
    if not found:
        alike = [pair for pair in pairs if size_of(source.root, pair[0]) == size_of(source.root, pair[1]) is not None]
        found = alike if chance(source.root, looked, len(alike)) <= CHANCE else []
    shown = [list(map(printable, pair)) for pair in found[:SHOWN]]
    return {"looked_at": len(looked), "held_out": len(found), "files": shown}


def counterparts(source: Folder, held: Sequence[str]) -> list[str]:
    """What files of these classes and names would be called in the test part, relative to the folder."""
    parts = source.parts
    try:
        own, test = (innermost(source.root, part) for part in (parts.held_out or parts.train, parts.test or ""))
    except UserError:  # who asks for test images is told
        own, test = "", parts.test or ""
    return [below(test, file.removeprefix(f"{own}/")) for file in held]


def same_file(root: str, one: str, other: str) -> bool:
    """Whether both are one file of the system, through links."""
    try:
        return os.path.samefile(os.path.join(root, one), os.path.join(root, other))
    except OSError:
        return False


def size_of(root: str, file: str) -> int | None:
    """In bytes; None where the system does not tell."""
    try:
        return os.stat(os.path.join(root, file)).st_size
    except OSError:
        return None


def chance(root: str, files: Sequence[str], alike: int) -> float:
    """A bound of the probability that `alike` or more of so many other files have the same sizes as these.

    Two files have one size by the chance with which two of these have; so many of them at once by its power, times the
    ways to choose them (Boole's inequality).
    """
    counts = Counter(size_of(root, file) for file in files)
    equal = sum((count / len(files)) ** 2 for count in counts.values())
    return exp(min(0.0, log(comb(len(files), alike)) + alike * log(equal)))
