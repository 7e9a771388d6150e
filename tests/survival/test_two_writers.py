"""Several at once want the same run: one has it, the others are told so; who is killed leaves it free at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process import until
from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.runs import ONE, TWO, as_if_nothing_had_been, gone_on_with, searching, told_in_one_line
from tests.tiny import part_generations

STARTS, HOLDERS = 50, 20


def test_of_all_that_start_at_once_in_one_folder_one_has_it(wholes: Wholes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = searching(wholes.images, run, *ONE)
    lives = [Life(words, tmp_path) for _ in range(STARTS)]
    first, *others = sorted((life.ended() for life in lives), key=lambda life: life.status or 0)
    assert first.status == 0
    for life in others:
        line = told_in_one_line(life)
        assert str(run) in line
        assert "in use by" in line or "cleave resume" in line, line
    assert as_if_nothing_had_been(run, wholes.run())


@pytest.mark.parametrize("number", range(HOLDERS))
def test_who_holds_a_run_and_is_killed_leaves_it_free_at_once(number: int, wholes: Wholes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = searching(wholes.images, run, *(TWO if number % 4 == 0 else ONE))
    holder = Life(words, tmp_path)
    until(lambda: part_generations(run) or (run / "result.json").exists())
    refused = Life(["resume", str(run), "--json", *ONE], tmp_path).ended()
    holder.kill()
    holder.ended()
    if refused.status:  # it was fast, and the run was finished
        assert "in use by process" in told_in_one_line(refused)
    ended = gone_on_with(run, words)
    assert ended.status == 0, ended.err
    assert as_if_nothing_had_been(run, wholes.run())
