"""Held-out files that are also files of the test part.

They are known by their bytes: no test image is decoded, no label of one is looked at, and nothing but a warning goes by
what is found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleave.data.folder import Folder, open_folder
from cleave.data.reading import Reading, printable
from cleave.data.split import Listed
from cleave.errors import UserError

LOOKED_AT = 1_000
"""Held-out files, spread over all of them: images that are all in the test part are found for certain."""
TAIL = 4_096
"""Bytes at the end of a file by which files of one size are told apart: compressed pixels, or a checksum of them."""
SHOWN = 3
"""Files that are named."""

Mark = tuple[int, bytes]
"""What tells files apart: their size, and their last bytes."""


def held_in_test(source: Listed, held: Sequence[str]) -> dict[str, Any] | None:
    """{"looked_at", "held_out", "files"}: held-out files, how many of them are also in the test part, and the first of
    them, each with the file there.

    `held`: the held-out files of a folder, relative to it. None where nothing is to be compared: of images that are not
    in a folder, without a test part, or where its files cannot be listed.
    """
    tests = test_files(source) if isinstance(source, Folder) and held else None
    if tests is None or not isinstance(source, Folder):
        return None
    looked = held[:: -(-len(held) // LOOKED_AT)]
    sizes = {size_of(source.root, file) for file in looked}
    alike = [file for file in tests if size_of(source.root, file) in sizes]
    known = {mark: file for file in reversed(alike) if (mark := mark_of(source.root, file)) is not None}
    found = [(file, known[mark]) for file in looked if (mark := mark_of(source.root, file)) in known]
    shown = [list(map(printable, pair)) for pair in found[:SHOWN]]
    return {"looked_at": len(looked), "held_out": len(found), "files": shown}


def test_files(source: Folder) -> list[str] | None:
    """The files of the test part, relative to the folder; None where there are none, or they cannot be listed."""
    try:
        return open_folder(Path(source.root), "test", source.size, Reading()).files
    except UserError:  # who asks for test images is told
        return None


def size_of(root: str, file: str) -> int | None:
    """In bytes; None where the system does not tell."""
    try:
        return os.stat(os.path.join(root, file)).st_size
    except OSError:
        return None


def mark_of(root: str, file: str) -> Mark | None:
    """None where the file cannot be read."""
    try:
        with open(os.path.join(root, file), "rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - TAIL))
            return size, opened.read(TAIL)
    except OSError:
        return None
