"""Figures of a ranking, against their definitions, scipy, and what is known of NAS-Bench-201."""

from __future__ import annotations

import csv
import gzip
import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from cleave.bench.table import Table
from cleave.rank.published import CORRELATIONS
from cleave.stats.kendall import kendall
from cleave.stats.ranking import among_top, precision, regret, score, spearman, true_order
from tests.fresh import fresh
from tests.reference import ties as slow

Numbers = NDArray[np.float64]


def coarse(count: int) -> tuple[Numbers, Numbers]:
    """Predictions and truth that go together somewhat, with many ties."""
    random = fresh()
    true = random.normal(size=count)
    return np.round(true + random.normal(size=count), 1), np.round(true, 1)


def test_rho_is_scipys() -> None:
    for count in (5, 60, 999):
        one, other = coarse(count)
        assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)


def test_the_same_order_is_one_the_opposite_minus_one_and_a_constant_has_none() -> None:
    numbers = fresh().permutation(50).astype(float)
    for correlation in (kendall, spearman):
        assert correlation(numbers, np.exp(numbers / 10)) == pytest.approx(1)
        assert correlation(numbers, -numbers) == pytest.approx(-1)
        assert isnan(correlation(numbers, np.ones(50)))
        assert isnan(correlation(numbers[:1], numbers[:1]))


def test_a_perfect_prediction_finds_all_and_loses_nothing() -> None:
    true = fresh().normal(size=300)
    found = score(2 * true - 1, true, seed=0)
    assert found["precision"] == {"10": 1, "50": 1, "100": 1}
    assert found["regret"] == {"1": 0, "10": 0, "100": 0}
    assert found["kendall"] == pytest.approx({"value": 1, "low": 1, "high": 1})
    assert [top["kendall"] for top in found["top"].values()] == [None, None, *[pytest.approx(1)] * 3]


def test_precision_and_regret_by_hand() -> None:
    true = np.array([90.0, 91, 92, 93, 94, 95])
    predicted = np.array([5.0, 6, 1, 2, 3, 4])  # picks 91, 90, 95, 94, ...
    assert precision(predicted, true, 2) == 0
    assert precision(predicted, true, 3) == pytest.approx(1 / 3)
    assert precision(predicted, true, 6) == 1
    assert [regret(predicted, true, n) for n in (1, 2, 3)] == [4, 4, 0]
    assert isnan(precision(predicted, true, 7))
    assert isnan(regret(predicted, true, 7))


def test_a_constant_prediction_does_as_chance_does() -> None:
    true = fresh().permutation(200) + 1.0
    constant = np.zeros(200)
    assert precision(constant, true, 50) == pytest.approx(0.25)
    assert regret(constant, true, 1) == pytest.approx(200 - 100.5)
    assert regret(constant, true, 10) == pytest.approx(201 / 11 - 1)
    assert score(constant, true, seed=0)["kendall"] == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_ties_are_shared_over_all_ways_to_choose(count: int) -> None:
    random = fresh()
    for _ in range(20):
        predicted, true = random.integers(0, 3, size=(2, 6)).astype(float)
        expected = slow.precision(predicted.tolist(), true.tolist(), count)
        assert precision(predicted, true, count) == pytest.approx(expected)
        best = slow.best_of_highest(predicted.tolist(), true.tolist(), count)
        assert regret(predicted, true, count) == pytest.approx(true.max() - best)


def test_the_order_of_the_rows_is_no_part_of_the_figures() -> None:
    random = fresh()
    predicted, true = coarse(400)
    mixed = random.permutation(400)
    one, other = score(predicted, true, seed=0), score(predicted[mixed], true[mixed], seed=0)
    for name in ("precision", "regret"):
        assert one[name] == pytest.approx(other[name])
    untied = random.normal(size=400)
    one, other = score(predicted, untied, seed=0), score(predicted[mixed], untied[mixed], seed=0)
    for percent, top in one["top"].items():
        assert top == pytest.approx(other["top"][percent])


def test_the_true_best_are_cut_as_the_literature_cuts_them() -> None:
    """4,096 architectures have 8, 20 and 40 in their top .2, .5 and 1 % (GM-NAS, table 7)."""
    true = fresh().normal(size=4096)
    top = score(true, true, seed=0)["top"]
    assert {percent: part["count"] for percent, part in top.items()} == {
        "0.2": 8,
        "0.5": 20,
        "1": 40,
        "5": 204,
        "10": 409,
    }


def test_among_the_best_only_the_best_count() -> None:
    predicted, true = coarse(100)
    best = true_order(true)[:20]
    assert true[best].min() >= np.sort(true)[-20]
    assert among_top(predicted, true, 20)["kendall"] == kendall(predicted[best], true[best])
    assert among_top(predicted, true, 1) == {"count": 1, "kendall": None, "spearman": None}


def test_the_interval_holds_the_value_and_json_can_hold_all() -> None:
    predicted, true = coarse(500)
    found = score(predicted, true, seed=5)
    for name in ("kendall", "spearman"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert score(predicted, true, seed=5) == found
    json.dumps(score(predicted[:2], true[:2], seed=0), allow_nan=False)


@pytest.fixture(scope="module")
def published(shared: Path) -> tuple[Table, dict[str, Numbers], list[int]]:
    """The table, the columns of the released predictions, and their rows' places in the table."""
    folder = shared / "data" / "nasbench201"
    table = Table.load(folder / "nb201_tss.npz")
    with gzip.open(folder / "fewshot_supernet_predictions.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    names = ("oneshot_supernet", "fewshot_supernet", "nb201_v1_0_cifar10_test")
    columns = {name: np.array([float(row[name]) for row in rows]) for name in names}
    return table, columns, [table.index(row["arch"]) for row in rows]


def test_known_figures_of_nas_bench_201(published: tuple[Table, dict[str, Numbers], list[int]]) -> None:
    table, columns, places = published
    true = table.accuracies("cifar10", "test").astype(float)
    size = table.columns["params_mb_cifar10"].astype(float)
    assert kendall(size, true) == pytest.approx(0.5773, abs=1e-4)
    assert spearman(size, true) == pytest.approx(0.752, abs=5e-4)
    assert kendall(table.columns["e12_cifar10_test"].astype(float), true) == pytest.approx(0.7001, abs=1e-4)
    older = columns["nb201_v1_0_cifar10_test"]  # the truth that the floor in the literature was taken against
    assert among_top(size[places], older, 156)["spearman"] == pytest.approx(0.382, abs=2e-3)


@pytest.mark.parametrize(("row", "column"), [("one-shot", "oneshot_supernet"), ("few-shot", "fewshot_supernet")])
def test_the_published_rows_are_what_the_released_predictions_give(
    row: str, column: str, published: tuple[Table, dict[str, Numbers], list[int]]
) -> None:
    table, columns, places = published
    true = table.accuracies("cifar10", "test").astype(float)[places]
    found = (kendall(columns[column], true), spearman(columns[column], true))
    assert found == pytest.approx(CORRELATIONS[f"published {row}"], abs=5e-4)
