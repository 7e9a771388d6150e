"""SIGKILL anywhere: at an operation on a file, and then at another one of the session that goes on; at named points."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.mishaps import POINTS, STEP_OF_SEARCH
from tests.survival.runs import (
    GOES_ON,
    ONE,
    PHASES,
    SEEDS,
    TWO,
    as_if_nothing_had_been,
    gone_on_with,
    searching,
    told_in_one_line,
)

CRASHES = 240
NAMED = [name for name in POINTS if name != STEP_OF_SEARCH]
ENGINES = {"one process": ONE, "two workers": TWO}


@pytest.mark.parametrize("number", range(CRASHES))
def test_a_crash_at_every_few_operations_and_another_while_going_on(
    number: int, wholes: Wholes, tmp_path: Path
) -> None:
    run, operations = tmp_path / "run", wholes.hits[0]["operation"]
    words = searching(wholes.images, run, *ONE)
    first = 1 + number * operations // CRASHES
    second = 1 + 13 * number % max(1, operations - first)
    assert Life(words, tmp_path, {"operation": first, "does": "all killed"}, run).ended().status == -9
    assert gone_on_with(run, words, mishap={"operation": second, "does": "all killed"}, inside=run).status == -9
    ended = gone_on_with(run, words)
    assert ended.status == 0, ended.err
    assert as_if_nothing_had_been(run, wholes.run())


@pytest.mark.parametrize(("point", "phase", "engine", "seed"), [*product(NAMED, PHASES, ENGINES, SEEDS)])
def test_a_kill_at_a_named_point(
    point: str, phase: str, engine: str, seed: int, wholes: Wholes, tmp_path: Path
) -> None:
    """Of the process that is there, or, with the other seeds, of all processes of the command."""
    run, does = tmp_path / "run", "all killed" if seed else "killed"
    words = searching(wholes.images, run, *ENGINES[engine], seed=seed)
    mishap = {"point": point, "hit": PHASES[phase](wholes.hits[seed][point]), "does": does}
    killed = Life(words, tmp_path, mishap).ended()
    assert killed.status in (-9, 2), killed.err
    if killed.status == 2:
        assert does == "killed"
        assert told_in_one_line(killed).startswith(GOES_ON)
    ended = gone_on_with(run, words)
    assert ended.status == 0, ended.err
    assert as_if_nothing_had_been(run, wholes.run(seed))
    under_way = int(ENGINES[engine][1])
    assert killed.hits.get("a step", 0) + ended.hits.get("a step", 0) <= wholes.hits[seed]["a step"] + under_way
