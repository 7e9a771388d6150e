"""Clocks that are set, machines that sleep: a run finds the same, and tells seconds that can be."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.mishaps import CLOCKS
from tests.survival.runs import ONE, PHASES, as_if_nothing_had_been, gone_on_with, searching


@pytest.mark.parametrize(("jump", "phase"), [*product(CLOCKS, PHASES)])
def test_a_clock_that_jumps_changes_nothing(jump: str, phase: str, wholes: Wholes, tmp_path: Path) -> None:
    """And a session whose clock is right tells the same of what it left."""
    run, operations = tmp_path / "run", wholes.hits[0]["operation"]
    words = searching(wholes.images, run, *ONE)
    at = {"first": 40, "middle": operations // 2, "last": operations - 2}[phase]
    jumped = Life(words, tmp_path, {"operation": at, "does": jump}, run).ended()
    assert jumped.status == 0, jumped.err
    assert jumped.hits["operation"] >= at, "it never came to that"
    assert as_if_nothing_had_been(run, wholes.run())
    assert json.loads((run / "timing.json").read_text())["seconds"] >= 0
    assert gone_on_with(run, words).status == 0
