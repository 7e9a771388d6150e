"""What a plan says is what a search then does."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import split
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.free_memory import size_text
from cleave.plan import plan_search, text
from cleave.plan.memory import StepMemory, step_memory
from cleave.plan.plan import memory_warnings
from cleave.plan.text import duration
from cleave.plan.timing import Stopwatch, typical_region
from cleave.resolve import resolve
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import start
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.split import Node
from tests.method.kinds import EVERYWHERE
from tests.tiny import Ended

TINY = [
    "data.limit=96", "data.image_size=8", "space.channels=2", "search.batch_size=24",
    "search.epochs=2", "split.batches=2", "trust.control=2", "trust.panel=0",
]  # fmt: skip
THREE = "space.ops=[none, skip_connect, nor_conv_1x1]"


def recipe(*changes: str) -> Recipe:
    return load_recipe(None, [*TINY, THREE, *changes], {})


def opened(*changes: str) -> Problem:
    asked = recipe(*changes)
    return open_problem(resolve(asked, find_space(asked.space))[0])


def root(problem: Problem) -> NodeTrainer:
    return NodeTrainer(problem, Node((), problem.space.region), schedule(problem.recipe, 0))


def steps(plan: dict[str, Any], *names: str) -> int:
    return sum(phase["count"] * phase["steps"] for phase in plan["phases"] if phase["name"].split()[0] in names)


@pytest.mark.parametrize(
    "changes",
    [
        ["split.splitter=gradient"],
        ["split.splitter=gradient", "split.branch=3", "split.splits=1", "method.name=rsps", "method.samples=4"],
        ["split.splitter=exhaustive"],
        ["split.splitter=none"],
        ["split.splitter=random", "split.restart=false"],
        ["split.splitter=none", "method.name=random"],
        ["split.splitter=output", "split.splits=1", "method.name=rsps", "method.samples=4"],
        ["split.splitter=metric", "split.metric=gradient-norm", "split.completions=3", "split.splits=1"],
        ["split.splitter=parametric", "method.name=rsps", "method.samples=4"],
    ],
)
def test_the_steps_planned_are_the_steps_done(tmp_path: Path, changes: list[str]) -> None:
    plan = plan_search(recipe(*changes))
    outcome = start(recipe(*changes), tmp_path / "run", Callback())
    cost, control = outcome["cost"], outcome["trust"]["control"]
    assert plan["sub_supernets"] == len(outcome["leaves"])
    assert steps(plan, "warm-up", "search", "train") == cost["weight_steps"]
    assert steps(plan, "compare") == cost["split_passes"]
    assert steps(plan, "control") == control["control_passes"]
    assert plan["seconds"] == pytest.approx(sum(phase["seconds"] for phase in plan["phases"]))
    assert all(phase["seconds_per_step"] > 0 for phase in plan["phases"])


def test_a_plan_tells_how_many_networks_a_step_trains() -> None:
    asked = ("method.name=rsps", "method.samples=4", "split.splitter=none", "trust.control=0")
    one, fair = (plan_search(recipe(*asked, *more)) for more in ((), ("method.sampler=fair",)))
    assert (one["networks_per_step"], fair["networks_per_step"]) == (1, 3)
    assert ": 1 sub-supernets\n" in text(one)
    assert ": 1 sub-supernets, 3 networks in a weight step\n" in text(fair)


def test_statistics_that_are_measured_are_work_that_is_planned(tmp_path: Path) -> None:
    changes = ["method.name=rsps", "method.samples=4", "split.splitter=none", "search.eval_batch_size=12"]
    changes += ["search.statistics=mean", "search.calibration_images=20", "trust.panel=2"]
    plan, cost = plan_search(recipe(*changes)), start(recipe(*changes), tmp_path / "run", Callback())["cost"]
    assert 20 * steps(plan, "calibrate") == cost["calibration_images"] == 20 * (4 + 2 + 1)
    assert steps(plan_search(recipe(*changes, "search.statistics=batch")), "calibrate") == 0


@pytest.mark.parametrize("method", EVERYWHERE)
def test_every_method_can_be_planned(method: str) -> None:
    plan = plan_search(recipe(f"method.name={method}"))
    assert plan["method"] == method
    assert plan["seconds"] > 0


def test_planning_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan_search(recipe())
    assert list(tmp_path.iterdir()) == []


def test_the_memory_of_a_step_grows_with_the_batch_and_the_weights() -> None:
    problem = opened()
    small, wide = step_memory(problem), step_memory(opened("space.channels=8"))
    weights = sum(parameter.numel() for parameter in root(problem).network.parameters()) * 4
    assert small.weights == 3 * weights
    assert small.of(64) - small.of(32) == 32 * small.per_image > 0
    assert wide.per_image > 2 * small.per_image


def test_the_memory_of_retraining_counts_where_it_is_the_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopwatch, "seconds", lambda watch, kind, depth: 1.0)
    halving = ["selection.by=halving", "selection.schedule=[1, 2]", "selection.training={auxiliary: 0}"]
    alone = plan_search(recipe())["memory"]["step_bytes"]
    narrow, wide = (
        plan_search(recipe(*halving, f"selection.space={{channels: {channels}}}"))["memory"]["step_bytes"]
        for channels in (2, 64)
    )
    assert narrow >= alone
    assert wide > 10 * alone


def test_what_a_step_keeps_is_what_autograd_saves() -> None:
    """Counted without memory, against a twin that walks the saved tensors of a real forward pass."""
    problem, images = opened(), 24
    trainer = root(problem)
    pixels, _ = trainer.train.batch(0)
    output = trainer.network(pixels[:images], trainer.method.gates(trainer.context("memory", 0)))
    weights = {parameter.data_ptr() for parameter in trainer.network.parameters()}
    found: dict[int, int] = {}
    waiting: list[Any] = [output.grad_fn]
    seen: set[Any] = set()
    while waiting:
        function = waiting.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        for name in dir(function):
            value = getattr(function, name) if name.startswith("_saved_") else None
            if isinstance(value, torch.Tensor) and value.data_ptr() not in weights:
                found[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        waiting += [following for following, _ in function.next_functions]
    memory = step_memory(problem)
    assert memory.of(images) - memory.weights == pytest.approx(sum(found.values()), rel=0.1)


def test_too_little_memory_is_a_warning_and_a_smaller_batch_to_time() -> None:
    assert memory_warnings(100, None, ["search.batch_size"]) == []
    assert memory_warnings(100, 1000, ["search.batch_size"]) == []
    (warning,) = memory_warnings(3 * 2**30, 2**30, ["search.batch_size", "space.channels"])
    assert "search.batch_size, space.channels" in warning
    assert "3.0 GiB" in warning
    problem, memory = opened(), StepMemory(weights=900, fixed=100, per_image=100)
    for limit in (None, 1_000_000):
        whole = Stopwatch.fitting(problem, memory, limit)
        assert whole.scale == 1
    smaller = Stopwatch.fitting(problem, memory, 1650)
    assert smaller.problem.recipe.search.batch_size == 6
    assert smaller.scale == 4
    assert smaller.step(0)
    unfit = Stopwatch.fitting(problem, memory, 900)
    assert (unfit.step(0), unfit.comparison(0), unfit.evaluation(0), unfit.alone()) == (None,) * 4


def test_a_search_far_too_large_is_planned_without_touching_the_memory() -> None:
    """Its weights alone are terabytes."""
    plan = plan_search(recipe("space.channels=40000"))
    assert plan["seconds"] is None
    assert plan["memory"]["step_bytes"] > 2**41
    assert plan["warnings"]
    assert "not timed" in text(plan)
    assert plan["steps"] > 0


@pytest.mark.parametrize(("splitter", "size"), [("exhaustive", 1), ("gradient", 2)])
def test_a_typical_region_is_as_large_as_the_largest_leaf(splitter: str, size: int) -> None:
    problem = opened(f"split.splitter={splitter}", "split.splits=2")
    region = typical_region(problem, 2)
    assert sorted(map(len, region.allowed.values())) == [size, size, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (121, "2 min"), (7300, "2.0 h"), (200000, "2.3 d")]
)
def test_durations_are_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_are_for_people() -> None:
    assert (size_text(12 * 2**20), size_text(3 * 2**29)) == ("12 MiB", "1.5 GiB")


def test_the_text_fits_a_terminal_and_has_every_phase() -> None:
    plan = plan_search(recipe())
    lines = text(plan).splitlines()
    assert all(len(line) <= 80 for line in lines)
    for phase in plan["phases"]:
        assert any(line.startswith(phase["name"]) for line in lines)


def test_the_command_prints_json_or_text_and_names_a_wrong_key(capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for change in [*TINY, THREE] for word in ("--set", change)]
    told = json.loads(Ended(["plan", "--json", *words], capsys).out)
    assert told["sub_supernets"] == 4
    lines = Ended(["plan", *words], capsys).out.splitlines()
    assert "sub-supernets" in lines[0]
    asked = split(lines[-1].removeprefix("next: cleave "))
    assert asked == ["search", *words]
    assert Ended(["plan", "--set", "search.epoch=3"], capsys).refuses("search.epoch", "search.epochs")
    assert Ended(["plan", "--data", "nowhere"], capsys).refuses("nowhere")
