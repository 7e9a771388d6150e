from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cleave.data import cache as module
from cleave.data.cache import Cache, cache_file, stamp_of
from tests.fresh import fresh

SIZE = 16


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def said() -> list[str]:
    return []


def some(size: int = SIZE) -> np.ndarray:
    return fresh().integers(0, 256, (3, size, size), dtype=np.uint8)


def keep(
    said: list[str], pixels: np.ndarray, path: bytes = b"x", stamp: str | None = "1", content: bytes = b"c"
) -> None:
    cache = Cache(SIZE, said.append)
    cache.keep(path, stamp, content, pixels)
    cache.close()


def test_what_is_kept_is_found_by_file_and_by_content(said: list[str]) -> None:
    pixels = some()
    keep(said, pixels)
    cache = Cache(SIZE, said.append)
    for found in (cache.of_file(b"x", "1"), cache.of_content(b"c")):
        assert found is not None
        assert np.array_equal(found, pixels)
    assert cache.of_file(b"x", "2") is None, "the file has changed"
    assert cache.of_file(b"y", "1") is None
    assert cache.of_content(b"d") is None
    cache.close()
    assert said == []


def test_without_a_stamp_only_the_content_is_known(said: list[str]) -> None:
    keep(said, some(), stamp=None)
    cache = Cache(SIZE, said.append)
    assert cache.of_file(b"x", "None") is None
    assert cache.of_content(b"c") is not None
    cache.close()


def test_a_changed_file_has_its_new_pixels(said: list[str]) -> None:
    old, new = some(), some()
    keep(said, old)
    keep(said, new, stamp="2", content=b"d")
    cache = Cache(SIZE, said.append)
    assert cache.of_file(b"x", "1") is None
    found = cache.of_file(b"x", "2")
    assert found is not None
    assert np.array_equal(found, new)
    cache.close()


def test_sizes_are_kept_apart() -> None:
    assert len({cache_file(size) for size in (8, 16, 32)}) == 3


def test_a_form_of_decoding_and_a_release_of_pillow_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {cache_file(16)}
    monkeypatch.setattr(module, "FORM", module.FORM + 1)
    files.add(cache_file(16))
    monkeypatch.setattr(module.PIL, "__version__", "0.1")
    files.add(cache_file(16))
    assert len(files) == 3


def test_pixels_that_changed_in_the_cache_are_not_trusted(said: list[str]) -> None:
    keep(said, some())
    with sqlite3.connect(cache_file(SIZE)) as connection:
        (pixels,) = connection.execute("SELECT pixels FROM images").fetchone()
        connection.execute("UPDATE images SET pixels = ?", (bytes([pixels[0] ^ 1]) + pixels[1:],))
    connection.close()
    cache = Cache(SIZE, said.append)
    assert cache.of_file(b"x", "1") is None
    assert cache.of_content(b"c") is None
    pixels = some()
    cache.keep(b"x", "1", b"c", pixels)
    found = cache.of_file(b"x", "1")
    assert found is not None
    assert np.array_equal(found, pixels), "it is made again"
    cache.close()


@pytest.mark.parametrize("damage", [b"no database", b"", b"SQLite format 3\0 and then nothing of the kind" * 100])
def test_a_damaged_file_is_made_again(damage: bytes, said: list[str]) -> None:
    keep(said, some())
    cache_file(SIZE).write_bytes(damage)
    pixels = some()
    keep(said, pixels)
    cache = Cache(SIZE, said.append)
    assert np.array_equal(cache.of_file(b"x", "1"), pixels)  # type: ignore[arg-type]
    cache.close()
    assert said == []


@pytest.mark.parametrize(
    "exchange",
    [
        "UPDATE images SET (pixels, digest) = (SELECT pixels, digest FROM images WHERE content = x'01')",
        "UPDATE files SET (content, digest) = (SELECT content, digest FROM files WHERE path = x'01')",
    ],
)
def test_what_stands_in_the_place_of_another_is_not_taken_for_it(exchange: str, said: list[str]) -> None:
    kept = {bytes([number]): some() for number in range(3)}
    for content, pixels in kept.items():
        keep(said, pixels, path=content, content=content)
    with sqlite3.connect(cache_file(SIZE)) as connection:
        connection.execute(exchange)
    connection.close()
    cache = Cache(SIZE, said.append)
    assert cache.of_file(b"\0", "1") is None
    assert np.array_equal(cache.of_file(b"\1", "1"), kept[b"\1"])  # type: ignore[arg-type]
    cache.close()


def test_damage_in_the_middle_never_gives_other_pixels(said: list[str]) -> None:
    kept = {bytes([number]): some() for number in range(40)}
    for content, pixels in kept.items():
        keep(said, pixels, path=content, content=content)
    whole = cache_file(SIZE).read_bytes()
    for _ in range(20):
        said.clear()
        damaged = bytearray(whole)
        for place in fresh().integers(0, len(whole), 50):
            damaged[place] = fresh().integers(256)
        cache_file(SIZE).write_bytes(damaged)
        cache = Cache(SIZE, said.append)
        for content, pixels in kept.items():
            for found in (cache.of_content(content), cache.of_file(content, "1")):
                assert found is None or np.array_equal(found, pixels)
        cache.close()


def test_a_folder_that_cannot_be_written_is_said_once_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache = Cache(SIZE, said.append)
    cache.keep(b"x", "1", b"c", some())
    assert cache.of_content(b"c") is None
    cache.close()
    assert said == [f"decoded images are not kept in {cache_file(SIZE)}: not a directory"]


def test_without_a_home_folder_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", home)
    Cache(SIZE, said.append).close()
    assert len(said) == 1
    assert "no home folder" in said[0]


def test_another_process_that_writes_is_waited_for_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    keep(said, some())
    monkeypatch.setattr(module, "WAIT", 0.01)
    other = sqlite3.connect(cache_file(SIZE), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache = Cache(SIZE, said.append)
    cache.keep(b"x", "1", b"d", some())
    cache.close()
    other.close()
    assert len(said) == 1
    assert "locked" in said[0]
    assert cache_file(SIZE).exists(), "it is not damaged"


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12")
    first = stamp_of(os.stat(path))
    path.write_bytes(b"123")
    second = stamp_of(os.stat(path))
    os.utime(path, ns=(0, 0))
    assert len({first, second, stamp_of(os.stat(path))}) == 3
    assert hashlib.sha256(path.read_bytes()).digest()
