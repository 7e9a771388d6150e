"""Cells that collapsed to skip connections are an alarm, published ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleave.guards.collapse import COLLAPSED, most_skipping
from cleave.ops import Operation
from cleave.space import Cell, Layout, Link
from cleave.space.darts import Darts, DartsSpaceSettings
from tests.space.test_darts import PUBLISHED, written
from tests.tiny import RSPS, Ended, search, write_images

ALARM = "half of the edges of a cell or more are skip connections, a sign of collapse"


def genotype(normal: str, reduce: str = "sep_conv_3x3 0 sep_conv_3x3 1 " * 4) -> str:
    """In the notation of DARTS, from operations and sources in turn."""
    cells = {kind: words.split() for kind, words in (("normal", normal), ("reduce", reduce))}
    pairs = {kind: list(zip(words[::2], map(int, words[1::2]), strict=True)) for kind, words in cells.items()}
    return f"Genotype(normal={pairs['normal']}, reduce={pairs['reduce']})"


DARTS_V1 = genotype(
    "sep_conv_3x3 1 sep_conv_3x3 0 skip_connect 0 sep_conv_3x3 1 skip_connect 0 sep_conv_3x3 1 sep_conv_3x3 0 "
    "skip_connect 2",
    "max_pool_3x3 0 max_pool_3x3 1 skip_connect 2 max_pool_3x3 0 max_pool_3x3 0 skip_connect 2 skip_connect 2 "
    "avg_pool_3x3 0",
)
DARTS_V2 = genotype(
    "sep_conv_3x3 0 sep_conv_3x3 1 sep_conv_3x3 0 sep_conv_3x3 1 sep_conv_3x3 1 skip_connect 0 skip_connect 0 "
    "dil_conv_3x3 2",
    "max_pool_3x3 0 max_pool_3x3 1 skip_connect 2 max_pool_3x3 1 max_pool_3x3 0 skip_connect 2 skip_connect 2 "
    "max_pool_3x3 1",
)
"""Of the released code of Liu et al., 2019."""
SKIPS = "skip_connect 0 skip_connect 1 " * 2
CONVOLUTIONS = "sep_conv_3x3 0 sep_conv_3x3 1 " * 2
COLLAPSES = {
    "all of the normal cell": genotype(2 * SKIPS),
    "half of it": genotype(CONVOLUTIONS + SKIPS),
    "the nodes of the reduction cell": genotype(2 * CONVOLUTIONS, CONVOLUTIONS + "skip_connect 2 skip_connect 3 " * 2),
}


def skipping(genotype: str) -> float:
    return most_skipping(Darts().layout(DartsSpaceSettings(), 3), Darts().parse(genotype))


@pytest.mark.parametrize(("name", "share"), list(zip(COLLAPSES, (1.0, 0.5, 0.5), strict=True)))
def test_a_cell_that_collapsed_is_an_alarm(name: str, share: float) -> None:
    assert skipping(COLLAPSES[name]) == share >= COLLAPSED


@pytest.mark.parametrize(
    ("genotype", "share"),
    [(DARTS_V1, 3 / 8), (DARTS_V2, 3 / 8), *((written(*each[:2]), None) for each in PUBLISHED.values())],
)
def test_published_genotypes_are_no_alarm(genotype: str, share: float | None) -> None:
    assert skipping(genotype) < COLLAPSED
    assert genotype.count("skip_connect") / 16 < COLLAPSED
    assert share in (None, skipping(genotype))


def test_skip_connections_that_halve_the_image_have_weights() -> None:
    assert skipping(genotype(2 * CONVOLUTIONS, CONVOLUTIONS + SKIPS)) == 0


def test_what_skips_is_known_by_what_it_does_and_not_by_its_name() -> None:
    cell = Cell(2, (Link("a", 0, 1), Link("b", 0, 2), Link("c", 1, 2)), outputs=(2,))
    operations = {"wire": Operation(print, identity=True), "skip_connect": Operation(print)}
    layout = Layout((("cell", cell),), 2, operations=operations)
    assert most_skipping(layout, {"a": "wire", "b": "skip_connect", "c": "skip_connect"}) == 1 / 3
    assert most_skipping(layout, {"a": "wire", "c": "wire"}) == 1
    assert most_skipping(layout, {}) == 0


def test_a_search_that_found_nothing_but_skip_connections_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {
        **RSPS, "space.name": "darts", "space.ops": "[none, skip_connect]", "trust.control": 0, "trust.panel": 0,
        "split.splitter": "none",
    }  # fmt: skip
    told = Ended(search(write_images(tmp_path / "images"), tmp_path / "run", changes), capsys)
    assert told.status == 0, told.err
    result = json.loads(told.out)
    assert result["trust"]["leaves"][0]["cell_skip_share"] == 1
    (raised,) = result["guards"]
    assert (raised["guard"], raised["leaf"]) == ("collapse", "root")
    assert raised["says"].startswith(ALARM)
    shown = Ended(["show", str(tmp_path / "run")], capsys).out
    assert f"Warning: leaf root: {ALARM}" in " ".join(shown.split())
