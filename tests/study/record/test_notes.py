"""Keys that were given without having a meaning are named; those that have one are not."""

from __future__ import annotations

from typing import Any

import pytest

from cleave.study.record.notes import meaningless
from tests.study.small import recipe_of

GROUPS = {"sharing.policy": "groups", "sharing.groups": 2}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"sharing.groups": 2}, "sharing.groups"),
        ({"sharing.cells": 2}, "sharing.cells"),
        ({"sharing.policy": "prefix", "sharing.cells": 1, "sharing.pattern": "Conv"}, "sharing.pattern"),
        ({"sharing.policy": "none", "sharing.seed": 1}, "sharing.seed"),
        ({"sharing.budget": "matched"}, "sharing.budget"),
        ({**GROUPS, "sharing.seed": 1}, "sharing.seed"),
        ({**GROUPS, "sharing.file": "groups.csv"}, "sharing.file"),
        ({**GROUPS, "sharing.by": "given", "sharing.file": "groups.csv"}, "sharing.groups"),
        ({"data.judge": "test", "data.report_test": True}, "data.report_test"),
        ({"vary": "order", "instances": 2}, "vary=order"),
    ],
)
def test_a_key_without_a_meaning_is_named(changes: dict[str, Any], key: str) -> None:
    [note] = meaningless(recipe_of(changes))
    assert note.startswith(key)
    assert "\n" not in note


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sharing.policy": "none", "sharing.budget": "matched"},
        {**GROUPS, "sharing.by": "shuffled", "sharing.seed": 1, "sharing.budget": "matched"},
        {**GROUPS, "sharing.by": "clustered", "sharing.file": "log.parquet"},
        {"sharing.policy": "groups", "sharing.by": "given", "sharing.file": "groups.csv"},
        {"sharing.policy": "prefix", "sharing.cells": 0},
        {"sharing.policy": "pattern", "sharing.pattern": "Conv"},
        {"vary": "order", "instances": 1},
        {"vary": "order", "instances": 2, "training.order": "iid"},
        {"data.report_test": True},
    ],
)
def test_a_key_with_a_meaning_is_not(changes: dict[str, Any]) -> None:
    assert meaningless(recipe_of(changes)) == []
