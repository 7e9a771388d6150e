"""A supernet whose blocks have copies of their weights, searched; and what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cleave
from cleave.errors import UserError
from cleave.resolve import resolve
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.split.weight_copies import usual

NAME = "split.splitter=weight-copies: "
SETTINGS: dict[str, Any] = {
    "data.limit": 96, "data.image_size": 8, "space.channels": 2, "method.samples": 3, "search.epochs": 1,
    "search.batch_size": 24, "trust.panel": 2, "trust.control": 1,
}  # fmt: skip


def recipe(**sections: dict[str, Any]) -> Recipe:
    split = {"splitter": "weight-copies", **sections.pop("split", {})}
    return Recipe.model_validate({"method": {"name": "rsps"}, **sections, "split": split})


def test_a_run_is_ranked_looked_at_and_trained_on_with_its_weights(tmp_path: Path) -> None:
    found = cleave.search(method="rsps", splitter="weight-copies", settings=SETTINGS, out=tmp_path / "run")
    assert [leaf["path"] for leaf in found.leaves] == ["root"]
    assert cleave.rank(tmp_path / "run", sample=4, alone=1)["rows"]["supernet"]
    trained = cleave.train(tmp_path / "run", out=tmp_path / "on", weights="supernet", epochs=1)
    taken, own = (dict(each.network().named_parameters()) for each in (found, trained))
    assert {name: each.shape for name, each in taken.items()}.items() <= {n: e.shape for n, e in own.items()}.items()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"split": {"thresholds": [3, 2]}}, r"split\.thresholds=\[3, 2\] do not rise; give each number once"),
        ({"split": {"thresholds": [2, 2]}}, r"split\.thresholds=\[2, 2\] do not rise"),
        (
            {"split": {"thresholds": [3, 9]}},
            r"split\.thresholds=\[3, 9\]: no architecture has more than 9 convolutions",
        ),
        ({"method": {"name": "darts"}}, r"with method\.name=darts .* use method\.name=rsps"),
        ({"method": {"name": "random"}}, r"with method\.name=random .* use method\.name=rsps"),
        ({"method": {"name": "proxyless"}}, r"with method\.name=proxyless .* use method\.name=rsps"),
        (
            {"space": {"ops": ["none", "skip_connect"]}},
            "no architecture has more than 0 convolutions",
        ),
        ({"space": {"name": "mobilenet-ofa"}}, r"a kind of block of mobilenet-ofa has no copies of its weights"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(sections: dict[str, Any], words: str) -> None:
    asked = recipe(**sections)
    with pytest.raises(UserError, match=rf"^{NAME}{words}"):
        resolve(asked, find_space(asked.space))


@pytest.mark.parametrize(("cells", "found"), [(1, [3, 4]), (5, [15, 20])])
def test_thresholds_are_the_published_parts_of_the_deepest_architecture(cells: int, found: list[int]) -> None:
    space = find_space("nasbench201")
    resolved, _ = resolve(recipe(space={"name": "nasbench201", "cells": cells}), space)
    assert resolved.split.model_dump()["thresholds"] == found


def test_of_two_thresholds_that_are_one_in_a_shallow_space_there_is_one() -> None:
    assert usual(2) == [1]
