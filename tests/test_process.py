"""A search in a process of its own: killed, interrupted, terminated."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from cleave.cli import run as cleave
from tests.process import at_work
from tests.tiny import EVERY_STEP, HERE, RSPS, Ended, generations, part_generations, same, search, write_images

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


def process(arguments: list[str], out: Path, saved: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """A search in a process of its own that has saved so often."""

    def far_enough() -> bool:
        return any(int(generation.name) >= saved for generation in [*generations(out), *part_generations(out)])

    return at_work(arguments, far_enough)


def test_a_process_that_is_killed_leaves_what_the_run_goes_on_from(images: Path, tmp_path: Path) -> None:
    longer = {**RSPS, **EVERY_STEP, "search.epochs": 4}
    assert cleave(search(images, tmp_path / "whole", longer)) == 0
    with process(search(images, tmp_path / "killed", longer), tmp_path / "killed", random.randint(2, 12)) as running:
        running.kill()
    assert running.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "result.json").exists()
    assert cleave(["resume", *HERE, str(tmp_path / "killed")]) == 0
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_stop_saves_and_says_how_to_go_on(
    number: signal.Signals, images: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "a run"
    endless = {**RSPS, "search.checkpoint_seconds": 0.1, "search.epochs": 100_000}
    with process(search(images, out, endless), out, saved=2) as running:
        running.send_signal(number)
        stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume '{out}'"
    assert json.loads(Ended(["show", str(out), "--json"], capsys).out)["status"] == "unfinished"
