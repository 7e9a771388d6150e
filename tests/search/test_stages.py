"""A search walks a list of stages: another one is a class of its own and a line in the list."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.plan.plan import plan_phases
from cleave.search import stages
from cleave.search.perform import Performance, perform
from cleave.search.problem import Problem
from cleave.search.stages import most_tasks, planned_passes, stages_of
from cleave.search.state import State
from cleave.search.task import Task, TaskResult
from cleave.search.work import PlannedWork
from cleave.split import Tree
from tests.search.test_merging import AnyOrder, content, new_search, opened
from tests.tiny import RSPS, write_images


@dataclass(frozen=True)
class Greeting:
    """A task of a kind that the search has never heard of."""

    label: str

    def do(self, performance: Performance) -> None:
        performance.folder.events.write("greeting", leaf=self.label)


class Greetings:
    """A stage of three tasks; how many are merged is in the state."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def _left(self, state: State) -> list[str]:
        return [f"greeting {number}" for number in range(state.control.split_passes, 3)]

    def tasks(self, state: State, found: Mapping[str, TaskResult]) -> list[Task]:
        return [Greeting(label) for label in self._left(state) if label not in found]

    def next(self, state: State) -> str | None:
        return next(iter(self._left(state)), None)

    def merge(self, state: State, label: str, result: TaskResult) -> None:
        state.control.split_passes += 1

    def merged(self, state: State) -> list[str]:
        return [f"greeting {number}" for number in range(state.control.split_passes)]

    def planned(self) -> list[PlannedWork]:
        return [PlannedWork("greet", 70, 3, 0, 5, "alone")]

    def most_tasks(self) -> int:
        return 30


class Clock:
    """Everything takes its depth plus one second."""

    def seconds(self, kind: str, depth: int) -> float:
        return 1.0 + depth


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_stage_of_ones_own_is_walked_saved_and_planned(
    place: int, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = opened(images, RSPS)
    passes, phases = planned_passes(problem), len(plan_phases(problem, Clock()))
    new_search(problem, tmp_path / "without").run()
    listed = list(stages.STAGES)
    monkeypatch.setattr(stages, "STAGES", [*listed[:place], Greetings, *listed[place:]])
    assert planned_passes(problem) == passes + 70
    assert len(plan_phases(problem, Clock())) == phases + 1
    assert most_tasks(problem) == 30
    new_search(problem, tmp_path / "with").run()
    search = new_search(problem, tmp_path / "any order")
    search.run(AnyOrder(search, 4))
    assert content(tmp_path / "with") == content(tmp_path / "any order")
    before, after = [(tmp_path / name / "events.jsonl").read_text().splitlines() for name in ("without", "with")]
    added = [number for number, line in enumerate(after) if "greeting" in line]
    assert added == list(range(added[0], added[0] + 3))
    assert [line for line in after if "greeting" not in line] == before
    assert added[0] == (len(before) if place else 0), "the control writes no events"
    assert not (tmp_path / "with" / "parts").exists()


def test_the_first_of_a_stages_tasks_is_the_next_to_be_merged(images: Path, tmp_path: Path) -> None:
    """Whatever order they are done in."""
    problem = opened(images, RSPS)
    search = new_search(problem, tmp_path / "run")
    state, found = State(Tree(problem.space.region)), dict[str, TaskResult]()
    for stage in stages_of(problem):
        done: list[str] = []
        while (label := stage.next(state)) is not None:
            if label in found:
                stage.merge(state, label, found.pop(label))
                done.append(label)
                continue
            tasks = list(stage.tasks(state, found))
            assert tasks[0].label == label
            task = random.choice(tasks)
            found[task.label] = perform(problem, task, search.folder, Stop(), Callback())
        assert sorted(stage.merged(state)) == sorted(done)
        assert len(done) <= 2 * stage.most_tasks()
