"""A choice that was split although its candidates were not told apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cleave.guards import Alike, NodeSplit
from tests.tiny import RSPS, Ended, search, write_images

FLAT = [[0.0, -2.0, -2.0], [-2.0, 0.0, -2.0], [-2.0, -2.0, 0.0]]
UNEVEN = [[0.0, -2.0, -2.0], [-2.0, 0.0, -1.0], [-2.0, -1.0, 0.0]]


@pytest.mark.parametrize(
    ("similarities", "groups", "raised"),
    [(FLAT, 2, True), (FLAT, 3, False), (UNEVEN, 2, False), ([[0.0, 0.0], [0.0, 0.0]], 2, False), ((), 2, False)],
)
def test_equal_similarities_are_an_alarm_where_there_is_more_than_one_cut(
    similarities: Sequence[Sequence[float]], groups: int, raised: bool
) -> None:
    assert (Alike().at_split(NodeSplit("metric", "3<-0", similarities, groups)) is not None) is raised


@pytest.mark.parametrize(("ops", "raised"), [("[none, skip_connect, avg_pool_3x3]", ["alike"]), ("5", [])])
def test_a_search_whose_criterion_tells_nothing_says_so(
    ops: str, raised: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = write_images(tmp_path / "images")
    changes = {"split.splitter": "metric", "split.metric": "params", "split.splits": 1, "guards.off": "[collapse]"}
    ended = Ended(search(images, tmp_path / "run", {**RSPS, **changes, "space.ops": ops}), capsys)
    assert ended.status == 0, ended.err
    found = json.loads((tmp_path / "run" / "result.json").read_text())["guards"]
    assert [(each["guard"], each["leaf"]) for each in found] == [(name, "root") for name in raised]
    assert "by split.splitter=metric, so that its groups say nothing" in ended.err or not raised
