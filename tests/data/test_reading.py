from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cleave.data import reading as module
from cleave.data.cache import cache_file
from cleave.data.reading import Reading, listed, printable, read_files, unhurried
from cleave.errors import UserError
from tests.data.made_folders import photo, plain
from tests.reference.decode import pixels_of


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return sorted(map(str, plain(tmp_path / "images", count=50).rglob("*.png")))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded."""
    names: list[str] = []
    published = module.decode
    monkeypatch.setattr(module, "decode", lambda file, name, *how: (names.append(name), published(file, name, *how))[1])
    return names


def slowly(files: list[str], size: int = 16) -> np.ndarray:
    return np.stack([pixels_of(Path(file), size) for file in files])


@pytest.mark.parametrize("cores", [1, 2, 8])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_threads_and_the_cache_change_no_byte(
    files: list[str], cores: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(module, "CHUNK", chunk)
    for _ in range(2):
        pixels, usable = read_files(files, 16, Reading())
        assert np.array_equal(pixels, slowly(files))
        assert usable.all()


def test_a_folder_that_was_read_is_not_opened_again(
    files: list[str], decoded: list[str], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED", -1.0)
    first, _ = read_files(files, 16, Reading())
    assert sorted(decoded) == files
    decoded.clear()
    opened.clear()
    again, _ = read_files(files, 16, Reading())
    assert decoded == []
    assert not set(opened) & set(files)
    assert np.array_equal(first, again)


def test_files_that_have_just_changed_are_read_again_but_not_decoded(
    files: list[str], decoded: list[str], opened: list[str]
) -> None:
    """Within the time that a file system's clock takes to move on, a change may leave no other trace."""
    read_files(files, 16, Reading())
    decoded.clear()
    opened.clear()
    read_files(files, 16, Reading())
    assert decoded == []
    assert set(files) <= set(opened)


def test_a_moved_folder_is_not_decoded_again(files: list[str], decoded: list[str], tmp_path: Path) -> None:
    first, _ = read_files(files, 16, Reading())
    decoded.clear()
    (tmp_path / "images").rename(tmp_path / "moved")
    moved = [file.replace("/images/", "/moved/") for file in files]
    again, _ = read_files(moved, 16, Reading())
    assert decoded == []
    assert np.array_equal(first, again)


