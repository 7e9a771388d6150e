"""A design by a worker of Ray's; see `test_runner.py` for what it decides there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from cleave.signals import INTERRUPTED
from tests.design.still import write_folder
from tests.process import PATIENCE, until
from tests.tiny import Ended, sets

Capture = pytest.CaptureFixture[str]
SMALL = {"width": 0.25, "threads": 1, "runtime": "torch"}


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")
def test_a_design_by_ray_is_interrupted_saves_and_goes_on_there(tmp_path: Path, capfd: Capture) -> None:
    images, run = write_folder(tmp_path / "images", {"train": 20, "test": 8}), tmp_path / "run"
    words = ["--data", str(images), "--out", str(run), "--time", "2m", "--init", "new", "--engine", "ray"]
    with subprocess.Popen(
        [sys.executable, "-m", "cleave", "design", *words, *sets(SMALL)], stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: (run / "trainings").exists())
        asked = time.time()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == INTERRUPTED
    assert f"interrupted and saved; go on with: cleave resume {run}" in said
    assert (run / "timing.json").stat().st_mtime > asked, "what the worker had done by then counts"
    ended = Ended(["resume", str(run), "--engine", "ray", "--json"], capfd)
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["verdict"]["test"]["sentence"]
    assert (run / "export" / "card.json").exists()
