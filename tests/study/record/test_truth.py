"""Truths from tables and from logs, and what is none."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleave.errors import UserError
from cleave.study.record.log import Log
from cleave.study.record.truth import log_file, read_truth
from tests.fresh import fresh
from tests.study.made import joined, log_of, made_log, some_accuracies, some_children, write_log


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return path


@pytest.fixture
def log() -> Log:
    return made_log(some_children(9), 2)


@pytest.mark.parametrize("names", [("label", "gt_mean"), ("arch", "accuracy"), ("architecture", "mean")])
def test_a_table_is_read_by_architecture_whatever_its_order(log: Log, tmp_path: Path, names: tuple[str, str]) -> None:
    accuracy = dict(zip(log.children, some_accuracies(9).tolist(), strict=True))
    listed = fresh().permutation([*log.children, "111111"]).tolist()
    table = {"other": listed, names[0]: listed, names[1]: [accuracy.get(name, 50.0) for name in listed]}
    truth = read_truth(write_table(tmp_path / "truth.csv", table), log)
    assert truth.mean.tolist() == list(accuracy.values())
    assert (truth.std, truth.runs, truth.finals) == (None, None, None)


def test_shares_become_percent(log: Log, tmp_path: Path) -> None:
    shares, std = fresh().random(9), fresh().random(9) / 100
    table = {"arch": log.children, "mean": shares, "std": std, "runs": [7] * 9}
    truth = read_truth(write_table(tmp_path / "truth.csv", table), log)
    assert truth.mean == pytest.approx(100 * shares)
    assert truth.std == pytest.approx(100 * std)
    assert truth.runs == 7


def test_percent_stay_percent_even_where_some_are_small(log: Log, tmp_path: Path) -> None:
    table = {"arch": log.children, "mean": [0.5, *[60.0] * 8], "std": [0.25] * 9}
    truth = read_truth(write_table(tmp_path / "truth.csv", table), log)
    assert truth.mean.tolist() == [0.5, *[60.0] * 8]
    assert truth.std is not None
    assert truth.std.tolist() == [0.25] * 9


def test_the_smallest_number_of_runs_counts(log: Log, tmp_path: Path) -> None:
    table = {"arch": log.children, "mean": some_accuracies(9), "runs": [5, 3, *[5] * 7]}
    assert read_truth(write_table(tmp_path / "truth.csv", table), log).runs == 3


def test_the_published_table_is_of_ten_runs(shared: Path, log: Log) -> None:
    truth = read_truth(shared / "data" / "deeper-insights" / "gt64.csv", log)
    assert truth.runs == 10
    assert truth.std is not None
    assert 70 < truth.mean.min() < truth.mean.max() < 86
    assert 0.1 < truth.std.mean() < 1


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_study_of_children_alone_gives_its_runs(log: Log, tmp_path: Path, as_folder: bool) -> None:
    others = [child for child in some_children(30) if child not in log.children]
    children = tuple(sorted([*log.children, *others]))
    alone = made_log(children, 3, instances=4, epochs=3, groups=[[child] for child in children])
    write_log(tmp_path / "log.parquet", alone)
    truth = read_truth(tmp_path if as_folder else tmp_path / "log.parquet", log)
    last = np.stack([alone.looks(instance, dense=False).accuracy[-1] for instance in range(4)])
    finals = last[:, [children.index(child) for child in log.children]]
    assert truth.finals is not None
    assert truth.std is not None
    assert (truth.finals == finals).all()
    assert truth.mean == pytest.approx(finals.mean(axis=0))
    assert truth.std == pytest.approx(finals.std(axis=0))
    assert truth.runs == 4


def test_the_log_of_a_folder_is_found(tmp_path: Path) -> None:
    assert log_file(tmp_path) == tmp_path / "log.parquet"
    assert log_file(tmp_path / "other.parquet") == tmp_path / "other.parquet"


def refusal(path: Path, log: Log) -> str:
    with pytest.raises(UserError) as caught:
        read_truth(path, log)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_truth_that_lacks_children_is_refused_with_their_number(log: Log, tmp_path: Path) -> None:
    table = {"arch": log.children[:2] + log.children[5:], "mean": some_accuracies(6)}
    assert f"lacks 3 of the 9 children of made, {log.children[2]} first" in refusal(
        write_table(tmp_path / "truth.csv", table), log
    )


def test_a_truth_of_another_space_is_refused_as_such(log: Log, tmp_path: Path) -> None:
    strings = some_children(5, "nasbench201")
    table = write_table(tmp_path / "truth.csv", {"arch": strings, "mean": some_accuracies(5)})
    assert "is of another space: it has none of the 9 children of made" in refusal(table, log)
    other = joined(strings, log_of(strings, some_accuracies(2, 5), dense=False), space="nasbench201")
    write_log(tmp_path / "other.parquet", other)
    assert "give a truth of cells64" in refusal(tmp_path / "other.parquet", log)


def test_a_log_without_ends_of_epochs_is_no_truth(log: Log, tmp_path: Path) -> None:
    write_log(tmp_path / "dense.parquet", log)
    assert "has no look at the end of an epoch" in refusal(tmp_path / "dense.parquet", log)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "is empty; its first line must name the columns"),
        ("arch,mean\n111\n", "line 2 has 1 cell, the header 2 cells"),
        ("mean\n3\n", "has no column label or architecture or arch, only mean"),
        ("arch\n111\n", "has no column gt_mean or mean or accuracy, only arch"),
        ("arch,mean\n111,1\n111,2\n", "111 is there more than once, in line 2 and in line 3"),
        ("arch,mean\n111,high\n", "line 2: mean is 'high', but must be a number from 0 to 100"),
        ("arch,mean\n\n111,nan\n", "line 3: mean is 'nan', but must be"),
        ("arch,mean\n111,150\n", "line 2: mean is '150', but must be a number from 0 to 100"),
        ("arch,mean\n111,-3\n", "line 2: mean is '-3', but must be a number from 0 to 100"),
        ("arch,mean,std\n111,70,\n", "line 2: std is '', but must be"),
        ("arch,mean,std\n111,70,-1\n", "line 2: std is '-1', but must be"),
        ("arch,mean,runs\n111,70,0\n", "line 2: runs is '0', but must be"),
        ("arch,mean,mean\n111,70,71\n", "has two columns 'mean'"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    assert wanted in refusal(path, made_log(("111",), 1))


def test_a_file_that_is_not_there_or_not_text_is_refused(log: Log, tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.csv", log)
    assert "cannot be read" in refusal(tmp_path / "none.parquet", log)
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)))
    assert "is not text" in refusal(tmp_path / "bytes.csv", log)


def test_a_log_of_children_that_share_weights_is_no_truth(log: Log, tmp_path: Path) -> None:
    for policy, refused in (("all", True), ("groups", True), ("none", False)):
        alone = made_log(log.children, 0, epochs=1)
        file = tmp_path / f"{policy}.parquet"
        write_log(file, replace(alone, meta={**alone.meta, "recipe": {"sharing": {"policy": policy}}}))
        if refused:
            with pytest.raises(UserError, match=rf"{policy}\.parquet: its children shared weights \(sharing\.policy="):
                read_truth(file, log)
        else:
            assert read_truth(file, log).runs == 1
