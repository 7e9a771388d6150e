"""Output that cannot be written, or not as it is: never a traceback, and nothing that was found is lost."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

from cleave import streams
from cleave.streams import OutputStream, Unwritten
from tests.tiny import HERE, RSPS, Ended, search, write_images

Capture = pytest.CaptureFixture[str]
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    ended = cleave(search(images, out, {**RSPS, "search.epochs": 1}))
    assert ended.returncode == 0, ended.stderr
    return out


def cleave(
    arguments: list[str],
    out: int | IO[str] = subprocess.PIPE,
    err: int | IO[str] = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "cleave", *arguments]
    return subprocess.run(
        words, stdout=out, stderr=err, text=True, env={**os.environ, **(environment or {})}, check=False
    )


def for_people(arguments: list[str]) -> list[str]:
    return [word for word in arguments if word != "--json"]


def closed_pipe() -> IO[str]:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_whatever_the_encoding_of_the_output_a_run_is_shown(encoding: str, finished: Path) -> None:
    ended = cleave(["show", str(finished)], environment={"PYTHONIOENCODING": encoding, "COLUMNS": "80"})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Chosen: leaf" in ended.stdout
    assert "\\u" not in ended.stdout, "something has no spelling in ASCII"
    assert ended.stdout.isascii() == (encoding != "utf-8")


def test_what_ascii_lacks_is_spelled_and_all_else_escaped() -> None:
    streams.prepare_errors()
    text = "a ─ op ─▶ b ± 1 \udcff \u00e9".encode("ascii", streams.READABLE)
    assert text == rb"a - op -> b +- 1 \udcff \xe9"


def test_a_path_that_is_no_unicode_is_printed_everywhere(images: Path, tmp_path: Path) -> None:
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xffn"))
    ended = cleave(search(images, out, {**RSPS, "search.epochs": 1}))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["run"] == str(out)
    assert r"run folder: " in ended.stderr
    assert r"r\udcffn" in ended.stderr
    shown = cleave(["show", str(out)])
    assert shown.stdout.splitlines()[-2].endswith(r"r\udcffn")
    refused = cleave(["show", str(out) + "!"])
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert r"r\udcffn!" in refused.stderr


@needs_full
@pytest.mark.parametrize("words", [["--json"], [], ["--help"]])
def test_an_answer_on_a_full_disk_is_one_line(words: list[str], finished: Path) -> None:
    with FULL.open("w") as full:
        ended = cleave(["show", str(finished), *words], out=full)
    assert (ended.returncode, ended.stderr) == (2, "cleave: standard output: no space left on device\n")


@pytest.mark.parametrize("words", [["--json"], [], ["--help"]])
def test_an_answer_that_nobody_reads_is_no_mistake(words: list[str], finished: Path) -> None:
    with closed_pipe() as pipe:
        ended = cleave(["show", str(finished), *words], out=pipe)
    assert (ended.returncode, ended.stderr) == (141, "")


@needs_full
def test_progress_on_a_full_disk_costs_no_search_and_is_told_at_the_end(images: Path, tmp_path: Path) -> None:
    with FULL.open("w") as full:
        ended = cleave(for_people(search(images, tmp_path / "run", RSPS)), err=full)
    assert ended.returncode == 0
    assert (tmp_path / "run" / "result.json").exists()
    *_, last, told = ended.stdout.splitlines()
    assert last.endswith(str(tmp_path / "run"))
    assert told == "cleave: progress was not shown: no space left on device"


def test_progress_that_nobody_reads_costs_no_search_and_json_stays_json(images: Path, tmp_path: Path) -> None:
    with closed_pipe() as pipe:
        ended = cleave(search(images, tmp_path / "run", RSPS), err=pipe)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["run"] == str(tmp_path / "run")


def test_with_all_streams_closed_a_search_writes_into_none_of_its_own_files(images: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "cleave", *for_people(search(images, tmp_path / "run", RSPS))]
    ended = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], check=False)
    assert ended.returncode == 0
    assert json.loads((tmp_path / "run" / "result.json").read_text())
    assert cleave(["resume", str(tmp_path / "run"), *HERE, "--json"]).returncode == 0


class Failing(io.StringIO):
    """Takes some writes and then no more."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.takes, self.asked = takes, 0

    def write(self, text: str) -> int:
        self.asked += 1
        if self.asked > self.takes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_a_stream_that_failed_is_not_asked_again() -> None:
    inner = Failing(takes=1)
    stream = OutputStream(inner, vital=False)
    for _ in range(4):
        assert stream.write("some") == 4
    stream.flush()
    assert (inner.getvalue(), inner.asked) == ("some", 2)
    assert str(stream.lost) == "no space left on device"
    assert not stream.isatty()


def test_a_vital_stream_says_so_once() -> None:
    stream = OutputStream(Failing(takes=0), vital=True)
    with pytest.raises(Unwritten, match="no space left on device"):
        stream.write("some")
    assert stream.write("more") == 4


def test_an_error_of_the_system_is_one_line_with_its_path(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/some/where")

    monkeypatch.setattr("cleave.describe.describe", refuse)
    ended = Ended(["space", "nasbench201"], capsys)
    assert (ended.status, ended.err) == (2, "cleave: /some/where: permission denied\n")
