"""The trust report: what it says follows from what was measured, and the control is what it claims to be."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from cleave.bench.table import Table
from cleave.config import load_recipe
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.resolve import resolve
from cleave.run.events import Events
from cleave.run.folder import RunFolder, create, make_folder
from cleave.run.origin import SEARCH, read_origin
from cleave.search.evaluator import LeafEvaluator
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.search.schedule import alone
from cleave.search.scope import Standalone
from cleave.search.trainer import NodeTrainer
from cleave.search.trust import ControlTrust, LeafTrust, below_majority, warnings
from cleave.space import find_space
from cleave.stats.intervals import wilson
from tests.tiny import write_table

SPACE = find_space("nasbench201", ["none", "skip_connect", "nor_conv_1x1"])
TINY = [
    "data.limit=96", "data.image_size=8", "space.channels=2", "search.batch_size=24", "search.epochs=3",
    "split.splits=1", "split.batches=1", "space.ops=[none, skip_connect, nor_conv_1x1]",
    "trust.panel=4", "trust.panel_epochs=2", "trust.control=3",
]  # fmt: skip


def opened(*changes: str, benchmark: Path | None = None) -> Problem:
    flags = {"benchmark": str(benchmark)} if benchmark else {}
    return open_problem(resolve(load_recipe(None, [*TINY, *changes], flags), SPACE)[0])


def searched(
    folder: Path, problem: Problem, callback: Callback | None = None, stop: Stop | None = None
) -> dict[str, Any]:
    if not (folder / "recipe.yaml").exists():
        make_folder(folder)
        create(folder, problem.recipe, {})
    return Search(problem, RunFolder(folder, read_origin(folder, SEARCH)), stop or Stop(), callback or Callback()).run()


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    write_table(tmp_path_factory.mktemp("table") / "table.npz")
    return opened(benchmark=tmp_path_factory.getbasetemp() / "table0" / "table.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "run"


@pytest.fixture(scope="module")
def outcome(problem: Problem, folder: Path) -> dict[str, Any]:
    return searched(folder, problem)


def test_every_leaf_tells_how_much_of_it_skips_and_how_much_learns(outcome: dict[str, Any]) -> None:
    for leaf, told in zip(outcome["leaves"], outcome["trust"]["leaves"], strict=True):
        operations = list(SPACE.parse(leaf["arch"]).values())
        assert told["skip_share"] == operations.count("skip_connect") / 6
        assert told["weights_share"] == operations.count("nor_conv_1x1") / 6


def test_every_leaf_has_an_interval_around_its_accuracy(outcome: dict[str, Any], problem: Problem) -> None:
    trust = outcome["trust"]
    assert trust["held_out_images"] == len(problem.valid)
    for leaf, told in zip(outcome["leaves"], trust["leaves"], strict=True):
        assert told["path"] == leaf["path"]
        hits = round(leaf["valid_accuracy"] / 100 * len(problem.valid))
        low, high = wilson(hits, len(problem.valid))
        assert told["interval"] == pytest.approx((100 * low, 100 * high))
        assert told["interval"][0] <= leaf["valid_accuracy"] <= told["interval"][1]


def test_the_control_is_the_chosen_architecture_among_random_ones_trained_alone(
    outcome: dict[str, Any], problem: Problem
) -> None:
    control = outcome["trust"]["control"]
    place = Standalone("control 0", SPACE.parse(outcome["chosen"]["arch"]))
    trainer = NodeTrainer(problem, place, alone(control["epochs"]))
    while trainer.step < trainer.steps:
        trainer.advance()
    assert LeafEvaluator(trainer)(place.arch) == control["chosen_accuracy"]
    assert control["architectures"] == 3
    assert control["p_value"] == (1 + control["at_least_as_good"]) / 4
    assert control["random_search"]["valid_accuracy"] >= control["mean"]
    assert SPACE.valid(SPACE.parse(control["random_search"]["arch"]))


def test_the_control_spends_about_what_the_search_spent(tmp_path: Path) -> None:
    problem = opened("search.epochs=8", "trust.panel=0", "split.splitter=none", "split.splits=0")
    control = searched(tmp_path / "run", problem)["trust"]["control"]
    each = control["epochs"] * problem.steps_per_epoch
    assert control["control_passes"] == 4 * each
    assert 0 <= control["search_passes"] - control["control_passes"] < 4 * problem.steps_per_epoch + 2
    assert control["epochs"] > 1


def test_measuring_trust_does_not_change_what_is_found(
    outcome: dict[str, Any], problem: Problem, tmp_path: Path
) -> None:
    settings = problem.recipe.trust.model_copy(update={"control": 0, "panel": 0})
    without = Problem(**{**vars(problem), "recipe": problem.recipe.model_copy(update={"trust": settings})})
    bare = searched(tmp_path / "run", without)
    assert {key: value for key, value in bare.items() if key != "trust"} == {
        key: value for key, value in outcome.items() if key != "trust"
    }
    assert bare["trust"]["control"] is None
    assert all(leaf["s_tau"] is None for leaf in bare["trust"]["leaves"])
    assert "was not tested" in bare["trust"]["verdict"]


def all_archs() -> list[dict[str, str]]:
    names = [choice.name for choice in SPACE.choices]
    return [dict(zip(names, row, strict=True)) for row in itertools.product(SPACE.choices[0].candidates, repeat=6)]


def test_the_table_says_how_many_do_as_well(outcome: dict[str, Any], problem: Problem) -> None:
    table: Table | None = problem.table
    assert table is not None
    tests = table.accuracies("cifar10", "test")
    own = tests[table.index(outcome["chosen"]["arch"])]
    valid = [table.index(SPACE.format(arch)) for arch in all_archs() if SPACE.valid(arch)]
    expected = sum(tests[index] >= own for index in valid)
    told = outcome["trust"]["table"]
    assert (told["architectures"], told["at_least_as_good"]) == (len(valid), expected)
    assert f"{expected / len(valid):.1%}" in outcome["trust"]["verdict"]


def test_the_verdict_needs_nineteen_to_show_anything(tmp_path: Path) -> None:
    """With three others the smallest p-value is .25."""
    found = searched(tmp_path / "run", opened("method.name=rsps", "method.samples=3"))
    assert found["trust"]["control"]["p_value"] >= 0.25
    assert found["trust"]["verdict"].startswith("Not shown to be better than random at the 95 % level")


def leaf(path: str, **changes: Any) -> LeafTrust:  # noqa: ANN401
    usual = {
        "valid_accuracy": 50.0,
        "interval": (49.0, 51.0),
        "balanced_accuracy": 50.0,
        "s_tau": 0.9,
        "entropy": 0.5,
        "skip_share": 0.1,
        "weights_share": 0.5,
        "cell_skip_share": 0.1,
        "s_tau_defined": 10,
        "s_tau_pairs": 10,
    }
    return LeafTrust(path, **{**usual, **changes})


def signs_of(leaves: list[LeafTrust]) -> list[str]:
    """The warnings where leaf 0 is chosen."""
    return warnings(leaves, "0", {leaf.path: leaf.interval for leaf in leaves})


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"weights_share": 0.0}, "nothing on its edges has weights"),
        ({"entropy": 0.995}, "nearly uniform"),
        ({"s_tau": 0.1}, "changes from epoch to epoch"),
        ({"interval": (48.0, 50.5)}, "not told apart"),
        ({"s_tau": 1.0, "s_tau_defined": 1, "s_tau_pairs": 45}, "S-Tau is defined in 1 of 45 pairs of rankings"),
        ({"s_tau": None, "s_tau_defined": 0, "s_tau_pairs": 10}, "S-Tau is defined in 0 of 10 pairs of rankings"),
    ],
)
def test_each_sign_of_trouble_is_named_with_its_leaf(sign: dict[str, Any], words: str) -> None:
    best = leaf("0", interval=(50.0, 53.0))
    fine = leaf("1", interval=(40.0, 42.0))
    assert signs_of([best, fine]) == []
    (warning,) = signs_of([best, leaf("1", **{"interval": (40.0, 42.0), **sign})])
    assert warning.startswith("leaf 1: ")
    assert words in warning


def test_leaves_of_as_many_undefined_pairs_are_named_together_and_a_bound_is_no_trouble() -> None:
    few, fewer = ({"s_tau_defined": count, "s_tau_pairs": 10} for count in (3, 1))
    best, apart = leaf("0", interval=(50.0, 53.0), **few), {"interval": (40.0, 42.0)}
    found = signs_of([best, leaf("1", **apart, **fewer), leaf("2", **apart, **few)])
    assert [warning.split(": ")[0] for warning in found] == ["leaf 0, 2", "leaf 1"]
    assert signs_of([leaf("0", s_tau=0.1 + 0.2), leaf("1", s_tau=0.3, **apart)]) == []
    assert signs_of([leaf("0", s_tau=1 - 0.7), leaf("1", s_tau=3 * 0.1 - 1e-16, **apart)]) == []


def test_a_search_stopped_in_its_control_goes_on_there(
    tmp_path: Path, outcome: dict[str, Any], problem: Problem
) -> None:
    stop = Stop()

    class Stopper(Callback):
        def see(self, moment: Progress) -> None:
            stop.requested = moment.leaf == "control 2"

    with pytest.raises(Interrupted):
        searched(tmp_path / "run", problem, Stopper(), stop)
    seen: list[str] = []

    class Recorder(Callback):
        def see(self, moment: Progress) -> None:
            seen.append(moment.leaf)

    assert searched(tmp_path / "run", problem, Recorder()) == outcome
    assert set(seen) <= {"control 2", "control 3"}


def test_panels_are_in_the_events_of_the_last_epochs(outcome: dict[str, Any], folder: Path) -> None:
    epochs = [event for event in Events.read(folder / "events.jsonl") if event["kind"] == "epoch"]
    assert any(leaf["s_tau"] is not None for leaf in outcome["trust"]["leaves"])
    assert all(leaf["s_tau_defined"] <= leaf["s_tau_pairs"] == 1 for leaf in outcome["trust"]["leaves"])
    for event in epochs:
        followed = event["phase"] == "search" and event["epoch"] > 1
        assert ("panel" in event) is followed
        assert len(event.get("panel", range(4))) == 4


def control(chosen: float, best: float) -> ControlTrust:
    return ControlTrust(3, 1, 1, 1, chosen, 50.0, 1.0, 1, 0.5, {"valid_accuracy": best})


def test_nothing_that_beats_the_most_frequent_class_is_said() -> None:
    """Random pixels at 300 to 20: every network learns to say the big class, and 93.75 % are right."""
    leaves = [leaf(path, valid_accuracy=93.75, interval=(90.6, 95.9)) for path in ("0", "1")]
    (line,) = below_majority(leaves, control(93.75, 93.75), 93.75)
    assert line.startswith("nothing that was trained beats always answering the most frequent class")
    assert "93.75 %" in line


def test_a_leaf_that_is_not_told_apart_from_the_most_frequent_class_is_named() -> None:
    good, bad = (
        leaf("0", valid_accuracy=99.0, interval=(97.0, 99.6)),
        leaf("1", valid_accuracy=95.0, interval=(93.0, 96.0)),
    )
    assert below_majority([good], None, 93.75) == []
    (line,) = below_majority([good, bad], control(99.0, 90.0), 93.75)
    assert line.startswith("leaf 1: not shown to beat")


def test_a_random_architecture_alone_may_beat_the_most_frequent_class() -> None:
    (line,) = below_majority([leaf("0", valid_accuracy=60.0, interval=(50.0, 70.0))], control(60.0, 80.0), 75.0)
    assert line.startswith("leaf 0: not shown to beat")


def test_the_report_has_the_share_of_the_most_frequent_class(outcome: dict[str, Any], problem: Problem) -> None:
    counts = problem.valid.labels.bincount().tolist()
    assert outcome["trust"]["majority_share"] == 100 * max(counts) / len(problem.valid)
    for leaf, told in zip(outcome["leaves"], outcome["trust"]["leaves"], strict=True):
        assert told["balanced_accuracy"] == leaf["valid_balanced_accuracy"]
