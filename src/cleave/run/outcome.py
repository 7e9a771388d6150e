"""What a finished run leaves for people: its last checkpoint vouches for every byte of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cleave.run.mirror import resume_command
from cleave.run.reading import Damaged, read_file


def check_written(path: Path, hashes: Mapping[str, str] | None, names: Sequence[str]) -> None:
    """UserError where files of a finished run are not those with these SHA-256 (None: it has not finished)."""
    for name in altered(path, hashes or {}, names):
        raise Damaged(f"{path / name}: is not as it was written; make it again with: {resume_command(path)}")


def hashes_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of files, by name, as checkpoints keep them."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def altered(path: Path, hashes: Mapping[str, str], names: Sequence[str]) -> Iterator[str]:
    """Those of the named files in a folder that have not the SHA-256 that they were written with."""
    for name in names:
        try:
            data = read_file(path / name)
        except Damaged:
            yield name
        else:
            if hashes_of({name: data})[name] != hashes.get(name):
                yield name
