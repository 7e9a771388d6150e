"""Checkpoints that survive a kill, a full disk and flipped bits, and that say so where they did not.

A *record* is a folder that is written under another name, synced, and renamed whole:

    weights.safetensors    tensors by name, without pickle
    state.pt               the rest that a run needs to go on, for torch's weights-only loader
    meta.json              what a person may want to read
    manifest.json          what it belongs to, size and SHA-256 of each of the three; its own SHA-256 is the
                           record's identity

A *generation* is one of several records of the same run or task, numbered from 000001; its number is part of what it
belongs to.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.files import unpacked_size
from cleave.run import durable
from cleave.run.durable import Owner
from cleave.run.reading import Damaged, Foreign, names_in, parse_json

Found = TypeVar("Found")

WEIGHTS, STATE, META = "weights.safetensors", "state.pt", "meta.json"

# What the three parsers raise on bytes that are not theirs, found by altering files under a true manifest.
_UNREADABLE = (
    AssertionError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    safetensors.SafetensorError,
    struct.error,
)


class NotFinite(ValueError):
    """A record was to hold a NaN or an infinity; the message names where. Nothing was written."""


@dataclass(frozen=True)
class Record:
    """All that a run needs to go on.

    weights: tensors by name. state: dicts, lists and tuples of tensors and of None, bool, int, float and str.
    meta: what JSON can hold. Devices, strides, views and shared storage are not kept: every tensor comes back
    by itself, contiguous and writable, on the CPU.
    """

    weights: dict[str, Tensor]
    state: dict[str, Any]
    meta: dict[str, Any]


def write_record(folder: Path, record: Record, of: Owner | None = None) -> str:
    """Write a record, in place of one that is there, and return its identity; equal records, equal bytes.

    `of` is what it belongs to.

    Raises NotFinite, or TypeError for a value that could not be read back, before it touches the disk;
    UserError where the disk does not take it. What was there before is then still there.
    """
    return durable.write_folder(folder, _serialised(record), of)


def check_finite(record: Record) -> None:
    """NotFinite where a record could not be written: what is only judged, and not kept, is held to the same."""
    for name, tensor in record.weights.items():
        _tensor(f"weights.{name}", tensor)
    _plain("state", record.state)


def read_record(folder: Path, identity: str | None = None, of: Owner | None = None) -> Record:
    """The record in a folder, every byte verified before the first is parsed; nothing in it is executed.

    Raises Damaged where it is not whole, not what cleave writes, or not the one with that identity; Foreign where it
    is, but belongs to something else than `of`.
    """
    contents = _read(folder, identity, of)
    return Record(
        weights=_parsed(folder / WEIGHTS, contents[WEIGHTS], safetensors.torch.load),
        state=_parsed(folder / STATE, contents[STATE], _unpickled),
        meta=_meta(folder, contents),
    )


def read_meta(folder: Path, identity: str | None = None, of: Owner | None = None) -> dict[str, Any]:
    """What a person may want to read of the record in a folder; verified and refused as by `read_record`."""
    return _meta(folder, _read(folder, identity, of))


def _read(folder: Path, identity: str | None, of: Owner | None) -> Mapping[str, bytes]:
    contents = durable.read_folder(folder, identity, of)
    if set(contents) != {WEIGHTS, STATE, META}:
        raise Damaged(f"{folder}: not a record of cleave: it does not consist of {WEIGHTS}, {STATE} and {META}")
    return contents


def _meta(folder: Path, contents: Mapping[str, bytes]) -> dict[str, Any]:
    return _parsed(folder / META, contents[META], partial(parse_json, folder / META))


class Generations:
    """The newest records of a run, in a folder of their own; one owner at a time (see RunLock)."""

    def __init__(self, folder: Path, of: Owner | None = None, keep: int = 2) -> None:
        """Open or make the folder, to hold `keep` whole records `of` something; clears what a kill left unfinished."""
        assert keep >= 1
        self.folder, self.of, self.keep = folder, dict(of or {}), keep
        with durable.saving(folder):
            folder.mkdir(parents=True, exist_ok=True)
            durable.clear_unfinished(folder)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever committed; what was set aside counts as committed."""
        return last_number(self.folder) == 0

    def commit(self, record: Record) -> Path:
        """Write the next generation, verify it on the disk, then remove those that are not needed any more.

        Raises as `write_record` does, and UserError where the disk gives back other bytes than it was given.
        """
        number = last_number(self.folder) + 1
        path = self.folder / f"{number:06d}"
        identity = write_record(path, record, {**self.of, "generation": number})
        try:
            durable.read_folder(path, identity)
        except Damaged as error:
            raise UserError(f"{error}, just after it was saved: check the disk, then `cleave resume`") from error
        with durable.saving(self.folder):
            self._prune()
        return path

    def newest(self, on_damage: Callable[[str], None]) -> Record:
        """The newest record that is whole; `on_damage` gets a line for each newer one, which is set aside.

        Raises UserError where none is whole, and Foreign where one belongs to something else.
        """

        def set_aside(path: Path, error: Damaged) -> None:
            on_damage(f"{error}: generation {path.name} is set aside, and the one before it is used")
            with durable.saving(path):
                durable.rename(path, path.with_name(f"{path.name}.damaged"))

        return newest_of(self.folder, self.of, set_aside)

    def _prune(self) -> None:
        """Remove what is older than `keep` whole generations; a damaged one does not count."""
        wanted = self.keep - 1  # the newest is verified already
        for path in reversed(paths_in(self.folder)[:-1]):
            if wanted == 0:
                durable.remove_folder(path)
            else:
                wanted -= _whole(path)


