"""The study of successive rejects, on cases that take a second."""

from __future__ import annotations

import pytest

from benchmarks.rejects import Case, measure, report

TINY = ("data.limit=400", "space.channels=2", "search.epochs=1", "search.eval_batch_size=20")


def test_a_case_is_measured_and_the_same_again() -> None:
    case = measure(3, samples=12, changes=TINY)
    assert case.batches == 10
    assert 0 <= case.average <= case.best <= 100
    assert case.chosen <= case.best
    assert measure(3, samples=12, changes=TINY) == case


def test_the_report_is_of_what_was_lost() -> None:
    found = report([Case(50, 40, 50, 16), Case(60, 40, 58, 16), Case(55, 45, 54, 16)])
    assert found["regret"] == pytest.approx(1)
    assert found["worst"] == 2
    assert found["same"] == pytest.approx(1 / 3)
    assert found["best_over_average"] == pytest.approx(40 / 3)
    low, high = found["interval"]  # type: ignore[misc]
    assert 0 <= low <= 1 <= high <= 2
