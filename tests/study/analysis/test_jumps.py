"""Jumps between looks, on logs where it is known how far everything jumps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import kendalltau

from cleave.study.analysis.jumps import jumps
from cleave.study.record.log import Log, Numbers
from cleave.study.telling.metrics_text import jump_lines
from tests.fresh import fresh
from tests.study.made import joined, log_of

CHILDREN = ("111", "112", "113", "121", "122")


def looks_at(accuracy: Numbers, statistics: str, instance: int = 0) -> Log:
    return log_of(CHILDREN, accuracy, statistics=statistics, instance=instance)


def together(*logs: Log) -> Log:
    return joined(CHILDREN, *logs)


def test_jumps_are_the_mean_distance_between_successive_looks() -> None:
    random = fresh()
    accuracy = random.uniform(20, 80, (7, 5))
    found = jumps(looks_at(accuracy, "running"), seed=0)
    assert found is not None
    changes = [abs(after - before) for before, after in pairwise(accuracy)]
    alike = [kendalltau(before, after).statistic for before, after in pairwise(accuracy)]
    part = found["running"]
    assert part["change"]["value"] == pytest.approx(np.mean(changes))
    assert part["change"]["low"] <= part["change"]["value"] <= part["change"]["high"]
    assert part["square"] == pytest.approx(np.mean(np.square(changes)))
    assert part["consecutive_tau"]["value"] == pytest.approx(np.mean(alike))
    assert part["share"] == 1


def test_half_the_jump_under_other_statistics_is_a_quarter_of_its_square() -> None:
    random = fresh()
    steps = random.normal(size=(9, 5)).cumsum(axis=0)
    found = jumps(together(looks_at(50 + steps, "running"), looks_at(50 + steps / 2, "recalibrated")), seed=0)
    assert found is not None
    assert list(found) == ["running", "recalibrated"]
    assert found["recalibrated"]["share"] == pytest.approx(0.25)
    assert found["recalibrated"]["change"]["value"] == pytest.approx(found["running"]["change"]["value"] / 2)


def test_no_jump_is_made_from_one_instance_to_the_next() -> None:
    constant = np.tile(np.arange(5.0), (3, 1))
    found = jumps(together(looks_at(constant, "running"), looks_at(constant + 40, "running", instance=1)), seed=0)
    assert found is not None
    assert found["running"]["change"]["value"] == 0
    assert found["running"]["share"] is None, "no share of nothing"
    assert found["running"]["consecutive_tau"]["value"] == pytest.approx(1)


def test_a_single_look_has_no_jumps() -> None:
    assert jumps(looks_at(np.ones((1, 5)), "running"), seed=0) is None
    assert jump_lines(None) == []


def test_looks_in_which_all_children_are_equal_have_jumps_but_no_tau() -> None:
    found = jumps(looks_at(np.array([[1.0] * 5, [2.0] * 5]), "running"), seed=0)
    assert found is not None
    alike = found["running"]["consecutive_tau"]
    assert (alike["value"], alike["defined"], alike["of"]) == (None, 0, 1)
    assert jump_lines(found) == ["jumps, running: 1.00 points", "  their tau is defined in 0 of 1 pairs of looks"]


def test_people_are_told_what_is_left_of_the_jumps() -> None:
    steps = fresh().normal(size=(9, 5)).cumsum(axis=0)
    lines = jump_lines(jumps(together(looks_at(50 + steps, "running"), looks_at(50 + steps / 5, "batch")), seed=0))
    assert [line.split(":")[0] for line in lines] == [
        "jumps, running",
        "jumps, batch",
        "  squared 4 % [4 4] of the first kind's",
    ]
    assert all(len(line) <= 80 for line in lines)
