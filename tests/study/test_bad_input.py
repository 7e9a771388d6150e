"""What a user can get wrong about a study: one clear line each, and nothing is left behind."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from cleave.space import find_space
from cleave.study.record.log import Log, all_children
from cleave.study.record.partition import write_partition
from tests.fresh import fresh
from tests.study.made import made_log, some_children, write_log
from tests.study.small import words
from tests.tiny import HERE, Ended, write_images

Capture = pytest.CaptureFixture[str]
CHILDREN = all_children(find_space("cells64", ["max_pool_3x3", "sep_conv_3x3"]))


class Tried:
    """A study that should be refused."""

    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.folder, self.capsys = folder, capsys
        (folder / "mine.yaml").write_text("")

    def refuses(self, changes: dict[str, Any], *expected: str) -> bool:
        out = self.folder / "run"
        arguments = ["study", str(self.folder / "mine.yaml"), *words(changes), "--out", str(out), *HERE, "--json"]
        assert Ended(arguments, self.capsys).refuses(*expected)
        return not (out / "study.yaml").exists()


@pytest.fixture
def tried(tmp_path: Path, capsys: Capture) -> Tried:
    return Tried(tmp_path, capsys)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sharing.policy": "prefix", "sharing.cells": 3}, ["sharing.cells=3", "the network has 2 cells"]),
        ({"sharing.policy": "prefix"}, ["sharing.cells", "say how many"]),
        ({"sharing.policy": "prefix", "sharing.cells": -1}, ["sharing.cells"]),
        ({"sharing.policy": "pattern"}, ["sharing.pattern", "give one"]),
        ({"sharing.policy": "pattern", "sharing.pattern": "'[Conv'"}, ["sharing.pattern", "regular expression"]),
        ({"sharing.policy": "pattern", "sharing.pattern": "sep_conv_7x7"}, ["sharing.pattern", "no tensor"]),
        ({"sharing.policy": "groups"}, ["sharing.groups", "say how many"]),
        ({"sharing.policy": "groups", "sharing.groups": 9}, ["sharing.groups=9", "8 children"]),
        ({"sharing.policy": "groups", "sharing.by": "given"}, ["sharing.file", "name it"]),
        ({"sharing.policy": "groups", "sharing.groups": 2, "sharing.by": "clustered"}, ["sharing.file", "name it"]),
        ({"space.name": "cells46"}, ["space.name", "cells64"]),
        ({"space.ops": "[sep_conv_3x3]"}, ["space.ops", "two or more"]),
        ({"space.children": 9}, ["space.children=9"]),
        ({"space.children": 1}, ["space.children=1", "one child has no rank"]),
        ({"space.name": "nasbench201", "space.ops": "null"}, ["space.children", "15,625"]),
        ({"data.name": "nowhere/at/all"}, ["nowhere/at/all"]),
        ({"data.padding": 9}, ["data.padding"]),
        ({"data.limit": 12}, ["data.limit", "12 images"]),
        ({"training.learning_rate": 0.0005}, ["training.learning_rate_min", "swap"]),
        ({"tune.epochs": "[5]"}, ["tune.epochs", "after the last epoch"]),
        ({"device": "cuda:77"}, ["cuda"]),
    ],
)
def test_a_study_that_cannot_be_followed_is_refused(changes: dict[str, Any], expected: list[str], tried: Tried) -> None:
    assert tried.refuses(changes, *expected)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([[0, 1, 2], [3, 4, 5, 6]], ["1 of 8 children are in no group"]),
        ([[0, 1, 2, 3], [3, 4, 5, 6, 7]], [f"{CHILDREN[3]} is there more than once"]),
    ],
)
def test_a_partition_that_is_none_is_refused(groups: list[list[int]], expected: list[str], tried: Tried) -> None:
    file = tried.folder / "groups.csv"
    write_partition(file, CHILDREN, groups)
    assert tried.refuses(
        {"sharing.policy": "groups", "sharing.by": "given", "sharing.file": file}, str(file), *expected
    )


@pytest.mark.parametrize(
    "text", ["", "child,group\n111,0\n", "architecture,group\n111\n", "architecture,group\n555,1\n"]
)
def test_a_file_that_holds_no_partition_is_refused(text: str, tried: Tried) -> None:
    file = tried.folder / "groups.csv"
    file.write_text(text)
    assert tried.refuses({"sharing.policy": "groups", "sharing.by": "given", "sharing.file": file}, str(file))


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (made_log(some_children(8, "nasbench201"), 30, space="nasbench201"), "has other children"),
        (made_log(CHILDREN[:5], 30), "has other children"),
        (made_log(CHILDREN, 0, epochs=4), "has no dense looks"),
    ],
)
def test_a_log_that_cannot_be_clustered_by_is_refused(log: Log, expected: str, tried: Tried) -> None:
    file = tried.folder / "log.parquet"
    write_log(file, log)
    changes = {"sharing.policy": "groups", "sharing.groups": 2, "sharing.by": "clustered", "sharing.file": file}
    assert tried.refuses(changes, str(file), expected)


def test_a_loss_that_is_not_finite_is_said_with_what_to_do(tried: Tried, capsys: Capture) -> None:
    out = tried.folder / "run"
    wild = words({"training.learning_rate": 1e30, "checkpoint_seconds": 0})
    arguments = ["study", str(tried.folder / "mine.yaml"), *wild, "--out", str(out), *HERE]
    assert Ended(arguments, capsys).refuses("instance", "training.learning_rate")
    assert Ended(["resume", str(out), *HERE], capsys).refuses("instance", "training.learning_rate")
    assert not (out / "log.parquet").exists()


def test_images_that_are_not_two_for_each_class_are_refused(tried: Tried) -> None:
    write_images(tried.folder / "images", classes=3, each=1)
    assert tried.refuses({"data.name": tried.folder / "images", "data.limit": "null"}, "class0", "at least 2")


def without(log: Log, child: str, look: int | None = None) -> Log:
    """The log without the rows of a child, or one of them."""
    dropped = log.rows["evaluated"] == child
    if look is not None:
        dropped &= log.rows["step"] == look
    return Log(log.name, log.meta, {name: values[~dropped] for name, values in log.rows.items()})


def test_a_log_with_missing_children_is_refused(tmp_path: Path, capsys: Capture) -> None:
    file, child = tmp_path / "log.parquet", CHILDREN[int(fresh().integers(8))]
    for log in (without(made_log(CHILDREN, 30), child), without(made_log(CHILDREN, 30), child, look=17)):
        write_log(file, log)
        assert Ended(["study", "metrics", str(file)], capsys).refuses(str(file), f"no accuracy of child {child}")
        out = tmp_path / "groups.csv"
        assert Ended(["study", "groups", str(file), "--count", "2", "--out", str(out)], capsys).refuses(child)


def test_a_truth_of_another_space_is_refused(tmp_path: Path, capsys: Capture) -> None:
    file, truth = tmp_path / "log.parquet", tmp_path / "truth.csv"
    write_log(file, made_log(CHILDREN, 30))
    with truth.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["architecture", "mean"])
        writer.writerows((child, 50.0) for child in some_children(20, "nasbench201"))
    refused = Ended(["study", "metrics", str(file), "--truth", str(truth)], capsys)
    assert refused.refuses(str(truth), "is of another space", "cells64")


def test_a_truth_of_another_space_is_refused_before_a_study_is_trained(tried: Tried) -> None:
    truth = tried.folder / "truth.csv"
    truth.write_text("architecture,mean\n" + "".join(f"{child},50\n" for child in some_children(9, "nasbench201")))
    assert tried.refuses({"truth": truth}, str(truth), "is of another space")


def test_a_truth_that_is_not_there_is_refused_before_a_study_is_trained(tried: Tried) -> None:
    assert tried.refuses({"truth": tried.folder / "nowhere.csv"}, "nowhere.csv: cannot be read")
