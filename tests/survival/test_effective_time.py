"""A search that is killed every minute and started anew each time: how much of the time is work."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.survival.conftest import Wholes
from tests.survival.runs import ONE, searching
from tests.tiny import RSPS, same

BETWEEN = 60.0
"""Seconds from one kill to the next."""
STEADY = {**RSPS, "search.checkpoint_seconds": 2, "search.epochs": 6000, "trust.control": 0}
"""Some five minutes of work, by the clock."""


def seconds(words: list[str], patience: float | None = None) -> tuple[float, bool]:
    """How long a command took, and whether it ended by itself before it was killed."""
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "cleave", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _, told = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return time.monotonic() - began, False
    assert process.returncode == 0, told
    return time.monotonic() - began, True


def test_nine_tenths_of_the_time_is_work_where_a_process_lives_a_minute(wholes: Wholes, tmp_path: Path) -> None:
    whole, _ = seconds(searching(wholes.images, tmp_path / "whole", *ONE, kind=STEADY))
    run, spent, kills, ended = tmp_path / "killed", 0.0, -1, False
    words = searching(wholes.images, run, *ONE, kind=STEADY)
    while not ended:
        took, ended = seconds(words, BETWEEN)
        spent, kills, words = spent + took, kills + 1, ["resume", str(run), "--json", *ONE]
    print(f"{whole:.0f} s without kills, {spent:.0f} s with {kills}: {whole / spent:.1%} effective")
    assert same(tmp_path / "whole", run)
    assert kills >= 3, "it was over too soon to tell"
    assert whole / spent >= 0.9
