"""What a person sees."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.engine.progress import Progress
from cleave.space import find_space
from cleave.terminal import Terminal, describe, how, print_run
from tests.tiny import Ended

SPACE = find_space("nasbench201")


def some_arch() -> str:
    return SPACE.format(SPACE.sample(SPACE.region, torch.Generator()))


def trained() -> dict[str, dict[str, float]]:
    tests = torch.rand(3).mul(100).tolist()
    return {
        name: {"valid": 1.0, "test": test}
        for name, test in zip(("cifar10", "cifar100", "imagenet16-120"), tests, strict=True)
    }


def outcome(benchmark: bool = False) -> dict[str, Any]:
    """A finished run's outcome with two levels of splits below group 0."""
    leaves = [
        {
            "path": path,
            "arch": some_arch(),
            "valid_accuracy": 10.0 * number,
            "valid_balanced_accuracy": 7.0 * number,
            "benchmark": trained() if benchmark else None,
        }
        for number, path in enumerate(["1", "0.0", "0.1"], start=1)
    ]
    return {
        "run": "/a/rather/long/path/" + "deeper/" * 12 + "run",
        "space": "nasbench201",
        "method": "darts",
        "splitter": "gradient",
        "seed": 3,
        "leaves": leaves,
        "splits": [
            {"leaf": "root", "choice": "2<-1", "groups": [["none", "skip_connect"], ["avg_pool_3x3"]], "cut": 0.125},
            {"leaf": "0", "choice": "3<-0", "groups": [["nor_conv_1x1"], ["nor_conv_3x3"]], "cut": None},
        ],
        "chosen": leaves[2],
        "oracle": {"dataset": "cifar100", **leaves[0]} if benchmark else None,
        "trust": {
            "leaves": [{"path": leaf["path"], "interval": [1.4, 98.6]} for leaf in leaves],
            "majority_share": 12.5,
            "warnings": ["leaf 0.1: its ranking changes from epoch to epoch"],
            "verdict": "Not shown to be better than random at the 95 % level.",
        },
        "seconds": 61.4,
    }


