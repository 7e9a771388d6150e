"""How children's accuracies go together, in made logs and in the published looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleave.stats.correlation import correlation
from cleave.study.record.curves import log_correlation, never_vary, nothing_varies
from cleave.study.record.log import read_log
from tests.study.made import joined, log_of, made_log, some_accuracies, some_children


def test_correlations_are_pearsons_and_a_constant_child_has_none() -> None:
    accuracy = some_accuracies(20, 6)
    np.testing.assert_allclose(correlation(accuracy), np.corrcoef(accuracy.T), atol=1e-12)
    accuracy[:, 2] = 10.1  # whose mean over 20 looks is not 10.1 in floating point
    found = correlation(accuracy)
    np.testing.assert_array_equal(found[2], np.eye(6)[2])
    np.testing.assert_array_equal(found, found.T)


def test_correlations_of_a_log_are_means_over_its_instances() -> None:
    log = made_log(some_children(6), 9, instances=2)
    each = [np.corrcoef(log.looks(instance, dense=True).accuracy.T) for instance in log.instances]
    found = log_correlation(log)
    assert found is not None
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, atol=1e-12)
    assert log_correlation(made_log(some_children(6), 1)) is None


def test_an_instance_in_which_a_child_never_varies_has_no_part_in_its_correlations() -> None:
    children = some_children(4)
    one, other = some_accuracies(9, 4), some_accuracies(9, 4)
    one[:, 1], one[:, 3], other[:, 3] = 10.1, 20.0, 30.0
    log = joined(children, log_of(children, one), log_of(children, other, instance=1))
    found, first, second = log_correlation(log), np.corrcoef(one[:, [0, 2]].T)[0, 1], np.corrcoef(other[:, :3].T)
    assert found is not None
    assert found[0, 2] == pytest.approx((first + second[0, 2]) / 2)
    assert found[0, 1] == pytest.approx(second[0, 1]), "not half of it"
    assert found[3].tolist() == [0, 0, 0, 1]
    assert never_vary(log) == (children[3],)
    assert nothing_varies(log) == ""
    assert nothing_varies(log_of(children, np.full((3, 4), 10.0))).startswith("nothing varies together: 4 of 4")


def test_the_published_looks_give_the_published_correlations(shared: Path) -> None:
    expected = np.loadtxt(shared / "data" / "deeper-insights" / "corr_last128_one0.txt")
    found = log_correlation(read_log(shared / "data" / "deeper-insights" / "share_all_acc_last128.csv"))
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-5)
