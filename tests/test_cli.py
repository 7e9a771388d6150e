"""Every command: what it prints, what it exits with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleave.bench.table import DATASETS, Table
from tests.bench.published import publish
from tests.fresh import fresh
from tests.split.test_matrix import some_names, symmetric, write
from tests.tiny import HERE, RSPS, Ended, search, write_images, write_table

COMMANDS = [
    "search", "plan", "resume", "show", "rank", "reproduce", "space", "partition", "query", "benchmark",
    "benchmark import",
]  # fmt: skip
CHOICES = ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table") / "nasbench201.npz")


@pytest.fixture(autouse=True)
def _nothing_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "imported.npz"))
    monkeypatch.setenv("COLUMNS", "80")


def answer(arguments: list[str], capsys: Capture) -> dict[str, Any]:
    """The one JSON object on stdout of a command that must succeed."""
    ended = Ended(arguments, capsys)
    assert ended.status == 0, ended.err
    assert len(ended.out.splitlines()) == 1
    value = json.loads(ended.out)
    assert isinstance(value, dict)
    return value


def text(arguments: list[str], capsys: Capture) -> str:
    ended = Ended(arguments, capsys)
    assert (ended.status, ended.err) == (0, "")
    return ended.out


def test_a_search_tells_everything_in_one_object(images: Path, table: Table, tmp_path: Path, capsys: Capture) -> None:
    told = answer([*search(images, tmp_path / "run"), "--benchmark", table.name, "--seed", "7"], capsys)
    assert list(told) == [
        "run", "space", "method", "splitter", "seed", "leaves", "splits", "chosen", "judged_by", "limits", "selection",
        "oracle", "cost", "trust", "guards", "seconds",
    ]  # fmt: skip
    assert told["run"] == str(tmp_path / "run")
    assert [told[key] for key in ("space", "method", "splitter", "seed")] == ["nasbench201", "darts", "gradient", 7]
    assert [leaf["path"] for leaf in told["leaves"]] == ["0.0", "0.1", "1.0", "1.1"]
    assert [split["leaf"] for split in told["splits"]] == ["root", "0", "1"]
    for leaf in told["leaves"]:
        assert set(leaf) == {"path", "region", "arch", "valid_accuracy", "valid_balanced_accuracy", "benchmark"}
        assert list(leaf["region"]) == CHOICES
        assert leaf["benchmark"] == {key: table.query(leaf["arch"])[key] for key in DATASETS}
        assert 0 <= leaf["valid_accuracy"] <= 100
    for split in told["splits"]:
        assert set(split) == {"leaf", "choice", "groups", "cut", "candidates", "similarities"}
        assert sorted(name for group in split["groups"] for name in group) == sorted(split["candidates"])
        assert np.shape(split["similarities"]) == (len(split["candidates"]),) * 2
    best = max(told["leaves"], key=lambda leaf: leaf["valid_accuracy"])
    assert {key: told["chosen"][key] for key in ("arch", "valid_accuracy", "benchmark")} == {
        key: best[key] for key in ("arch", "valid_accuracy", "benchmark")
    }
    tests = [leaf["benchmark"]["cifar10"]["test"] for leaf in told["leaves"]]
    assert told["oracle"]["benchmark"]["cifar10"]["test"] == max(tests)
    done, spared = (
        {"weight_steps", "arch_steps", "split_passes", "eval_images"},
        {"calibration_images", "retrain_steps"},
    )
    assert set(told["cost"]) == done | spared
    assert all((count > 0) is (what in done) for what, count in told["cost"].items())
    assert told["seconds"] > 0


def test_a_search_without_a_table_has_null_where_the_table_would_speak(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    told = answer(search(images, tmp_path / "run", RSPS), capsys)
    assert told["oracle"] is None
    assert told["chosen"]["benchmark"] is None
    assert {leaf["benchmark"] for leaf in told["leaves"]} == {None}
    assert {split["cut"] for split in told["splits"]} == {None}
    assert {split["similarities"] for split in told["splits"]} == {None}


def test_progress_goes_to_stderr_and_without_json_people_get_tree_table_and_drawing(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    arguments = search(images, tmp_path / "run", RSPS)
    arguments.remove("--json")
    ended = Ended(arguments, capsys)
    assert ended.status == 0
    assert f"run folder: {tmp_path / 'run'}" in ended.err
    assert "100%" in ended.err
    assert "%  leaf" not in ended.out
    assert all(word in ended.out for word in ("split on", "Leaves", "Chosen: leaf", "input", str(tmp_path / "run")))


def test_show_and_resume_tell_a_finished_run_again(images: Path, tmp_path: Path, capsys: Capture) -> None:
    told = answer(search(images, tmp_path / "run", RSPS), capsys)
    assert answer(["show", str(tmp_path / "run"), "--json"], capsys) == told
    assert answer(["resume", str(tmp_path / "run"), "--json"], capsys) == told
    assert "Chosen: leaf" in text(["show", str(tmp_path / "run")], capsys)


def test_without_out_runs_are_put_beside_each_other(
    images: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = search(images, Path("unused"), {**RSPS, "split.splitter": "none"})
    position = arguments.index("--out")
    del arguments[position : position + 2]
    runs = [answer(arguments, capsys)["run"] for _ in range(2)]
    assert len(set(runs)) == 2
    assert all((tmp_path / "runs" / Path(run).name / "result.json").is_file() for run in runs)


def test_a_recipe_file_is_run_and_kept_with_nothing_left_open(images: Path, tmp_path: Path, capsys: Capture) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("method: {name: rsps, samples: 2}\nsplit: {splitter: random, splits: 1, branch: 3}\nseed: 5\n")
    arguments = search(images, tmp_path / "first")
    first = answer([arguments[0], str(recipe), *arguments[1:]], capsys)
    assert (first["method"], first["splitter"], first["seed"], len(first["leaves"])) == ("rsps", "random", 5, 3)
    again = answer(
        ["search", str(tmp_path / "first" / "recipe.yaml"), "--out", str(tmp_path / "again"), *HERE, "--json"], capsys
    )
    assert (tmp_path / "again" / "result.json").read_bytes() == (tmp_path / "first" / "result.json").read_bytes()
    assert again["seed"] == 5


def test_space_gives_the_published_size_and_parameters(capsys: Capture) -> None:
    told = answer(["space", "NAS-Bench-201", "--json"], capsys)
    costs = ["parameters", "multiply_adds", "architectures"]
    assert list(told) == ["name", "size", "choices", "image_size", "classes", "supernet_parameters", *costs]
    assert told["parameters"] == {"min": 73306, "max": 1531546}
    assert told["multiply_adds"]["min"] < told["multiply_adds"]["max"]
    assert told["architectures"] is None, "too many to be listed"
    assert (told["name"], told["size"], told["supernet_parameters"]) == ("nasbench201", 15625, 1686106)
    operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    assert told["choices"] == [{"name": name, "candidates": operations} for name in CHOICES]


def test_space_can_be_asked_for_another_size_with_keys_written_either_way(capsys: Capture) -> None:
    small = ["space", "nasbench201", "--set", "ops=4", "--set", "space.channels=2", "--set", "cells=1"]
    told = answer([*small, "--json"], capsys)
    assert told["size"] == 4**6
    assert {len(choice["candidates"]) for choice in told["choices"]} == {4}
    assert f"4,096 architectures, {told['supernet_parameters']:,} parameters" in text(small, capsys)
    assert answer([*small, "--set", "classes=11", "--json"], capsys)["supernet_parameters"] == (
        told["supernet_parameters"] + 8 + 1  # one more row of the classifier: 4 * 2 features and a bias
    )


def test_partition_gives_groups_and_cut(tmp_path: Path, capsys: Capture) -> None:
    names, entries = some_names(5), np.abs(symmetric(5))
    path = str(write(tmp_path / "m.csv", names, entries))
    lowest = answer(["partition", path, "--parts", "2", "--json"], capsys)
    highest = answer(["partition", path, "--parts", "2", "--distance", "--json"], capsys)
    assert list(lowest) == list(highest) == ["groups", "cut"]
    assert sorted(name for group in lowest["groups"] for name in group) == sorted(names)
    assert 0 < lowest["cut"] < highest["cut"] < entries.sum() / 2
    lines = text(["partition", path, "--parts", "2"], capsys).splitlines()
    assert lines == [
        f"group 0: {', '.join(lowest['groups'][0])}",
        f"group 1: {', '.join(lowest['groups'][1])}",
        f"cut: {lowest['cut']:g}",
    ]


def test_query_finds_an_architecture_by_string_and_by_index(table: Table, capsys: Capture) -> None:
    index = int(fresh().integers(len(table)))
    flag = ["--benchmark", table.name]
    by_index = answer(["query", str(index), *flag, "--json"], capsys)
    by_arch = answer(["query", table.arch(index), *flag, "--json"], capsys)
    assert by_index == by_arch == table.query(index)
    assert list(by_index) == ["arch", "index", "cifar10", "cifar100", "imagenet16-120"]
    assert all(set(by_index[dataset]) == {"valid", "test"} for dataset in DATASETS)
    shown = text(["query", str(index), *flag], capsys)
    assert f"{index}: {table.arch(index)}" in shown
    assert f"cifar10: valid {by_index['cifar10']['valid']:.2f} %" in shown


def test_an_imported_table_is_found_by_query_and_by_search(tmp_path: Path, capsys: Capture) -> None:
    published = publish(fresh())
    folder = published.folder(tmp_path / "NATS-tss")
    told = answer(["benchmark", "import", str(folder), "--json"], capsys)
    assert told == {"file": str(tmp_path / "imported.npz"), "architectures": len(published.archs)}
    found = answer(["query", "2", "--json"], capsys)
    assert found["arch"] == published.archs[2]
    assert found["cifar10"]["test"] == pytest.approx(published.means["cifar10_test"][2], abs=1e-3)
    ended = Ended(["benchmark", "import", str(folder), "--out", str(tmp_path / "x.npz")], capsys)
    assert ended.out == f"{tmp_path / 'x.npz'}: {len(published.archs)} architectures\n"
    assert ended.err.endswith(f"{len(published.archs)} of {len(published.archs)} architectures\n")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_eighty_columns_and_explains_every_option(command: str, capsys: Capture) -> None:
    shown = text([*command.split(), "--help"], capsys)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert not re.search(r" \.\s", shown), "something in the text was taken for markup"
    options = [line for line in lines if "--" in line and "─" not in line]
    assert all(len(line.strip("│* ").split(maxsplit=2)) == 3 for line in options), options


def test_without_a_command_the_help_is_shown(capsys: Capture) -> None:
    ended = Ended([], capsys)
    assert ended.status == 2
    assert "partition" in ended.out + ended.err
    assert "cleave:" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serch"], ["serch", "search"]),
        (["search", "--sed", "3"], ["--sed", "--seed"]),
        (["search", "--seed", "three"], ["--seed", "integer"]),
        (["query"], ["ARCH|INDEX"]),
        (["partition", "m.csv"], ["--parts"]),
        (["space", "nasbench201", "--set", "chanels=3"], ["chanels", "channels"]),
        (["query", "12"], ["imported.npz", "cleave benchmark import", "--benchmark"]),
        (["show", "nowhere"], ["nowhere", "recipe.yaml"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments: list[str], words: list[str], capsys: Capture) -> None:
    assert Ended(arguments, capsys).refuses(*words)


def test_the_process_exits_with_the_commands_status_and_help_needs_no_torch() -> None:
    code = "import sys, cleave.cli; print(cleave.cli.run(['--help'])); print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-2:] == ["0", "False"]
    wrong = subprocess.run([sys.executable, "-m", "cleave", "serch"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)
