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
from typing import Any

from cleave.errors import UserError, cause
from cleave.run.mirror import brought, removed, sent
from cleave.run.reading import MOST_JSON, Foreign, Shape, is_there, names_in, open_plain, parse_json, read_file, shaped
from cleave.run.reading import Damaged as Damaged

MANIFEST = "manifest.json"
"""Of a written folder: what it belongs to, the size and SHA-256 of each other file, and the SHA-256 of all that."""


class FileEntry(Shape):
    """A file in a manifest."""

    bytes: int
    sha256: str


class Manifest(Shape):
    """manifest.json"""

    of: dict[str, str | int]
    files: dict[str, FileEntry]


Owner = Mapping[str, str | int]
"""What a folder belongs to, such as {"run": ..., "part": "0.1"}."""


def write_json(path: Path, value: object) -> None:
    """Replace the file by `value` as JSON; raises as `write_bytes` does, and as `json_bytes` before that."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: object, indent: int | None = 2) -> bytes:
    """JSON with its keys in the order given and a last newline; `indent` None: one line, by json's own C.

    Raises ValueError where a number is not finite.
    """
    return (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode()


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
    sent(path)


def write_folder(folder: Path, contents: Mapping[str, bytes], of: Owner | None = None) -> str:
    """Replace the folder by one of these files and a manifest of them, whole or not at all.

    `of` is what it belongs to. Returns its identity, the SHA-256 of the manifest. Raises UserError where the disk does
    not take it; the old folder is then still there.
    """
    manifest = _sealed({"of": dict(of or {}), "files": {name: _entry(data) for name, data in contents.items()}})
    temporary = _hidden(folder, "tmp")
    with saving(folder):
        try:
            _write_files(temporary, {**contents, MANIFEST: manifest})
            _replace(temporary, folder)
        finally:
            _remove(temporary)
    sent(folder)
    return hashlib.sha256(manifest).hexdigest()


def read_folder(folder: Path, identity: str | None = None, of: Owner | None = None) -> dict[str, bytes]:
    """The files of a written folder by name, verified: as the manifest lists them, none too few or too many.

    Raises Damaged, also where the manifest is not the one with that identity; Foreign where the folder is whole and
    belongs to something else than `of`.
    """
    folder = _standing(folder)
    if not is_there(folder):
        brought(folder)
    manifest = _manifest(folder / MANIFEST, identity)
    listed = manifest["files"]
    present = set(names_in(folder)) - {MANIFEST}
    if odd := sorted(present.symmetric_difference(listed)):
        raise Damaged(f"{folder / odd[0]}: {'not in' if odd[0] in present else 'missing, though in'} {MANIFEST}")
    contents = {name: _read(folder / name, listed[name]) for name in listed}
    for key, value in (of or {}).items():
        if (found := manifest["of"].get(key)) != value:
            what = "another run" if key == "run" else f"{key} {found}, not {value}"
            raise Foreign(f"{folder}: is of {what}; put back what was there")
    return contents


def owner_of(folder: Path) -> dict[str, Any]:
    """What a written folder belongs to; Damaged where its manifest does not tell."""
    of: dict[str, Any] = _manifest(_standing(folder) / MANIFEST, None)["of"]
    return of


def remove_folder(folder: Path) -> None:
    """Remove a folder; it loses its name first, so that a kill leaves no part of it that looks whole."""
    doomed = _hidden(folder, "tmp")
    rename(folder, doomed)
    _remove(doomed)
    removed(folder)


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
            f"{path}: cannot be saved: {cause(error)}; what was saved before is intact: free some space or allow "
            "writing, then `cleave resume` the run or try again"
        ) from error


def _manifest(path: Path, identity: str | None) -> dict[str, Any]:
    """{"of": owner, "files": {name: entry}}"""
    data = read_file(path, MOST_JSON)
    if identity not in (None, hashlib.sha256(data).hexdigest()):
        raise Damaged(f"{path}: belongs to another record than the one asked for")
    listed = parse_json(path, data)
    if not isinstance(listed, dict):
        raise Damaged(f"{path}: is not a list of files")
    if listed and all(isinstance(entry, dict) and entry.keys() == {"bytes", "sha256"} for entry in listed.values()):
        raise Foreign(f"{path}: was written by an earlier version of cleave; go on with that one, or start again")
    if _sealed({key: value for key, value in listed.items() if key != "sha256"}) != data:
        raise Damaged(f"{path}: is not as cleave writes it")
    return shaped(path, Manifest, listed)


def _sealed(manifest: dict[str, object]) -> bytes:
    """A manifest with its own SHA-256 at the end: nothing else vouches for it."""
    return json_bytes({**manifest, "sha256": hashlib.sha256(json_bytes(manifest)).hexdigest()})


def _entry(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _read(path: Path, entry: dict[str, Any]) -> bytes:
    data = read_file(path, entry["bytes"])
    if _entry(data) != entry:
        raise Damaged(f"{path}: its {len(data)} bytes are not those that {MANIFEST} lists")
    return data


def _standing(folder: Path) -> Path:
    """The folder, or the one moved aside for its successor where a kill came before that had the name."""
    aside = _hidden(folder, "old")
    return aside if is_there(aside) and not is_there(folder) else folder


def _write_synced(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # a link that lies there leads elsewhere
    with open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
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
    if is_there(folder):
        _remove(aside)
        rename(folder, aside)
    rename(new, folder)
    _remove(aside)


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
