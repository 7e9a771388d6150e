"""The study of recalibrated subnets, on a supernet that takes a second."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.subnets import lost, measure

TINY = ("data.limit=120", "data.image_size=8", "search.epochs=1", "search.batch_size=30", "space.width=0.1")


def test_subnets_are_judged_in_every_way() -> None:
    found = measure(subnets=2, naive=1, changes=TINY)
    assert (found["subnets"], found["one_by_one"], found["held_out"]) == (2, 1, 30)
    assert {way: each["images"] for way, each in found["ways"].items()} == {
        "mean": 2000, "mean-500": 500, "mean-200": 200, "forgetting": 480, "forgetting-16": 240,
    }  # fmt: skip
    for each in found["ways"].values():
        assert each["cheaper"] == pytest.approx(found["seconds_one_by_one"] / each["seconds"])
        assert 0 <= each["apart"] <= each["worst"]
    assert found["ways"]["mean"]["worst"] == 0
    assert found["other_images"]["accuracy"] <= 100


def test_what_is_lost_is_told_in_points() -> None:
    found = lost([50, 61, 40], [51, 60, 43])
    assert found["difference"] == pytest.approx(-1)
    assert found["apart"] == pytest.approx(5 / 3)
    assert (found["worst"], found["tau"]) == (3, 1)
    assert np.isclose(found["accuracy"], 151 / 3)
