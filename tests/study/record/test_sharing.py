"""Which children share which tensors, policy by policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleave.errors import UserError
from cleave.net import Norm, build
from cleave.space import NetworkSize, Space, find_space
from cleave.study.record.catalogue import PATTERNS
from cleave.study.record.partition import write_partition
from cleave.study.record.settings import SharingSettings
from cleave.study.record.sharing import but_statistics, divide, shared_tensors, tensor_names
from tests.fresh import fresh
from tests.study.made import made_log, some_children, write_log
from tests.tiny import Ended
from tests.toys import ToyDarts, ToyMobileNet

Capture = pytest.CaptureFixture[str]
SPACE = find_space("cells64")
SIZE = NetworkSize(2, 3)


def sharing(**settings: Any) -> SharingSettings:  # noqa: ANN401
    return SharingSettings(**settings)


def names_of(space: Space = SPACE) -> dict[str, str]:
    return tensor_names(
        build(space.layout(SIZE, 3), space.region, 4, 0, replace(space.layout(SIZE, 3).norm, running=True))
    )


def shared_names(space: Space = SPACE, **settings: Any) -> set[str]:  # noqa: ANN401
    """The entries of the state that all children share."""
    shared = shared_tensors(sharing(**settings), space.layout(SIZE, 3))
    assert shared is not None
    return {name for name, seen in names_of(space).items() if shared(seen)}


def test_names_tell_the_kind_of_layer_before_the_last_part() -> None:
    names = names_of()
    assert names["blocks.stem0.op.1.running_var"] == "blocks.stem0.op.1.BatchNorm2d.running_var"
    assert names["classifier.bias"] == "classifier.Linear.bias"
    place = "blocks.cell0.edges.2<-1.ops.sep_conv_3x3.1"
    assert names[f"{place}.weight"] == f"{place}.Conv2d.weight"
    network = build(SPACE.layout(SIZE, 3), SPACE.region, 4, 0, Norm(affine=False, running=True))
    assert set(names) == set(network.state_dict())


def test_all_share_one_supernet_and_without_sharing_each_has_its_own() -> None:
    children = some_children(9)
    assert divide(sharing(policy="all"), children) == [list(children)]
    assert divide(sharing(policy="none"), children) == [[child] for child in children]
    assert divide(sharing(policy="prefix", cells=1), children) == [list(children)]
    assert shared_tensors(sharing(policy="all"), SPACE.layout(SIZE, 3)) is None


@pytest.mark.parametrize("count", [1, 2, 4, 5, 64])
@pytest.mark.parametrize("by", ["sequential", "shuffled"])
def test_groups_are_a_partition_into_equal_parts(by: str, count: int) -> None:
    children = some_children(64)
    groups = divide(sharing(policy="groups", groups=count, by=by), children)
    assert sorted(child for group in groups for child in group) == list(children)
    assert len(groups) == count
    assert max(map(len, groups)) - min(map(len, groups)) <= 1
    if by == "sequential":
        assert [child for group in groups for child in group] == list(children)


def test_another_seed_makes_other_groups() -> None:
    children = some_children(64)
    one, other = (divide(sharing(policy="groups", groups=4, by="shuffled", seed=seed), children) for seed in (1, 2))
    assert one != other
    assert one == divide(sharing(policy="groups", groups=4, by="shuffled", seed=1), children)


def test_given_groups_are_those_of_the_file(tmp_path: Path) -> None:
    children = some_children(10)
    order = fresh().permutation(10).tolist()
    write_partition(tmp_path / "groups.csv", children, [order[:3], order[3:4], order[4:]])
    found = divide(sharing(policy="groups", by="given", file=str(tmp_path / "groups.csv")), children)
    wanted = [[children[number] for number in sorted(part)] for part in (order[:3], order[3:4], order[4:])]
    assert sorted(map(sorted, found)) == sorted(wanted)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_groups_that_are_written_from_a_log_and_given_back_are_those_clustered_from_it(
    count: int, tmp_path: Path, capsys: Capture
) -> None:
    children = some_children(12)
    log, file = tmp_path / "log.parquet", tmp_path / "groups.csv"
    write_log(log, made_log(children, looks=40))
    ended = Ended(["study", "groups", str(log), "--count", str(count), "--out", str(file)], capsys)
    assert ended.status == 0, ended.err
    given = divide(sharing(policy="groups", by="given", file=str(file)), children)
    clustered = divide(sharing(policy="groups", by="clustered", groups=count, file=str(log)), children)
    assert given == clustered
    assert len(given) == count


@pytest.mark.parametrize("cells", range(4))
def test_a_prefix_shares_the_stem_and_so_many_cells_and_never_the_classifier(cells: int) -> None:
    first = ("blocks.stem0.", "blocks.stem1.", *(f"blocks.cell{number}." for number in range(cells)))
    assert shared_names(policy="prefix", cells=cells) == {name for name in names_of() if name.startswith(first)}


def test_a_prefix_of_a_space_with_other_blocks_ends_before_a_searched_one() -> None:
    names = names_of(ToyMobileNet())
    assert shared_names(ToyMobileNet(), policy="prefix", cells=0) == {n for n in names if n.startswith("blocks.stem.")}
    layers = tuple(f"blocks.{name}." for name in ("stem", "layer0", "layer1"))
    assert shared_names(ToyMobileNet(), policy="prefix", cells=2) == {n for n in names if n.startswith(layers)}
    all_blocks = {name for name in names if name.startswith("blocks.")}
    assert shared_names(ToyMobileNet(), policy="prefix", cells=3) == all_blocks
    assert any(name.startswith("blocks.last") for name in all_blocks)


def test_the_released_patterns_share_what_their_titles_say() -> None:
    network = build(SPACE.layout(SIZE, 3), SPACE.region, 4, 0, Norm(affine=False, running=True))
    names = set(network.state_dict())
    convolutions = {name for name, value in network.state_dict().items() if value.ndim == 4}
    classifier = {"classifier.weight", "classifier.bias"}
    expected = {
        "convolutions": convolutions,
        "all-but-convolutions": names - convolutions,
        "convolutions-and-stem": convolutions | {name for name in names if name.startswith("blocks.stem")},
        "all-but-normalisations": convolutions | classifier,
        "all-but-O12": {name for name in names if "edges.2<-1." not in name},
    }
    assert set(expected) == set(PATTERNS)
    for title, (_, pattern) in PATTERNS.items():
        assert shared_names(policy="pattern", pattern=pattern) == expected[title], title


def test_statistics_of_ones_own_leave_the_weights_shared() -> None:
    statistics = {name for name in names_of() if "running_" in name or "num_batches" in name}
    everything, convolutions = but_statistics(None), but_statistics(lambda name: "Conv2d" in name)
    assert {name for name, seen in names_of().items() if everything(seen)} == set(names_of()) - statistics
    assert {name for name, seen in names_of().items() if convolutions(seen)} == shared_names(
        policy="pattern", pattern="Conv2d"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"policy": "prefix", "cells": 4}, "sharing.cells=4: the network has 3 cells"),
        ({"policy": "prefix"}, "sharing.cells: say how many"),
        ({"policy": "pattern"}, "sharing.pattern: give one"),
        ({"policy": "pattern", "pattern": "(Conv"}, r"sharing.pattern=\(Conv: is no regular expression"),
    ],
)
def test_tensors_that_cannot_be_chosen_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        shared_tensors(sharing(**settings), SPACE.layout(SIZE, 3))


def test_a_prefix_longer_than_a_net_with_reductions_is_refused() -> None:
    with pytest.raises(UserError, match=r"sharing\.cells=4: the network has 3 cells"):
        shared_tensors(sharing(policy="prefix", cells=4), ToyDarts().layout(SIZE, 3))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "sharing.groups: say how many"),
        ({"groups": 9}, "sharing.groups=9: there are 8 children"),
        ({"by": "given"}, "sharing.file: name it with sharing.by=given"),
        ({"by": "clustered", "groups": 2}, "sharing.file: name it with sharing.by=clustered"),
        ({"by": "given", "file": "nowhere.csv"}, "nowhere.csv: cannot be read"),
        ({"by": "clustered", "groups": 2, "file": "nowhere.parquet"}, "nowhere.parquet: cannot be read"),
    ],
)
def test_groups_that_cannot_be_made_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        divide(sharing(policy="groups", **settings), some_children(8))


def test_a_file_that_is_no_partition_of_these_children_is_refused(tmp_path: Path) -> None:
    children, file = some_children(8), tmp_path / "groups.csv"
    settings = sharing(policy="groups", by="given", file=str(file))
    write_partition(file, children, [[0, 1, 2], [3, 4, 5, 6]])
    with pytest.raises(UserError, match=rf"groups.csv: 1 of 8 children are in no group \({children[7]}\)"):
        divide(settings, children)
    write_partition(file, children, [[0, 1, 2, 3], [3, 4, 5, 6, 7]])
    with pytest.raises(UserError, match=f"groups.csv: {children[3]} is there more than once"):
        divide(settings, children)
    write_partition(file, (*children, "555"), [range(9)])
    with pytest.raises(UserError, match=r"groups\.csv: '555' is none of the 8 children"):
        divide(settings, children)


def test_a_log_of_other_children_or_without_dense_looks_cannot_be_clustered_by(tmp_path: Path) -> None:
    children, file = some_children(8), tmp_path / "log.parquet"
    settings = sharing(policy="groups", by="clustered", groups=2, file=str(file))
    write_log(file, made_log(children[:7], looks=30))
    with pytest.raises(UserError, match=r"sharing.file=.*log.parquet: has other children"):
        divide(settings, children)
    write_log(file, made_log(children, looks=0, epochs=3))
    with pytest.raises(UserError, match=r"sharing.file=.*log.parquet: has no dense looks"):
        divide(settings, children)
