"""A NaN in every place of a training: one line before anything of it is saved, or it changes nothing."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from cleave.run.generations import read_record
from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.mishaps import PLACES, STEP_OF_SEARCH
from tests.survival.runs import MATCHING, ONE, PHASES, as_if_nothing_had_been, gone_on_with, searching, told_in_one_line
from tests.tiny import found


@pytest.mark.parametrize(("place", "phase"), [*product(PLACES, PHASES)])
def test_a_nan_is_told_before_it_is_saved_and_without_it_the_run_goes_on(
    place: str, phase: str, matching: Wholes, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = searching(matching.images, run, *ONE, kind=MATCHING)
    point = STEP_OF_SEARCH if "architecture" in place else "a step"
    hit = PHASES[phase](matching.hits[0][point])
    spoilt = Life(words, tmp_path, {"point": point, "hit": hit, "place": place}).ended()
    assert spoilt.hits[point] >= hit, "it never came to that"
    for generation in [*found(run, "**/checkpoints/[0-9]*"), *found(run, "leaves/*")]:
        read_record(generation)  # refuses what is not finite
    if spoilt.status != 0:
        assert any(each in told_in_one_line(spoilt) for each in ("learning_rate", "not finite", "nan")), spoilt.err
        assert gone_on_with(run, words).status == 0
    assert as_if_nothing_had_been(run, matching.run()), "it was taken for a number"
    assert "NaN" not in (run / "result.json").read_text()
    json.loads((run / "result.json").read_text())
