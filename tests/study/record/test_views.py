"""What is seen of a log: kinds of statistics and images, instances, supernets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleave.errors import UserError
from cleave.study.analysis.rankings import rankings
from cleave.study.record.log import Log, read_log
from cleave.study.record.views import groups_seen, images_of, log_correlation, never_vary, nothing_varies, see
from tests.study.made import joined, log_of, made_log, some_accuracies, some_children


def test_kinds_of_statistics_are_kept_apart() -> None:
    children = some_children(4)
    running, child = some_accuracies(5, 4), some_accuracies(5, 4)
    log = joined(children, log_of(children, running), log_of(children, child, statistics="child"))
    assert (rankings(see(log))["snapshot"] == running[-1:]).all()
    assert (rankings(see(log, "child"))["snapshot"] == child[-1:]).all()


def test_statistics_that_the_log_lacks_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"--statistics: unknown 'runing'; did you mean 'running'\?"):
        see(made_log(some_children(3), 2), "runing")


def test_held_out_images_go_before_test_images_and_test_images_alone_will_do() -> None:
    children = some_children(4)
    held_out, test = some_accuracies(2, 4), some_accuracies(2, 4)
    tested = log_of(children, test, images="test")
    assert (see(tested).dense[0].accuracy == test).all()
    both = joined(children, tested, log_of(children, held_out))
    assert images_of(both) == "held-out"
    assert (see(both).dense[0].accuracy == held_out).all()


def test_instances_without_looks_of_a_kind_are_left_out_there() -> None:
    children = some_children(4)
    one, other = made_log(children, 3), log_of(children, some_accuracies(2, 4), instance=5, dense=False)
    seen = see(joined(children, one, other))
    assert (len(seen.dense), len(seen.epochs)) == (1, 1)
    assert seen.tuned == {}


def test_groups_together_are_one_ranking_and_apart_one_each() -> None:
    children = some_children(7)
    log = made_log(children, 5, instances=2, groups=[children[:4], children[4:6], children[6:]])
    assert rankings(see(log))["snapshot"].shape == (2, 7)
    groups = groups_seen(log, dense=True)
    assert [each[0].children for each in groups.values()] == [children[:4], children[4:6], children[6:]]
    assert [len(each) for each in groups.values()] == [2, 2, 2]
    assert (groups[1][1].accuracy == see(log).dense[1].accuracy[:, 4:6]).all()
    assert groups_seen(log, dense=False) == {}


def test_a_missing_child_is_named() -> None:
    children = some_children(5)
    log = made_log(children, 3)
    gone = (log.rows["evaluated"] != children[2]) | (log.rows["step"] != 2)
    holed = Log("holed.parquet", log.meta, {name: values[gone] for name, values in log.rows.items()})
    with pytest.raises(UserError, match=f"holed.parquet: has no accuracy of child {children[2]} after step 2"):
        see(holed)


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
