"""Fast and published steps on the same mini-batches learn the same."""

from __future__ import annotations

import pytest

from benchmarks.guard import curves, report


def test_curves_begin_together_and_the_report_is_of_their_difference() -> None:
    found = [curves(seed, epochs=1) for seed in (0, 1)]
    for fast, naive in found:
        assert fast == pytest.approx(naive, rel=0.02)
    (row,) = report(found)
    assert row["difference"] == pytest.approx(row["fast"] - row["naive"])
    assert row["sd_of_difference"] < row["sd_of_seeds"]
