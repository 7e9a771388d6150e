"""A ranking for the eye."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cleave.rank.published import SOURCE, published_rows
from cleave.rank.text import print_ranking, short, title
from cleave.space.nb201 import OPERATIONS, NASBench201
from cleave.stats.ranking import score
from tests.fresh import fresh


def some_ranking(count: int) -> dict[str, Any]:
    random = fresh()
    true = random.normal(90, 4, size=count)
    names = ("supernet", "few_shot", "random", "epoch12")
    rows = {name: score(true + random.normal(0, 4, size=count), true, seed=0) for name in names}
    return {
        "run": "runs/one",
        "file": "runs/one/ranking.csv",
        "dataset": "imagenet16-120",
        "truth": {"from": "table", "file": "table.npz"},
        "architectures": count,
        "images": 500,
        "judged_by": {"statistics": "forgetting", "batches": 20, "images": 1280},
        "as_searched": False,
        "averaged": 3,
        "seconds": 61.2,
        "guards": [],
        "rows": rows | published_rows(NASBench201(), "cifar10"),
        "next": "cleave train runs/one --arch ARCH",
    }


@pytest.mark.parametrize("count", [2, 30, 3000])
def test_it_fits_eighty_columns_and_shows_every_row(
    count: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = some_ranking(count)
    print_ranking(told)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    for name, row in told["rows"].items():
        line = next(
            line for line in out.splitlines() if line.startswith(name[:9]) and short(row["kendall"]["value"]) in line
        )
        assert short(row["spearman"]["value"]) in line
    for words in (
        f"{count:,} architectures",
        "recalibrated statistics: a moving average over 1,280 training images, unlike in the search",
        "3 snapshots",
        SOURCE.split(",")[0],
        told["file"],
        "61 s",
    ):
        assert words in " ".join(out.split())


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ({"from": "file", "file": "runs/other/ranking.csv", "column": "true"}, "true of runs/other/ranking.csv"),
        (
            {"from": "alone", "epochs": 1, "images": 5000},
            "held-out accuracy (n = 5,000) after training alone for 1 epoch;",
        ),
        ({"from": "alone", "epochs": 20, "images": 60}, "(n = 60) after training alone for 20 epochs;"),
    ],
)
def test_it_says_what_the_truth_is(truth: dict[str, Any], words: str) -> None:
    assert words in title({**some_ranking(4), "truth": truth}).plain


def test_numbers_are_short_and_unknown_ones_a_dash() -> None:
    assert [short(value) for value in (0.4841, -0.05, 1.0, -1.0, 0.0, None)] == [
        ".484", "-.050", "1.000", "-1.000", ".000", "-",
    ]  # fmt: skip


def test_published_figures_are_only_for_the_whole_space_and_its_data_set() -> None:
    assert len(published_rows(NASBench201(), "cifar10")) == 2
    assert published_rows(NASBench201(), "cifar100") == {}
    assert published_rows(NASBench201(OPERATIONS[1:]), "cifar10") == {}
    for row in published_rows(NASBench201(), "cifar10").values():
        assert row.keys() - {"published"} == score(np.arange(5.0), np.arange(5.0), seed=0).keys()
