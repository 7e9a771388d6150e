"""How training one child moves the others: against planted effects, slow twins, and the published looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleave.study.analysis.interference import by_statistics, excess, gains, interference, since_trained
from cleave.study.record.log import Log, Looks, all_children, read_log
from tests.fresh import fresh
from tests.study.made import log_of, made_log, shuffled_rows, some_accuracies, some_children

SEED = 3


def planted(gain: float, effects: tuple[float, ...], looks: int = 96) -> Log:
    """All 64 children: good and bad ones, good and bad looks; the child just trained and those like it are better."""
    children = made_log(some_children(2), 1).space and all_children(made_log(some_children(2), 1).space)
    random = fresh()
    trained = [str(child) for child in random.permutation(np.resize(random.permutation(children), looks))]
    accuracy = random.normal(60, 5, size=(1, 64)) + random.normal(0, 5, size=(looks, 1))
    accuracy = accuracy + random.normal(0, 0.5, size=(looks, 64))
    for look, just in enumerate(trained):
        for column, child in enumerate(children):
            accuracy[look, column] += sum(effects[edge] for edge in range(3) if child[edge] == just[edge])
        accuracy[look, children.index(just)] += gain
    return log_of(children, accuracy, trained=trained)


def published(shared: Path) -> Log:
    folder = shared / "data" / "deeper-insights"
    return read_log(folder / "share_all_acc_last128.csv", folder / "order_one_0.txt")


def test_effects_of_shared_choices_are_found_whatever_the_child_just_trained_gains() -> None:
    effects = tuple(fresh().uniform(-3, 3, size=3))
    report = interference(planted(20.0, effects), SEED)
    assert report is not None
    for found, effect in zip(report["shared"], effects, strict=True):
        assert found["value"] == pytest.approx(effect, abs=0.4)
        assert found["low"] < found["value"] < found["high"]
    assert [found["choice"] for found in report["shared"]] == ["O01", "O02", "O12"]


def test_the_gain_of_the_child_just_trained_is_found_beside_good_children_and_good_looks() -> None:
    report = interference(planted(5.0, (0.0, 0.0, 0.0)), SEED)
    assert report is not None
    now, before = report["since"][0], report["since"][1]
    assert now["value"] == pytest.approx(5.0, abs=0.5)
    assert now["low"] < now["value"] < now["high"]
    assert before["value"] == pytest.approx(0.0, abs=0.6)


def test_mini_batches_since_a_childs_own_are_counted_one_by_one() -> None:
    children = some_children(4)
    order = [children[number] for number in (0, 1, 0, 3, 1)]
    looks = log_of(children, some_accuracies(5, 4), trained=order).looks(0, dense=True)
    nan = np.nan
    expected = [[0, nan, nan, nan], [1, 0, nan, nan], [0, 1, nan, nan], [1, 2, nan, 0], [2, 0, nan, 1]]
    np.testing.assert_array_equal(since_trained(looks), expected)


def test_gains_are_means_over_children_that_many_mini_batches_ago() -> None:
    children, random = some_children(9), fresh()
    order = [str(child) for child in random.choice(children, size=40)]
    looks = log_of(children, some_accuracies(40, 9), trained=order).looks(0, dense=True)
    found = gains([looks], SEED)
    for row in found:
        values = slow_gains(looks, row["steps"])
        assert row["n"] == len(values)
        assert row["value"] == pytest.approx(np.mean(values))


def slow_gains(looks: Looks, steps: int) -> list[float]:
    accuracy, values = looks.accuracy.tolist(), []
    for look in range(len(looks)):
        for column, child in enumerate(looks.children):
            before = [earlier for earlier in range(look + 1) if looks.trained[earlier] == child]
            if before and look - before[-1] == steps:
                beside = [row[column] - sum(row) / len(row) for row in accuracy]
                values.append(beside[look] - sum(beside) / len(beside))
    return values


def test_excess_has_no_mean_by_child_or_by_look() -> None:
    looks = made_log(some_children(7), 11).looks(0, dense=True)
    found = excess(looks)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-10)


def test_several_instances_and_groups_are_taken_together() -> None:
    children = some_children(12)
    log = made_log(children, 6, instances=3, groups=[children[:5], children[5:]])
    report = interference(log, SEED)
    assert report is not None
    assert (report["supernets"], report["looks"]) == (6, 36)
    assert report["since"][0]["n"] == 36


def test_rows_in_another_order_change_nothing() -> None:
    log = made_log(some_children(10), 12)
    assert interference(shuffled_rows(log), SEED) == interference(log, SEED)


def test_a_log_that_does_not_say_what_was_trained_has_no_interference() -> None:
    children = some_children(5)
    assert interference(log_of(children, some_accuracies(4, 5)), SEED) is None
    assert interference(made_log(children, 0, epochs=3), SEED) is None


def test_supernets_of_one_child_or_with_one_look_have_nothing_to_compare() -> None:
    children = some_children(4)
    log = made_log(children, 6, groups=[children[:1], children[1:2], children[2:]])
    report = interference(log, SEED)
    assert report is not None
    assert (report["supernets"], report["looks"]) == (1, 6)
    assert interference(made_log(children, 1), SEED) is None


def test_every_kind_of_statistics_has_its_own_interference() -> None:
    log = made_log(some_children(8), 12, statistics=("tracked", "recalibrated"))
    found = by_statistics(log, SEED)
    assert found == {kind: interference(log, SEED, kind) for kind in ("tracked", "recalibrated")}
    assert found["tracked"] != found["recalibrated"]
    assert by_statistics(made_log(some_children(8), 0, epochs=1), SEED) == {}


def test_a_choice_that_all_children_share_has_no_effect_of_its_own() -> None:
    children = tuple(child for child in all_children(made_log(some_children(2), 1).space) if child[1] == "3")
    report = interference(log_of(children, some_accuracies(32, 16), trained=list(children) * 2), SEED)
    assert report is not None
    assert [found["value"] is None for found in report["shared"]] == [False, True, False]


def test_effects_that_cannot_be_told_apart_are_not_told() -> None:
    children = ("111", "222", "333", "444")
    report = interference(log_of(children, some_accuracies(8, 4), trained=list(children) * 2), SEED)
    assert report is not None
    assert [found["value"] for found in report["shared"]] == [None, None, None]


def test_any_space_has_its_own_choices_and_children_trained_need_not_be_among_those_looked_at() -> None:
    children = some_children(20, "nasbench201")
    log = made_log(children, 40, space="nasbench201")
    seen = log.where(dense=True)
    kept = np.isin(seen.rows["evaluated"], children[:15])
    fewer = Log(log.name, {**log.meta, "children": list(children[:15])}, {k: v[kept] for k, v in log.rows.items()})
    report = interference(fewer, SEED)
    assert report is not None
    assert [found["choice"] for found in report["shared"]] == [choice.name for choice in log.space.choices]
    assert all(found["value"] is not None for found in report["shared"])
    assert report["since"][0]["n"] == 30


def test_the_published_looks_give_the_published_gains(shared: Path) -> None:
    report = interference(published(shared), SEED)
    assert report is not None
    assert [round(row["value"], 1) for row in report["since"][:5]] == [5.0, 3.1, 1.3, 0.6, 0.3]


def test_the_published_looks_give_the_published_effects(shared: Path) -> None:
    log = published(shared)
    report = interference(log, SEED)
    assert report is not None
    expected = (4.2, 0.7, 0.7)
    assert [row["value"] for row in report["shared"]] == pytest.approx(expected, abs=0.12)
    assert [round(marginal(log.looks(0, dense=True).last(64), edge), 1) for edge in range(3)] == list(expected)


def marginal(looks: Looks, edge: int) -> float:
    """The mean of those who share an edge's operation, the child itself among them, less that of the others."""
    differences = []
    for row, trained in zip(looks.accuracy, looks.trained, strict=True):
        assert trained is not None
        sharing = np.array([child[edge] == trained[edge] for child in looks.children])
        differences.append(row[sharing].mean() - row[~sharing].mean())
    return float(np.mean(differences))
