"""What is seen of a log: kinds of statistics and images, instances, supernets."""

from __future__ import annotations

import pytest

from cleave.errors import UserError
from cleave.study.analysis.rankings import rankings
from cleave.study.record.log import Log
from cleave.study.record.views import groups_seen, images_of, see
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