def test_only_what_changed_is_decoded_again(
    files: list[str], decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED", -1.0)
    read_files(files, 16, Reading())
    status = os.stat(files[3])
    photo(2).save(files[3])
    os.utime(files[3], ns=(status.st_atime_ns, status.st_mtime_ns))
    decoded.clear()
    pixels, _ = read_files(files, 16, Reading())
    assert decoded == [files[3]]
    assert np.array_equal(pixels, slowly(files))


def test_another_size_is_decoded_anew(files: list[str], decoded: list[str]) -> None:
    read_files(files, 16, Reading())
    decoded.clear()
    pixels, _ = read_files(files, 24, Reading())
    assert sorted(decoded) == files
    assert np.array_equal(pixels, slowly(files, 24))


def test_a_damaged_cache_is_never_trusted(files: list[str]) -> None:
    read_files(files, 16, Reading())
    data = bytearray(cache_file(16).read_bytes())
    data[5000::997] = bytes(len(data[5000::997]))
    cache_file(16).write_bytes(data)
    for _ in range(2):
        assert np.array_equal(read_files(files, 16, Reading())[0], slowly(files))


def test_without_a_cache_folder_images_are_read_all_the_same(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said: list[str] = []
    assert np.array_equal(read_files(files, 16, Reading(say=said.append))[0], slowly(files))
    assert len(said) == 1
    assert "decoded images are not kept" in said[0]


def test_what_cannot_be_used_is_left_out_of_the_pixels_and_named(files: list[str]) -> None:
    for number in (0, 7, 99):
        Path(files[number]).write_bytes(b"poison")
    reading = Reading()
    pixels, usable = read_files(files, 16, reading)
    assert [number for number, each in enumerate(usable) if not each] == [0, 7, 99]
    assert np.array_equal(pixels, slowly([file for file, each in zip(files, usable, strict=True) if each]))
    assert sorted(reading.unusable) == [files[0], files[7], files[99]]
    with pytest.raises(UserError, match=rf"^3 files cannot be used \(--skip-damaged leaves them out\): {files[0]}: "):
        reading.check()
    reading.skip_damaged = True
    reading.check()


def test_the_first_twenty_are_named_and_the_others_counted() -> None:
    reading = Reading()
    reading.unusable = {f"/{number:03d}": "is empty" for number in reversed(range(50))}
    with pytest.raises(UserError) as error:
        reading.check()
    assert [f"/{number:03d}" for number in range(50) if f"/{number:03d}:" in str(error.value)] == [
        f"/{number:03d}" for number in range(20)
    ]
    assert str(error.value).startswith("50 files")
    assert str(error.value).endswith("; and 30 more")


def test_a_file_that_may_not_be_read_is_told_as_that(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system would say it; who runs the tests may be allowed to read everything."""
    published = open

    def refuse(path: str, mode: str = "r") -> object:
        if path == files[2]:
            raise PermissionError(13, "Permission denied", path)
        return published(path, mode)

    monkeypatch.setattr(module, "open", refuse, raising=False)
    reading = Reading()
    read_files(files, 16, reading)
    with pytest.raises(UserError, match=rf"^{files[2]}: cannot be read \(permission denied\) \(or leave it out"):
        reading.check()


def test_a_warning_of_the_library_is_said_with_its_file(files: list[str], recwarn: pytest.WarningsRecorder) -> None:
    tags = Image.Exif()
    tags[0x010E] = "x" * 100
    with Image.open(files[4]) as image:
        image.save(files[4].replace(".png", ".tiff"), exif=tags)
    path = Path(files[4].replace(".png", ".tiff"))
    data = bytearray(path.read_bytes())
    place = data.index(b"x" * 100)
    path.write_bytes(data[:place] + data[place + 50 :])  # the last of the file: its metadata is cut
    said: list[str] = []
    reading = Reading(say=said.append)
    read_files([str(path)], 16, reading)
    told = [*said, *reading.unusable]
    assert told
    assert str(path) in told[0]
    assert not recwarn.list


def test_progress_is_shown_now_and_then(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET", -1.0)
    seen: list[tuple[int, int]] = []
    read_files(files, 16, Reading(progress=lambda done, total: seen.append((done, total))))
    assert seen == [(32, 100), (64, 100), (96, 100), (100, 100)]


def test_short_work_shows_no_progress() -> None:
    seen: list[int] = []
    show = unhurried(lambda done, total: seen.append(done))
    show(1, 2)
    assert seen == []


def test_no_thread_is_left_and_what_was_decoded_is_kept_after_ctrl_c(
    files: list[str], decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "QUIET", -1.0)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        read_files(files, 16, Reading(progress=interrupt))
    assert threading.active_count() == before
    assert len(decoded) == module.CHUNK
    decoded.clear()
    read_files(files, 16, Reading())
    assert len(decoded) == len(files) - module.CHUNK


INTERRUPTED = """
import os, signal, sys
from cleave.data import reading
from cleave.cli import run
published = reading.decode
def decode(file, name, *how):
    os.kill(os.getpid(), signal.SIGINT)
    return published(file, name, *how)
reading.decode = decode
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what runs in the background ignore it
sys.exit(run(["search", "--data", sys.argv[1], "--out", sys.argv[2]]))
"""


def test_ctrl_c_while_images_are_decoded_ends_the_command(files: list[str], tmp_path: Path) -> None:
    folder = str(Path(files[0]).parents[1])
    words = [sys.executable, "-c", INTERRUPTED, folder, str(tmp_path / "run")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()


def test_paths_can_be_printed_whatever_is_in_them() -> None:
    assert printable("/a b/ü.png") == "/a b/ü.png"
    odd = printable("/a\nb/\x1b[31m\udcff")
    assert odd.encode("utf-8").decode().isprintable()
    assert odd == "/a\\nb/\\x1b[31m\\udcff"
    assert listed({"/x\n": "why"}) == ["/x\\n: why"]
