"""Files that were made to fill the memory or to run something: refused in one line, and neither happens."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch

from cleave.errors import UserError
from tests.fuzz.doors import DOORS, architecture, record_files
from tests.fuzz.watched import watched
from tests.tiny import HERE, Ended

PACKED = 2**27
"""Bytes of zeros that a small file unpacks to."""
ROOM = 2**26
"""Bytes that the process may still have."""


class Runs:
    """What a pickle may hold: unpickling it runs a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo run > run-by-a-pickle",)


def zipped(members: dict[str, bytes | int]) -> bytes:
    """A packed zip of members; of a number there are so many zeros, which are never in memory together."""
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for name, data in members.items():
            with opened.open(name, "w") as member:
                pieces = [data] if isinstance(data, bytes) else repeat(bytes(2**20), data // 2**20)
                for piece in pieces:
                    member.write(piece)
    return file.getvalue()


def repacked(saved: bytes) -> bytes:
    """The numbers of the first tensor that torch saved are a lot of zeros now, packed."""
    with zipfile.ZipFile(io.BytesIO(saved)) as opened:
        members: dict[str, bytes | int] = {name: opened.read(name) for name in opened.namelist()}
    first = next(name for name in members if name.endswith("/data/0"))
    return zipped({**members, first: PACKED})


def saved_by_torch(value: object) -> bytes:
    torch.save(value, file := io.BytesIO())
    return file.getvalue()


def npy(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    """An array file that says that it has this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def array_of_objects() -> bytes:
    np.savez(file := io.BytesIO(), ops=np.array([Runs()], dtype=object))
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    """One that says that it is of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


def safetensors(header: object, length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(8)


def of_tensor(offsets: list[int], shape: list[int]) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}


@contextmanager
def little_memory() -> Iterator[None]:
    """Meanwhile the process gets `ROOM` more than it has, and then a MemoryError."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, highest = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + ROOM, highest))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, highest))


TENSORS = {"a": torch.ones(2)}
BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "an image of 3,600 megapixels": ("image", lambda: png(60_000, 60_000), "3600 megapixels"),
    "a packed array": ("table", lambda: zipped({"ops.npy": PACKED}), "bytes of memory"),
    "an array that says too much": ("table", lambda: zipped({"ops.npy": npy((2**50, 6))}), "is damaged"),
    "packed weights": ("weights", lambda: repacked(saved_by_torch(TENSORS)), "is packed"),
    "a packed checkpoint": ("checkpoint", lambda: repacked(record_files()["state.pt"]), "not what cleave writes"),
    "a header of 2**63 bytes": ("weights", lambda: safetensors({}, 2**63), "no weights that can be read"),
    "a tensor beyond the file": ("weights", lambda: safetensors(of_tensor([0, 2**40], [2**38])), "no weights"),
    "a tensor of negative size": ("weights", lambda: safetensors(of_tensor([8, 0], [-2])), "no weights"),
    "weights that run something": ("weights", lambda: saved_by_torch({"a": Runs()}), "such objects can run anything"),
    "old weights that run something": ("weights", lambda: pickle.dumps({"a": Runs()}), "no weights|can run anything"),
    "images that run something": ("pickle", lambda: pickle.dumps({"data": Runs(), "labels": []}), "asks for"),
    "a checkpoint that runs something": ("checkpoint", lambda: saved_by_torch({"a": Runs()}), "not what cleave writes"),
    "an array that runs something": ("table", array_of_objects, "is damaged"),
    "a genotype that runs something": ("architecture", lambda: b"__import__('os').system('echo')", "architecture"),
    "a genotype nested deeply": ("architecture", lambda: b"-" * 90_000 + b"1", "architecture"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused_in_one_line_and_does_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door, data, words = BOMBS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"given{DOORS[door].suffix}"
    path.write_bytes(DOORS[door].samples()[0])
    with suppress(UserError):
        DOORS[door].read(path)  # what is loaded at first use
    path.write_bytes(data())
    with watched(tmp_path / "in") as done, little_memory(), pytest.raises(UserError, match=words) as refused:
        DOORS[door].read(path)
    assert done == []
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "run-by-a-pickle").exists()


def test_every_space_refuses_what_is_nested_deeply(tmp_path: Path) -> None:
    for text in ("(" * 90_000, "[" * 90_000, "a." * 45_000, "{" * 90_000, "not " * 22_000 + "1"):
        (tmp_path / "given.txt").write_text(text)
        with pytest.raises(UserError):
            architecture(tmp_path / "given.txt")


def test_a_recipe_that_would_run_something_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "search: !!python/object/apply:os.system ['echo run > run-by-yaml']\n"
    (tmp_path / "recipe.yaml").write_text(text)
    with watched(tmp_path) as done:
        ended = Ended(["search", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), *HERE], capsys)
    assert ended.refuses("recipe.yaml", "not valid YAML")
    assert done == []
    assert [each.name for each in tmp_path.iterdir()] == ["recipe.yaml"]