def newest_of(folder: Path, of: Owner, on_damage: Callable[[Path, Damaged], None] = lambda *_: None) -> Record:
    """The newest record in a folder of generations that is whole; raises as `Generations.newest` does."""
    return _newest(folder, of, on_damage, read_record)


def newest_meta_of(folder: Path, of: Owner) -> dict[str, Any]:
    """Its meta alone, which takes a small part of the time; every byte of the others is verified too."""
    return _newest(folder, of, lambda *_: None, read_meta)


def _newest(
    folder: Path,
    of: Owner,
    on_damage: Callable[[Path, Damaged], None],
    read: Callable[[Path, str | None, Owner | None], Found],
) -> Found:
    for path in reversed(paths_in(folder)):
        try:
            return read(path, None, {**of, "generation": int(path.name)})
        except Damaged as error:
            on_damage(path, error)
    raise UserError(f"{folder}: holds no checkpoint that is whole: start the run again in a new folder")


def paths_in(folder: Path) -> list[Path]:
    """The generations that are not set aside, oldest first."""
    return [folder / name for name in sorted(filter(str.isdecimal, names_in(folder)), key=int)]


def last_number(folder: Path) -> int:
    """The highest number given, to one set aside too: no number ever means two records."""
    stems = [name.partition(".")[0] for name in names_in(folder)]
    return max((int(stem) for stem in stems if stem.isdecimal()), default=0)


def _whole(folder: Path) -> bool:
    try:
        durable.read_folder(folder)
    except (Damaged, Foreign):
        return False
    return True


def _serialised(record: Record) -> dict[str, bytes]:
    """The three files of a record."""
    weights = {name: _tensor(f"weights.{name}", tensor) for name, tensor in record.weights.items()}
    state = io.BytesIO()
    torch.save(_plain("state", record.state), state)
    return {
        WEIGHTS: safetensors.torch.save(weights),
        STATE: state.getvalue(),
        META: durable.json_bytes(_plain("meta", record.meta), indent=None),
    }


def _plain(name: str, value: object) -> object:
    """A copy of `value` that is finite and holds only what a record may; raises NotFinite or TypeError.

    Strings are interned: pickle refers back to an object it has met, so equal values then give equal bytes.
    """
    if isinstance(value, Tensor):
        return _tensor(name, value)
    if isinstance(value, dict):
        return {_plain(f"a key of {name}", key): _plain(f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        copies = [_plain(f"{name}.{position}", one) for position, one in enumerate(value)]
        return copies if isinstance(value, list) else tuple(copies)
    if type(value) is str:
        return sys.intern(value)
    if type(value) is float and not math.isfinite(value):
        raise NotFinite(f"{name}: {value} is not finite")
    if value is not None and type(value) not in (bool, int, float):
        raise TypeError(f"{name}: a record cannot hold a {type(value).__name__}")
    return value


def _tensor(name: str, tensor: Tensor) -> Tensor:
    copy = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    wrong = int((~torch.isfinite(copy)).sum())
    if wrong:
        raise NotFinite(f"{name}: {wrong} of its {copy.numel()} values are not finite")
    return copy


def _unpickled(data: bytes) -> object:
    if unpacked_size(io.BytesIO(data)) > len(data):
        raise ValueError("packed: torch.save packs nothing")
    with warnings.catch_warnings():  # of a file that is not ours torch warns before it refuses it
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _parsed(path: Path, data: bytes, parse: Callable[[bytes], object]) -> dict[str, Any]:
    """What a file holds, held to the same rules as when it is written."""
    try:
        value = _plain(path.stem, parse(data))
    except _UNREADABLE as error:
        raise Damaged(f"{path}: not what cleave writes there ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise Damaged(f"{path}: not what cleave writes there ({type(value).__name__})")
    return value
