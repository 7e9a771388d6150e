"""Files as people give them: encodings, pipes, folders, what cannot be read."""

from __future__ import annotations

import errno
import os
import random
import threading
import tracemalloc
from pathlib import Path

import pytest

from cleave import files
from cleave.errors import UserError
from cleave.files import first_bytes, read_bytes, read_text

TEXT = "name: größer 😀\nseed: 3\n"
LIMIT = 10_000


def refusal(path: Path, limit: int = LIMIT) -> str:
    with pytest.raises(UserError) as caught:
        read_text(path, limit)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_text_says_itself_how_it_is_encoded(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(TEXT.encode(encoding))
    assert read_text(path, LIMIT) == TEXT
    path.write_bytes(("\ufeff" + TEXT).encode(encoding.removesuffix("-sig")))
    assert read_text(path, LIMIT) == TEXT


def test_line_ends_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a\r\nb\rc\n\n")
    assert read_text(tmp_path / "text", LIMIT) == "a\r\nb\rc\n\n"


def test_what_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "text"
    above = random.randint(0, 9)
    path.write_bytes(b"fine\n" * above + "größer".encode("latin-1"))
    assert refusal(path) == f"{path}: line {above + 1} is not text (byte 0xf6 is not UTF-8); save it as UTF-8"
    path.write_bytes("odd".encode("utf-16") + b"x")
    assert "is not UTF-16" in refusal(path)


def test_the_cause_is_told_as_it_is(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'}: cannot be read (no such file or directory)"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read (is a directory)"
    (tmp_path / "file").touch()
    assert "(not a directory)" in refusal(tmp_path / "file" / "below")
    assert "(file name too long)" in refusal(tmp_path / ("x" * 300))
    assert "cannot be the name of a file" in refusal(Path("a\0b"))
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert "symbolic link" in refusal(tmp_path / "circle")


def test_permission_denied_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root nothing is denied."""

    def denied(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(files, "_open", denied)
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read (permission denied)"


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert read_bytes(path, 100) == b"x" * 100
    assert "larger than 99 bytes" in refusal(path, 99)
    assert "larger than 5,000 bytes" in refusal(Path("/dev/zero"), 5000)


def test_a_file_takes_the_memory_that_it_needs_and_not_that_of_the_limit(tmp_path: Path) -> None:
    (tmp_path / "few").write_bytes(b"few")
    (tmp_path / "many").write_bytes(content := random.randbytes(2 * files.PIECE + 3))
    tracemalloc.start()
    try:
        assert read_bytes(tmp_path / "few", 2**30) == b"few"
        assert tracemalloc.get_traced_memory()[1] < 4 * files.PIECE
    finally:
        tracemalloc.stop()
    assert read_bytes(tmp_path / "many", len(content)) == content
    with pytest.raises(UserError, match="is larger than"):
        read_bytes(tmp_path / "many", len(content) - 1)


def test_a_pipe_is_read_to_its_end_and_no_further_than_the_limit(tmp_path: Path) -> None:
    text = "a,b\n" * 100_000  # more than a pipe holds

    def read(limit: int) -> bytes:
        source, sink = os.pipe()

        def fill() -> None:
            with open(sink, "w", encoding="ascii") as file:
                file.write(text)

        writer = threading.Thread(target=fill)
        writer.start()
        try:
            return read_bytes(Path(f"/dev/fd/{source}"), limit)
        finally:
            os.read(source, len(text))  # of a pipe that was left
            os.close(source)
            writer.join()

    assert read(len(text)) == text.encode()
    with pytest.raises(UserError, match="larger than 399,000 bytes"):
        read(399_000)


def test_a_pipe_that_nobody_writes_into_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_text(tmp_path / "pipe", LIMIT) == ""


def test_first_bytes_are_those_of_plain_files_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"PAR1 and more")
    os.mkfifo(tmp_path / "pipe")
    assert first_bytes(tmp_path / "file", 4) == b"PAR1"
    for name in ("pipe", "none", ".", "a\0b", "x" * 300):
        assert first_bytes(tmp_path / name, 4) == b""