def printed(result: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    print_run(result)
    return capsys.readouterr().out


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_connection_of_an_architecture_is_drawn_and_nothing_else() -> None:
    for _ in range(20):
        arch = some_arch()
        names = {0: "input", 1: "node 1", 2: "node 2", 3: "output"}
        wanted = {
            (names[int(edge[3])], operation, names[int(edge[0])])
            for edge, operation in SPACE.parse(arch).items()
            if operation != "none"
        }
        found, source = [], ""
        for line in SPACE.draw(SPACE.parse(arch)).splitlines():
            if edge := re.fullmatch(r"  [├└]─ (\S+) ─▶ (.+)", line):
                found.append((source, edge[1], edge[2]))
            else:
                source = line
        assert set(found) == wanted
        assert len(found) == len(wanted)


def test_a_moment_is_told_with_what_is_known_of_it() -> None:
    assert (
        describe(Progress(1, 2, "0.1", "search", lambda: (1.23456, 78.9))) == "leaf 0.1  search  loss 1.235  acc 78.9%"
    )
    assert describe(Progress(1, 2, "root", "compare 3<-0")) == "leaf root  compare 3<-0"


@pytest.mark.parametrize("total", [7, 40, 1000])
def test_without_a_terminal_a_search_is_a_few_lines_up_to_a_hundred_percent(
    total: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with Terminal() as terminal:
        for done in range(total + 5):  # the total is an estimate, and may be too low
            terminal.see(Progress(done, total, "root", "search"))
    out, err = capsys.readouterr()
    percents = [int(line.split("%")[0]) for line in err.splitlines()]
    assert out == ""
    assert percents == sorted(set(percents))
    assert percents[0] == 0
    assert percents[-1] == 100
    assert len(percents) <= 21


def test_a_search_has_lines_of_its_own_after_those_of_reading_images(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal() as terminal:
        for kind, doing in (("", "reading images"), ("leaf", "search")):
            for done in range(101):
                terminal.see(Progress(done, 100, "", doing, kind=kind))
    lines = capsys.readouterr().err.splitlines()
    assert sum("reading images" in line for line in lines) == sum("search" in line for line in lines) == 21


def test_a_bar_that_showed_nothing_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Terminal():
        pass
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue().rpartition("\r")[2])
    assert "starting" not in last


def test_in_a_terminal_there_is_a_bar_with_leaf_loss_accuracy_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with Terminal() as terminal:
        terminal.see(Progress(30, 60, "0.1", "search", lambda: (0.5, 81.0)))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert re.search(r"━+ +50% -*[0-9:-]+ leaf 0\.1  search  loss 0\.500  acc 81\.0%", shown), shown


def test_a_line_that_is_said_is_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal() as terminal:
        terminal.say("run folder: [red]here[/red] " + "x" * 200)
    assert capsys.readouterr().err == "run folder: [red]here[/red] " + "x" * 200 + "\n"


def test_a_finished_run_is_a_tree_a_table_and_a_drawing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = outcome()
    lines = printed(result, capsys, monkeypatch).splitlines()
    text = "\n".join(lines)
    assert "split on 2<-1  (cut 0.125)" in text
    assert [line for line in lines if "split on 3<-0" in line and "cut" not in line]
    for group in ("0: none, skip_connect", "1: avg_pool_3x3", "0.0: nor_conv_1x1", "0.1: nor_conv_3x3"):
        assert group in text
    for leaf in result["leaves"]:
        assert re.search(rf"│ {leaf['path']} +│ +{leaf['valid_accuracy']:.2f} │", text)
    assert "Chosen: leaf 0.1, held-out accuracy 30.00 % (95 % interval 1.4 to 98.6)" in text
    assert SPACE.draw(SPACE.parse(result["chosen"]["arch"])) in text
    assert "Oracle" not in text
    assert "balanced accuracy 21.00 %; the most frequent class alone: 12.50 %" in text
    assert result["trust"]["verdict"] in text
    assert f"Warning: {result['trust']['warnings'][0]}" in text


def selection(by: str, retrained: bool) -> dict[str, Any]:
    """The figures of leaves 1, 0.0 and 0.1, of which every way takes another."""
    leaves: list[dict[str, Any]] = [
        {
            "path": path,
            "mixture_loss": 2.0 + number,
            "mixture_accuracy": 20.0 + number,
            "valid_accuracy": 10.0 * number,
            "retrained": [{"epochs": 30, "valid_accuracy": 60.0 + number}] if retrained else None,
        }
        for number, path in enumerate(["1", "0.0", "0.1"], start=1)
    ]
    chosen = {
        "mixture-loss": "1",
        "mixture-accuracy": "0.1",
        "accuracy": "0.1",
        "halving": "0.0" if retrained else None,
    }
    return {"by": by, "leaves": leaves, "chosen": chosen}


@pytest.mark.parametrize("benchmark", [False, True])
def test_what_each_way_would_choose_stands_side_by_side(
    benchmark: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = {**outcome(benchmark), "selection": selection("halving", retrained=True)}
    lines = printed(result, capsys, monkeypatch).splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    tests = {leaf["path"]: leaf["benchmark"]["cifar100"]["test"] for leaf in result["leaves"]} if benchmark else {}
    for what, path, figure in (
        ("loss of the supernet", "1", "3.000"),
        ("accuracy of the supernet", "0.1", "23.00 %"),
        ("accuracy of the network", "0.1", "30.00 %"),
        ("accuracy, retrained (chosen)", "0.0", "62.00 % at 30 epochs"),
    ):
        assert [what, path, figure, *([f"{tests[path]:.2f}"] if benchmark else [])] in rows
    assert max(map(len, lines[: lines.index(result["chosen"]["arch"])])) <= 80


def test_ways_that_were_not_measured_are_left_out_and_so_is_the_table_of_an_earlier_version(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed({**outcome(), "selection": selection("accuracy", retrained=False)}, capsys, monkeypatch)
    assert "accuracy of the network (chosen)" in text
    assert "retrained" not in text
    assert "Choice among leaves" not in printed(outcome(), capsys, monkeypatch)


def test_a_network_that_was_retrained_is_told_with_its_interval(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = outcome()
    for leaf in result["trust"]["leaves"]:
        leaf |= {"retrained_accuracy": 62.5, "retrained_interval": [60.04, 65.0]}
    assert "retrained: 62.50 % (95 % interval 60.0 to 65.0)" in printed(result, capsys, monkeypatch)


def test_what_is_to_be_copied_is_on_one_line_and_all_else_fits_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = outcome(benchmark=True)
    lines = printed(result, capsys, monkeypatch).splitlines()
    assert result["chosen"]["arch"] in lines
    assert lines[-2] == f"61 s; all of it is in {result['run']}"
    assert lines[-1] == f"train it: cleave train {result['run']} --from supernet"
    assert max(len(line) for line in lines if line not in (result["chosen"]["arch"], *lines[-2:])) <= 80


def test_architectures_in_the_table_are_broken_only_between_nodes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = outcome(benchmark=True)
    rows = [line.split("│") for line in printed(result, capsys, monkeypatch).splitlines()]
    cells = [row[4].strip() for row in rows if len(row) == 6]
    assert all(cell.endswith(("+", "|")) for cell in cells)
    assert "".join(cells) == "".join(leaf["arch"] for leaf in result["leaves"])


def test_a_table_of_trained_accuracies_is_shown_beside_the_choice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = outcome(benchmark=True)
    text = printed(result, capsys, monkeypatch)
    for dataset, reached in result["chosen"]["benchmark"].items():
        assert f"{dataset}: valid 1.00 %, test {reached['test']:.2f} %" in text
    best = result["oracle"]["benchmark"]["cifar100"]["test"]
    assert f"Oracle (chosen by the table): leaf 1, cifar100 test {best:.2f} %" in text
    assert "cifar100 test" in text.split("Chosen")[0]


def test_an_unfinished_run_says_how_far_it_is_and_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = {"kind": "epoch", "leaf": "0"}
    parts = {"1": None, "2": {"kind": "epoch", "phase": "warm-up", "epoch": 4}, "3": {"kind": "split"}}
    unfinished = {"run": "runs/my run", "status": "unfinished", "last": last, "parts": parts, "seconds": 3.2}
    text = printed(unfinished, capsys, monkeypatch)
    assert text.splitlines() == [
        "runs/my run: unfinished after 3 s, last event: epoch of leaf 0",
        "under way: 1, begun",
        "under way: 2, warm-up, epoch 4",
        "under way: 3, split found",
        "go on with: cleave resume 'runs/my run'",
    ]
    assert "nothing is finished yet" in printed({**unfinished, "last": None}, capsys, monkeypatch)


def test_a_run_is_drawn_in_its_own_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Units of one block are none of the usual space of Once-for-All."""
    changes = {
        "space.name": "mobilenet-ofa", "space.depths": "[1]", "method.name": "rsps", "method.samples": 2,
        "split.splitter": "none", "data.limit": 48, "data.image_size": 8, "search.epochs": 1, "search.batch_size": 12,
        "trust.control": 0, "trust.panel": 0,
    }  # fmt: skip
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    ended = Ended(["search", "--out", str(tmp_path / "run"), "--workers", "1", *words], capsys)
    assert ended.status == 0
    assert "unit 5: k" in ended.out


def test_what_weight_steps_did_otherwise_is_said_beside_the_method() -> None:
    told = {"method": "rsps", "splitter": "none", "seed": 3}
    assert how(told) == "rsps, none, seed 3"
    assert how({**told, "sampler": "fair", "hooks": ["a", "b"]}) == "rsps, sampler fair, a, b, none, seed 3"
