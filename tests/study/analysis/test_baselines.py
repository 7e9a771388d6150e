"""Baselines, against slow twins and the published truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleave.net.cost import costs
from cleave.space import NetworkSize, find_space
from cleave.study.analysis.baselines import additive, additive_from_others, baselines, expected, weightless
from cleave.study.analysis.metrics import taus
from cleave.study.record.log import Log
from cleave.study.record.truth import Truth, read_truth
from tests.fresh import fresh
from tests.reference import study as slow
from tests.study.made import log_of, made_log, some_accuracies, some_children

SPACES = ("cells64", "nasbench201")


def some_truth(count: int) -> Truth:
    return Truth("made", some_accuracies(count))


@pytest.mark.parametrize("space", SPACES)
def test_every_baseline_scores_every_child(space: str) -> None:
    log = made_log(some_children(20, space), 1, space=space)
    found = baselines(log, some_truth(20), seed=0)
    assert all(scores.shape == (20,) and np.isfinite(scores).all() for scores in found.values())


def test_pools_skips_and_nothing_have_no_weights() -> None:
    cells = find_space("cells64")
    assert weightless(cells, [cells.parse(name) for name in ("111", "121", "432", "214")]).tolist() == [3, 2, 0, 1]
    nb201 = find_space("nasbench201")
    name = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
    assert weightless(nb201, [nb201.parse(name)]).tolist() == [4]


def test_sizes_are_those_of_the_logs_own_network() -> None:
    made = made_log(some_children(15), 1)
    small = {"space": {"name": "cells64", "ops": None, "channels": 4, "cells": 2}, "image": [1, 8, 6], "classes": 3}
    log = Log("small", {**made.meta, **small}, made.rows)
    cost = costs(log.space, NetworkSize(channels=4, cells=2), (1, 8, 6), 3)
    each = [cost.of(log.space.parse(child)) for child in log.children]
    found = baselines(log, some_truth(15), seed=0)
    assert found["parameters"].tolist() == [one.parameters for one in each]
    assert found["multiply-adds"].tolist() == [one.multiply_adds for one in each]


def test_chance_is_seeded() -> None:
    log, truth = made_log(some_children(9), 1), some_truth(9)
    first, again, other = (baselines(log, truth, seed)["random"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


def test_the_additive_fit_is_that_of_the_slow_twin() -> None:
    space, children = find_space("cells64"), some_children(25)
    true = some_accuracies(25)
    wanted = slow.additive([tuple(space.parse(child).values()) for child in children], true.tolist())
    assert additive(space, [space.parse(child) for child in children], true) == pytest.approx(wanted, abs=1e-6)


def test_a_truth_that_is_additive_is_predicted_from_the_others_exactly() -> None:
    space = find_space("cells64")
    archs = [space.parse(child) for child in made_log(some_children(64), 1).children]
    worth = {(choice.name, name): fresh().normal() for choice in space.choices for name in choice.candidates}
    true = np.array([70 + sum(worth[chosen] for chosen in arch.items()) for arch in archs])
    assert additive_from_others(space, archs, true) == pytest.approx(true)


def test_a_child_is_predicted_without_its_own_accuracy() -> None:
    space = find_space("cells64")
    archs, true = [space.parse(child) for child in some_children(20)], some_accuracies(20)
    changed = true.copy()
    changed[7] += 40
    before, after = (additive_from_others(space, archs, values) for values in (true, changed))
    assert before[7] == after[7]
    assert not (before == after).all()


def test_noise_is_ranked_well_by_the_fit_but_not_from_the_others() -> None:
    space = find_space("cells64")
    archs = [space.parse(child) for child in some_children(64)]
    noise = fresh().normal(size=(30, 64))
    fits = [taus(additive(space, archs, true)[np.newaxis], true)[0] for true in noise]
    honest = [taus(additive_from_others(space, archs, true)[np.newaxis], true)[0] for true in noise]
    assert np.mean(fits) > 0.15
    assert np.mean(honest) < 0.05


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_what_chance_gives_is_the_mean_over_all_ways_to_choose(count: int) -> None:
    true = some_accuracies(count)
    found = expected(true)
    for n in (1, 3):
        assert found[f"t{n}r"] == pytest.approx(slow.expected(true.tolist(), n, slow.tnr))
        assert found[f"top{n}"] == pytest.approx(slow.expected(true.tolist(), n, slow.top_accuracy))
        assert found[f"regret{n}"] == pytest.approx(true.max() - found[f"top{n}"])


def test_among_64_chance_gives_ranks_of_32_and_a_half_and_16_and_a_quarter() -> None:
    found = expected(some_accuracies(64))
    assert (found["gt_tau"], found["t1r"], found["t3r"]) == pytest.approx((0, 32.5, 16.25))


def test_of_the_published_truth_they_are_as_good_as_is_known(shared: Path) -> None:
    children = some_children(64)
    log = log_of(children, some_accuracies(1, 64))
    truth = read_truth(shared / "data" / "deeper-insights" / "gt64.csv", log)
    found = {name: taus(scores[np.newaxis], truth.mean)[0] for name, scores in baselines(log, truth, 0).items()}
    assert round(found["fewest weightless operations"], 2) == 0.79
    assert round(found["parameters"], 2) == 0.67
    assert round(found["additive, fitted on the truth"], 2) == 0.85
    assert 0.8 < found["additive, each from the others"] < found["additive, fitted on the truth"]
