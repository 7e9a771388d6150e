"""SIGTERM at any moment: all is saved in time, and the run goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.runs import ONE, TWO, as_if_nothing_had_been, gone_on_with, searching

MOMENTS = 35
WITH_WORKERS = 5
"""Every so many moments there are two workers."""
GRACE = 10.0
"""Seconds that a machine which shuts down gives at least, as Docker does; SLURM gives 30."""


@pytest.mark.parametrize("number", range(MOMENTS))
def test_who_is_asked_to_stop_has_saved_all_in_time(number: int, wholes: Wholes, tmp_path: Path) -> None:
    run, operations = tmp_path / "run", wholes.hits[0]["operation"]
    words = searching(wholes.images, run, *(ONE if number % WITH_WORKERS else TWO))
    mishap = {"operation": 1 + number * operations // MOMENTS, "does": "asked"}
    asked = Life(words, tmp_path, mishap, run).ended()
    assert asked.status in (0, 130), asked.err
    assert "asked" in asked.hits
    assert asked.grace < GRACE
    if asked.status == 130:
        line = asked.err.splitlines()[-1]
        assert line.startswith("cleave: interrupted")
        ended = gone_on_with(run, words)
        assert ended.status == 0, ended.err
    assert as_if_nothing_had_been(run, wholes.run())
