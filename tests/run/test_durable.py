"""Files and folders stay whole through a failing disk, and every change of one is noticed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleave.errors import UserError
from cleave.run import durable
from cleave.run.durable import MANIFEST, Damaged
from cleave.run.reading import Foreign


@contextmanager
def full_disk(largest_file: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond so many bytes, with a real OSError in the middle of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def failing_sync(after: int) -> Iterator[None]:
    """A disk that is found to be full at a sync, `after` so many that went well."""
    sync, calls = os.fsync, iter(range(10**6))

    def fail(descriptor: int) -> None:
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        yield


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def some_files(count: int = 3) -> dict[str, bytes]:
    return {f"file{number}": random.randbytes(random.randint(1, 5000)) for number in range(count)}


def flipped(data: bytes) -> bytes:
    """The same bytes but for one bit."""
    position = random.randrange(len(data))
    return data[:position] + bytes([data[position] ^ 1 << random.randrange(8)]) + data[position + 1 :]


def cut(data: bytes) -> bytes:
    return data[: random.randrange(len(data))]


def test_every_bit_of_a_manifest_counts_and_so_does_each_byte_at_its_end(tmp_path: Path) -> None:
    """Nothing else vouches for it: without its last newline, say, it would still be the same JSON."""
    durable.write_folder(tmp_path / "folder", {"a": b"1"})
    path = tmp_path / "folder" / MANIFEST
    whole = path.read_bytes()
    number = int.from_bytes(whole, "big")
    altered = [(number ^ 1 << bit).to_bytes(len(whole), "big") for bit in range(8 * len(whole))]
    for data in [*altered, *(whole[:size] for size in range(len(whole))), whole + b" ", b" " + whole]:
        path.write_bytes(data)
        with pytest.raises(Damaged, match=str(tmp_path / "folder")):
            durable.read_folder(tmp_path / "folder")


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for data in (random.randbytes(100), random.randbytes(70_000), b""):
        durable.write_bytes(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == data
    assert names(tmp_path) == {"file"}


def test_json_keeps_the_order_of_keys_and_ends_with_a_newline(tmp_path: Path) -> None:
    keys = random.sample("abcdefgh", 8)
    durable.write_json(tmp_path / "file", {key: [random.random(), None] for key in keys})
    text = (tmp_path / "file").read_text()
    assert list(json.loads(text)) == keys
    assert text.startswith(f'{{\n  "{keys[0]}": [')
    assert text.endswith("]\n}\n")


def test_json_that_is_not_finite_is_refused_and_the_old_file_kept(tmp_path: Path) -> None:
    durable.write_json(tmp_path / "file", {"loss": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        durable.write_json(tmp_path / "file", {"loss": float("nan")})
    assert json.loads((tmp_path / "file").read_text()) == {"loss": 1.5}
    assert names(tmp_path) == {"file"}


def test_a_file_that_the_disk_does_not_take_leaves_the_old_one(tmp_path: Path) -> None:
    durable.write_bytes(tmp_path / "file", b"old")
    with full_disk(1000), pytest.raises(UserError, match=r"file: cannot be saved: file too large.*cleave resume"):
        durable.write_bytes(tmp_path / "file", random.randbytes(5000))
    with failing_sync(after=0), pytest.raises(UserError, match=r"file: cannot be saved: no space left"):
        durable.write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == {"file"}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    for write in (lambda path: durable.write_bytes(path, b""), lambda path: durable.write_folder(path, {})):
        with pytest.raises(UserError, match="nowhere/name: cannot be saved: no such file"):
            write(tmp_path / "nowhere" / "name")


def test_a_folder_is_read_back_and_replaced_as_a_whole(tmp_path: Path) -> None:
    for count in (3, 1, 2):
        files = some_files(count)
        identity = durable.write_folder(tmp_path / "folder", files)
        assert durable.read_folder(tmp_path / "folder", identity) == files
        assert identity == hashlib.sha256((tmp_path / "folder" / MANIFEST).read_bytes()).hexdigest()
    assert names(tmp_path) == {"folder"}


def test_bytes_are_synced_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sync = tmp_path / "folder", os.fsync
    before: set[int] = set()
    after: set[int] = set()

    def watch(descriptor: int) -> None:
        (after if folder.exists() else before).add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    durable.write_folder(folder, some_files())
    assert before == {path.stat().st_ino for path in (folder, *folder.iterdir())}
    assert after == {tmp_path.stat().st_ino}


@pytest.mark.parametrize("after", range(7))
def test_a_sync_that_fails_leaves_the_old_folder_or_the_new_one(tmp_path: Path, after: int) -> None:
    folder, old, new = tmp_path / "folder", some_files(), some_files()
    durable.write_folder(folder, old)
    with failing_sync(after), pytest.raises(UserError, match="folder: cannot be saved: no space left"):
        durable.write_folder(folder, new)
    # until four files, their folder and the old folder's other name are synced, the old one stands
    assert durable.read_folder(folder) == (old if after < 6 else new)
    durable.write_folder(folder, new)
    assert durable.read_folder(folder) == new
    assert names(tmp_path) == {"folder"}


def test_a_removed_folder_is_gone_and_half_removed_ones_are_cleared(tmp_path: Path) -> None:
    durable.write_folder(tmp_path / "folder", some_files())
    durable.write_folder(tmp_path / "other", some_files())
    durable.remove_folder(tmp_path / "folder")
    (tmp_path / ".third.tmp").mkdir()
    (tmp_path / ".third.tmp" / "file").write_bytes(b"half")
    durable.clear_unfinished(tmp_path)
    assert names(tmp_path) == {"other"}


def test_files_missing_added_or_cut_are_named(tmp_path: Path) -> None:
    folder, files = tmp_path / "folder", some_files()

    def expect(message: str) -> None:
        with pytest.raises(Damaged, match=message):
            durable.read_folder(folder)
        durable.write_folder(folder, files)

    expect("manifest.json: cannot be read: no such file")
    (folder / "file1").unlink()
    expect("file1: missing, though in manifest.json")
    (folder / "more").write_bytes(b"")
    expect("more: not in manifest.json")
    (folder / "file2").write_bytes(cut(files["file2"]))
    expect(r"file2: its \d+ bytes are not those")
    (folder / MANIFEST).write_text("[" * 100_000)
    expect("manifest.json: is not JSON")
    (folder / MANIFEST).write_text("[]")
    expect("manifest.json: is not a list of files")
    (folder / "file0").unlink()
    (folder / "file0").mkdir()
    expect("file0: cannot be read: is a directory")


def test_another_folder_under_the_same_name_is_not_the_one_asked_for(tmp_path: Path) -> None:
    identity = durable.write_folder(tmp_path / "folder", some_files())
    durable.write_folder(tmp_path / "folder", some_files())
    with pytest.raises(Damaged, match=r"manifest\.json: belongs to another record"):
        durable.read_folder(tmp_path / "folder", identity)


def test_a_folder_that_belongs_to_something_else_is_not_taken_for_damaged(tmp_path: Path) -> None:
    files, mine = some_files(), {"run": "a", "part": "0.1", "generation": 7}
    durable.write_folder(tmp_path / "folder", files, mine)
    assert durable.read_folder(tmp_path / "folder", of=mine) == files
    assert durable.owner_of(tmp_path / "folder") == mine
    others = {"run": "of another run", "part": "of part 0.1, not 0.0", "generation": "of generation 7, not 8"}
    for (key, words), value in zip(others.items(), ("b", "0.0", 8), strict=True):
        with pytest.raises(Foreign, match=words):
            durable.read_folder(tmp_path / "folder", of={**mine, key: value})


def test_a_flipped_bit_in_what_a_folder_belongs_to_is_damage(tmp_path: Path) -> None:
    mine = {"run": "abc", "part": "0.1"}
    durable.write_folder(tmp_path / "folder", {"a": b"1"}, mine)
    manifest = tmp_path / "folder" / MANIFEST
    whole = manifest.read_bytes()
    for position in range(len(whole)):
        manifest.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(Damaged):
            durable.read_folder(tmp_path / "folder", of=mine)


def test_a_manifest_of_an_earlier_version_is_named_as_one(tmp_path: Path) -> None:
    durable.write_folder(tmp_path / "folder", {"a": b"1"})
    entry = {"bytes": 1, "sha256": hashlib.sha256(b"1").hexdigest()}
    durable.write_json(tmp_path / "folder" / MANIFEST, {"a": entry})
    with pytest.raises(Foreign, match="written by an earlier version of cleave"):
        durable.read_folder(tmp_path / "folder")


def test_a_file_far_larger_than_listed_is_not_even_read(tmp_path: Path) -> None:
    durable.write_folder(tmp_path / "folder", {"a": b"1"})
    os.truncate(tmp_path / "folder" / "a", 2**42)  # a hole: it takes no room
    with pytest.raises(Damaged, match=f"its {2**42} bytes are more than cleave writes"):
        durable.read_folder(tmp_path / "folder")
