"""A search in a process of its own: killed, interrupted, terminated."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from cleave.cli import run as cleave
from cleave.signals import ASKING
from tests.process import PATIENCE, at_work, until
from tests.tiny import EVERY_STEP, HERE, RSPS, Ended, generations, part_generations, same, search, write_images

pytestmark = pytest.mark.usefixtures("hangup_heard")
Capture = pytest.CaptureFixture[str]
ENDLESS = {**RSPS, "search.checkpoint_seconds": 0.1, "search.epochs": 100_000}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


def process(
    arguments: list[str], out: Path, saved: int, before: Sequence[str] = ()
) -> AbstractContextManager[subprocess.Popen[str]]:
    """A search in a process of its own that has saved so often."""
    return at_work(arguments, lambda: newest(out) >= saved, before=before)


def newest(out: Path) -> int:
    """The number of the newest checkpoint of the run or of its parts."""
    return max((int(generation.name) for generation in [*generations(out), *part_generations(out)]), default=-1)


def test_a_process_that_is_killed_leaves_what_the_run_goes_on_from(images: Path, tmp_path: Path) -> None:
    longer = {**RSPS, **EVERY_STEP, "search.epochs": 4}
    assert cleave(search(images, tmp_path / "whole", longer)) == 0
    with process(search(images, tmp_path / "killed", longer), tmp_path / "killed", random.randint(2, 12)) as running:
        running.kill()
    assert running.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "result.json").exists()
    assert cleave(["resume", *HERE, str(tmp_path / "killed")]) == 0
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("number", ASKING)
def test_a_process_that_is_asked_to_stop_saves_and_says_how_to_go_on(
    number: signal.Signals, images: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "a run"
    with process(search(images, out, ENDLESS), out, saved=2) as running:
        running.send_signal(number)
        stdout, stderr = running.communicate(timeout=PATIENCE)
    assert (running.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume '{out}'"
    assert json.loads(Ended(["show", str(out), "--json"], capsys).out)["status"] == "unfinished"


def test_with_nohup_the_end_of_the_terminal_ends_nothing(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ignoring = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]
    with process(search(images, out, ENDLESS), out, saved=2, before=ignoring) as running:
        running.send_signal(signal.SIGHUP)
        later = newest(out) + 3
        until(lambda: newest(out) >= later)
        running.send_signal(signal.SIGTERM)
        _, stderr = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "interrupted and saved" in stderr.splitlines()[-1]
