"""The study of recalibrated subnets, on a supernet that takes a second."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.subnets import lost, measure

TINY = ("data.limit=120", "data.image_size=8", "search.epochs=1", "search.batch_size=30", "space.width=0.1")


def test_subnets_are_judged_both_ways() -> None:
    found = measure(subnets=3, naive=1, changes=TINY)
    assert (found["subnets"], found["one_by_one"], found["held_out"]) == (3, 1, 30)
    assert found["calibration"] == 480
    assert found["cheaper"] == pytest.approx(found["seconds"]["one_by_one"] / found["seconds"]["forgetting"])
    assert min(found["seconds"].values()) > 0
    assert 0 <= found["apart"] <= found["worst"]


def test_what_is_lost_is_told_in_points() -> None:
    found = lost([50, 61, 40], [51, 60, 43])
    assert found["difference"] == pytest.approx(-1)
    assert found["apart"] == pytest.approx(5 / 3)
    assert (found["worst"], found["tau"]) == (3, 1)
    assert np.isclose(found["accuracy"], 154 / 3)
