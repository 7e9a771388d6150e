"""The noise ceiling: from known runs, from simulated ones, and where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleave.study.analysis.ceiling import SIMULATIONS, Ceiling, ceiling, simulate
from cleave.study.analysis.metrics import mean_tau, s_tau, taus
from cleave.study.record.log import Numbers
from cleave.study.record.truth import Truth, read_truth
from tests.fresh import fresh
from tests.study.made import log_of, some_accuracies, some_children

RANDOM = fresh()


def known(finals: Numbers) -> Truth:
    return Truth("made", finals.mean(axis=0), finals.std(axis=0), len(finals), finals)


def summary(truth: Truth) -> Truth:
    """What a table says of the same runs."""
    return Truth("made", truth.mean, truth.std, truth.runs)


def figures(top: Ceiling | None) -> tuple[float, float, float]:
    """S-Tau between runs, GT-Tau of runs against all of them, and against the others."""
    assert top is not None

    def average(true: Numbers) -> float:
        return float(np.mean([taus(runs, other) for runs, other in zip(top.runs, true, strict=True)]))

    return float(np.mean([s_tau(runs) for runs in top.runs])), average(top.everyone), average(top.others)


def test_known_runs_are_held_against_the_mean_of_the_others_or_of_all() -> None:
    finals = some_accuracies(6, 20)
    top = ceiling(known(finals), seed=0)
    assert top is not None
    assert not top.simulated
    assert (top.runs == finals).all()
    for run in range(6):
        others = [other for other in range(6) if other != run]
        assert top.others[0, run] == pytest.approx(finals[others].mean(axis=0))
        assert top.everyone[0, run] == pytest.approx(finals.mean(axis=0))


def test_a_run_looks_better_against_a_mean_that_it_is_in() -> None:
    finals = 50 + RANDOM.normal(0, 1, size=40) + RANDOM.normal(0, 1, size=(5, 40))
    _, everyone, others = figures(ceiling(known(finals), seed=0))
    assert everyone > others + 0.02


def test_simulated_runs_have_the_means_and_deviations_of_the_truth() -> None:
    mean, std = some_accuracies(12), RANDOM.random(12)
    runs = simulate(mean, std, 7, seed=3)
    assert runs.shape == (SIMULATIONS, 7, 12)
    assert runs.mean(axis=1) == pytest.approx(np.tile(mean, (SIMULATIONS, 1)))
    assert runs.std(axis=1) == pytest.approx(np.tile(std, (SIMULATIONS, 1)))
    assert (runs == simulate(mean, std, 7, seed=3)).all()
    assert not (runs == simulate(mean, std, 7, seed=4)).all()


def test_simulated_runs_are_independent_over_children() -> None:
    runs = simulate(np.zeros(2), np.ones(2), 5, seed=int(RANDOM.integers(1000))).reshape(-1, 2)
    assert abs(np.corrcoef(runs.T)[0, 1]) < 0.2


def test_from_means_and_deviations_alone_comes_about_what_the_runs_themselves_give() -> None:
    real, simulated = [], []
    for seed in range(6):
        finals = 80 + RANDOM.normal(0, 2, size=60) + RANDOM.normal(0, 1, size=(8, 60))
        real.append(figures(ceiling(known(finals), seed)))
        simulated.append(figures(ceiling(summary(known(finals)), seed)))
    assert np.mean(simulated, axis=0) == pytest.approx(np.mean(real, axis=0), abs=0.02)


@pytest.mark.parametrize(
    "truth",
    [
        Truth("made", some_accuracies(5)),
        Truth("made", some_accuracies(5), std=np.ones(5)),
        Truth("made", some_accuracies(5), runs=5),
        Truth("made", some_accuracies(5), std=np.zeros(5), runs=1),
        known(some_accuracies(1, 5)),
    ],
    ids=["mean alone", "unknown number of runs", "unknown spread", "a single run", "a single known run"],
)
def test_where_the_noise_is_not_known_there_is_no_ceiling(truth: Truth) -> None:
    assert ceiling(truth, seed=0) is None


def test_the_published_truth_has_a_ceiling_near_that_of_its_real_runs(shared: Path) -> None:
    log = log_of(some_children(64), some_accuracies(1, 64))
    truth = read_truth(shared / "data" / "deeper-insights" / "gt64.csv", log)
    top = ceiling(truth, seed=0)
    assert figures(top) == pytest.approx((0.712, 0.797, 0.768), abs=0.02)
    assert [round(figure, 3) for figure in figures(top)] == pytest.approx([0.702, 0.787, 0.752], abs=0.002)
    assert top is not None
    assert mean_tau(top.runs[0], truth.mean) == pytest.approx(0.787, abs=0.02)
