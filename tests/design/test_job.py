"""A design by a worker of Ray's; see `test_runner.py` for what it decides there."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

import cleave
from cleave.engine.stop import Stop
from tests.design.still import write_folder
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]


class Once(Stop):
    """Asks to stop as soon as something is there."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def check(self) -> None:
        self.requested = self.path.exists()
        super().check()


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")
def test_a_design_by_ray_is_interrupted_and_goes_on_there(tmp_path: Path, capfd: Capture) -> None:
    images, run = write_folder(tmp_path / "images", {"train": 20, "test": 8}), tmp_path / "run"
    small = {"width": 0.25, "threads": 1, "runtime": "torch", "time": 120}
    with pytest.raises(cleave.Interrupted, match=f"cleave resume {run}"):
        cleave.design(data=images, out=run, settings=small, init="new", engine="ray", stop=Once(run / "trainings"))
    ended = Ended(["resume", str(run), "--engine", "ray", "--json"], capfd)
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["verdict"]["test"]["sentence"]
    assert (run / "export" / "card.json").exists()
