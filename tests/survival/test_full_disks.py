"""Disks of every size, too small for a run: one line, nothing lost, and with more room it goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.runs import ONE, as_if_nothing_had_been, gone_on_with, searching, told_in_one_line

PAGE = 4096
SIZES = 76


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk in memory, of one page for now."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={PAGE}", "cleave-test", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a disk in memory cannot be made by this user")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(disk: Path, pages: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={pages * PAGE}", str(disk)], check=True)


@pytest.mark.parametrize("number", range(SIZES))
def test_a_disk_that_is_full_keeps_what_it_has_and_with_room_the_run_goes_on(
    number: int, wholes: Wholes, disk: Path
) -> None:
    run, needed = disk / "run", sum(1 + file.stat().st_size // PAGE for file in wholes.run().rglob("*"))
    words = searching(wholes.images, run, *ONE)
    resize(disk, 1 + number * needed // SIZES)
    full = Life(words, disk.parent, inside=run).ended()
    line = told_in_one_line(full)
    assert "no space left on device" in line
    assert str(disk) in line
    resize(disk, 10 * needed)
    ended = gone_on_with(run, words)
    assert ended.status == 0, ended.err
    assert as_if_nothing_had_been(run, wholes.run())
