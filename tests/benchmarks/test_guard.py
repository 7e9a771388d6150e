"""Fast and published steps on the same mini-batches do the same; what follows of it is compared as distributions."""

from __future__ import annotations

from math import isfinite
from statistics import stdev

import pytest

from benchmarks.guard import curves, leaf_of, losses, report, step
from benchmarks.pairs import trainer_of
from benchmarks.works import in_float64


def test_after_each_of_the_first_steps_both_have_the_same_loss() -> None:
    """In float64: roundings differ between the two, and grow from step to step."""
    learner = in_float64(leaf_of(seed=0, epochs=1))
    trainer = trainer_of(learner)
    seen = [losses(learner, trainer)]
    for _ in range(2):
        step(learner, trainer)
        seen.append(losses(learner, trainer))
    assert len({fast for fast, _ in seen}) == 3, "the steps change something"
    for fast, naive in seen:
        assert fast == pytest.approx(naive, rel=1e-9)


def test_curves_have_a_loss_for_every_epoch() -> None:
    for curve in curves(0, epochs=1):
        assert len(curve) == 1
        assert isfinite(curve[0])
        assert curve[0] > 0


def test_the_report_is_of_the_difference_epoch_by_epoch() -> None:
    found = [([2.0, 1.5], [2.25, 1.0]), ([3.0, 1.0], [2.75, 2.0]), ([4.0, 2.0], [4.0, 3.0])]
    first, second = report(found)
    assert first == pytest.approx(
        {"fast": 3, "naive": 3, "difference": 0, "sd_of_difference": 0.25, "sd_of_seeds": stdev([2.25, 2.75, 4])}
    )
    assert second["difference"] == pytest.approx(-0.5)
    assert second["sd_of_difference"] == pytest.approx(stdev([0.5, -1, -1]))
