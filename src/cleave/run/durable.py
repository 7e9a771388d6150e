"""Files and folders that are wholly there or not there at all, whatever kills the process or the power.

The order is what matters: the bytes are on the disk before the name is, and the name is on the disk before
anyone is told. POSIX only, since no other system lets a folder be synced.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cleave.errors import UserError

MANIFEST = "manifest.json"  # of a written folder: the size and SHA-256 of each other file


class Damaged(ValueError):
    """What is on the disk is not what was written; the message names the file and what is wrong with it."""


def write_json(path: Path, value: object) -> None:
    """Replace the file by `value` as JSON; raises as `write_bytes` does, and as `json_bytes` before that."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: object) -> bytes:
    """JSON with its keys in the order given, two spaces of indent and a last newline.

    Raises ValueError where a number is not finite.
    """
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file in one step: it holds the old bytes or the new ones, never a part of either.

    Raises UserError where the disk does not take them; the old bytes are then still there.
    """
    temporary = _hidden(path, "tmp")
    with saving(path):
        try:
            _write_synced(temporary, data)
            rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> str:
    """Replace the folder by one of these files and a manifest of them, whole or not at all.

    Returns its identity, the SHA-256 of the manifest. Raises UserError where the disk does not take it; the
    old folder is then still there.
    """
    manifest = json_bytes({name: _entry(data) for name, data in contents.items()})
    temporary = _hidden(folder, "tmp")
    with saving(folder):
        try:
            _write_files(temporary, {**contents, MANIFEST: manifest})
            _replace(temporary, folder)
        finally:
            _remove(temporary)
    return hashlib.sha256(manifest).hexdigest()


def read_folder(folder: Path, identity: str | None = None) -> dict[str, bytes]:
    """The files of a written folder by name, verified: as the manifest lists them, none too few or too many.

    Raises Damaged, also where the manifest is not the one with that identity.
    """
    folder = _standing(folder)
    listed = _manifest(folder / MANIFEST, identity)
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    if odd := sorted(present.symmetric_difference(listed)):
        raise Damaged(f"{folder / odd[0]}: {'not in' if odd[0] in present else 'missing, though in'} {MANIFEST}")
    contents = {name: _read(folder / name) for name in listed}
    for name, data in contents.items():
        if listed[name] != _entry(data):
            raise Damaged(f"{folder / name}: its {len(data)} bytes are not those that {MANIFEST} lists")
    return contents


def remove_folder(folder: Path) -> None:
    """Remove a folder; it loses its name first, so that a kill leaves no part of it that looks whole."""
    doomed = _hidden(folder, "tmp")
    rename(folder, doomed)
    _remove(doomed)


def clear_unfinished(parent: Path) -> None:
    """Remove the folders that a kill in `write_folder` or `remove_folder` left in `parent`."""
    for unfinished in parent.glob(".*.tmp"):
        _remove(unfinished)


def rename(path: Path, new: Path) -> None:
    """Rename within a folder, over a file but not over a folder, and wait until that is on the disk."""
    path.replace(new)
    fsync_folder(new.parent)


def fsync_folder(folder: Path) -> None:
    """Wait until the names in a folder (what was created, renamed or removed in it) are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn the OSError of a full, failing or forbidden disk into a UserError of one line about `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: cannot be saved: {error.strerror or error}; what was saved before is intact: "
            "mend this (free some space, or allow writing), then `cleave resume` the run or try again"
        ) from error


def _manifest(path: Path, identity: str | None) -> dict[str, object]:
    data = _read(path)
    if identity not in (None, hashlib.sha256(data).hexdigest()):
        raise Damaged(f"{path}: belongs to another record than the one asked for")
    try:
        listed = json.loads(data)
        written = json_bytes(listed)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: not JSON") from error
    if not isinstance(listed, dict):
        raise Damaged(f"{path}: not a list of files")
    if written != data:  # nothing else vouches for its own bytes
        raise Damaged(f"{path}: not as cleave writes it")
    return listed


def _entry(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: cannot be read: {error.strerror or error}") from error


def _standing(folder: Path) -> Path:
    """The folder, or the one moved aside for its successor where a kill came before that had the name."""
    aside = _hidden(folder, "old")
    return aside if aside.exists() and not folder.exists() else folder


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    _remove(folder)
    folder.mkdir()
    for name, data in contents.items():
        _write_synced(folder / name, data)
    fsync_folder(folder)


def _replace(new: Path, folder: Path) -> None:
    """Give `new` the name `folder`: two renames where it is taken, since POSIX has no swap of folders."""
    aside = _hidden(folder, "old")
    if folder.exists():
        _remove(aside)
        rename(folder, aside)
    rename(new, folder)
    _remove(aside)


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
