"""Tasks may end in any order; what is left behind is the same, byte for byte."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cleave.config import load_recipe
from cleave.engine.engine import usual_workers
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.resolve import resolve
from cleave.run.folder import RunFolder, create, make_folder
from cleave.run.generations import last_number
from cleave.run.origin import SEARCH, read_origin
from cleave.run.view import newest_saved
from cleave.search import loop
from cleave.search.loop import Search
from cleave.search.perform import perform
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import start
from cleave.search.stages import most_tasks
from cleave.search.state import SearchCost
from cleave.search.task import Task, TaskResult
from cleave.space import find_space
from cleave.split import Split
from cleave.stats.accuracy import Accuracy, Hits
from tests.tiny import HALVING, RSPS, SIZES, write_images

KINDS = {
    "darts": {},
    "darts that inherits": {"split.restart": "false", "search.epochs": 2, "search.snapshots": 2},
    "rsps": RSPS,
    "halving": {**RSPS, **HALVING},
    "random": {"method.name": "random", "search.epochs": 2},
    "exhaustive": {"split.splitter": "exhaustive", "method.name": "gdas"},
    "three levels": {**RSPS, "split.splits": 3},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def opened(images: Path, changes: dict[str, Any]) -> Problem:
    settings = [f"{key}={value}" for key, value in {**SIZES, **changes, "data.name": images}.items()]
    recipe = load_recipe(None, settings, {})
    return open_problem(resolve(recipe, find_space(recipe.space))[0])


class AnyOrder:
    """An executor that has room for a few tasks and finishes a random one of them; it can be asked to stop."""

    def __init__(self, search: Search, room: int, stop_after: int = 1_000_000) -> None:
        self.search, self.room, self.left = search, room, stop_after
        self.tasks: list[Task] = []
        self.order: list[str] = []

    @property
    def has_room(self) -> bool:
        return len(self.tasks) < self.room

    def begin(self, task: Task) -> None:
        self.tasks.append(task)

    def finished(self) -> tuple[Task, TaskResult]:
        self.left -= 1
        if self.left < 0:
            raise Interrupted
        task = self.tasks.pop(random.randrange(len(self.tasks)))
        self.order.append(task.label)
        callback = self.search.overview.of(task.label)
        return task, perform(self.search.problem, task, self.search.folder, Stop(), callback)


def new_search(problem: Problem, folder: Path, callback: Callback | None = None) -> Search:
    if not (folder / "recipe.yaml").exists():
        make_folder(folder)
        create(folder, problem.recipe, {})
    return Search(problem, RunFolder(folder, read_origin(folder, SEARCH)), Stop(), callback or Callback())


def content(folder: Path) -> dict[str, Any]:
    """What a search leaves behind but for the numbers of its checkpoints and its times."""
    files = [folder / "events.jsonl", *(folder / "leaves").rglob("*")]
    kept = {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}
    return {**kept, "known": newest_saved(folder)["search"]}


@pytest.mark.parametrize("kind", KINDS)
def test_parts_that_end_in_any_order_leave_the_same_behind(kind: str, images: Path, tmp_path: Path) -> None:
    problem = opened(images, KINDS[kind])
    outcome = new_search(problem, tmp_path / "whole").run()
    search = new_search(problem, tmp_path / "run")
    executor = AnyOrder(search, random.randint(2, 5))
    assert search.run(executor) == outcome
    assert content(tmp_path / "run") == content(tmp_path / "whole")
    assert not (tmp_path / "run" / "parts").exists()
    assert len(set(executor.order)) == len(executor.order)


def test_children_are_begun_before_their_parents_turn_to_be_merged_has_come(images: Path, tmp_path: Path) -> None:
    """Node 1 is finished first; 1.0 and 1.1 do not wait for node 0."""
    search = new_search(opened(images, RSPS), tmp_path / "run")

    class OneFirst(AnyOrder):
        def finished(self) -> tuple[Task, TaskResult]:
            self.tasks.sort(key=lambda task: task.label == "0")
            return super().finished()

    executor = OneFirst(search, 3)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(random, "randrange", lambda count: 0)
        search.run(executor)
    assert executor.order[:4] == ["root", "1", "1.0", "1.1"]


def test_a_checkpoint_of_several_merges_is_gone_on_from_in_the_same_bytes(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where there are hundreds of nodes: what is merged since the last checkpoint is merged again."""
    problem, out = opened(images, {**RSPS, "trust.control": 2}), tmp_path / "run"
    outcome = new_search(problem, tmp_path / "whole").run()
    monkeypatch.setattr(loop, "SAVED_SHARE", 0.7)
    for stops in (3, 2, 1):
        search = new_search(problem, out)
        with pytest.raises(Interrupted):
            search.run(AnyOrder(search, 2, stops))
    search = new_search(problem, out)
    assert search.run(AnyOrder(search, 2)) == outcome
    assert content(out) == content(tmp_path / "whole")
    assert last_number(out / "checkpoints") < last_number(tmp_path / "whole" / "checkpoints")
    assert not (out / "parts").exists()


def test_what_is_finished_and_not_merged_is_never_done_again(images: Path, tmp_path: Path) -> None:
    problem = opened(images, {**RSPS, "trust.control": 2})
    outcome = new_search(problem, tmp_path / "whole").run()
    seen: list[Progress] = []

    class Recorder(Callback):
        def see(self, moment: Progress) -> None:
            seen.append(moment)

    out, steps = tmp_path / "run", 0
    for stops in (3, 2, 2, 2, 1000):
        search = new_search(problem, out, Recorder())
        try:
            assert search.run(AnyOrder(search, 4, stops)) == outcome
        except Interrupted:
            steps = len(seen)
    assert content(out) == content(tmp_path / "whole")
    whole: list[Progress] = seen.copy()
    seen.clear()
    new_search(problem, tmp_path / "again", Recorder()).run()
    assert len(whole) == len(seen) > steps > 0


def test_a_search_that_failed_before_its_parts_were_removed_goes_on(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = opened(images, RSPS)
    new_search(problem, tmp_path / "whole").run()
    with monkeypatch.context() as patched:
        for name in ("remove_tasks", "remove_last_tasks"):
            patched.setattr(f"cleave.search.loop.{name}", lambda *_: None)
        new_search(problem, tmp_path / "run").run()
    assert {path.name for path in (tmp_path / "run" / "parts").iterdir()} >= {"root", "0", "1.1", "control 1"}
    new_search(problem, tmp_path / "run").run()
    assert not (tmp_path / "run" / "parts").exists()
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_findings_come_back_from_json_as_they_were() -> None:
    groups = (("a", "b"), ("c",))
    split = Split("1<-0", ("a", "b", "c"), groups)
    found = TaskResult(
        SearchCost(1, 2, 3, 4), SearchCost(5), {"1<-0": [[0.1 + 0.2]]}, {"1<-0": 8},
        {"y": Hits([3, 4], [7, 0])}, {"x": Accuracy(1 / 3, 0.1 + 0.2)}, [[1.5]],
        {"0": "f"}, split,
    )  # fmt: skip
    assert TaskResult.from_json(found.to_json(), Path()) == found
    assert TaskResult.from_json(
        TaskResult(result={"arch": "x", "entropy": None}, finished=True).to_json(), Path()
    ).finished


def test_costs_add_up_field_by_field() -> None:
    one, other = (SearchCost(*random.sample(range(99), 4)) for _ in range(2))
    assert vars(one + other) == {name: vars(one)[name] + vars(other)[name] for name in vars(one)}


@pytest.mark.parametrize(
    ("changes", "tasks"),
    [({}, 4), ({"trust.control": 9}, 10), ({"split.splitter": "none", "trust.control": 0}, 1)],
)
def test_there_are_as_many_parts_at_once_as_leaves_or_architectures_of_the_control(
    changes: dict[str, Any], tasks: int, images: Path
) -> None:
    assert most_tasks(opened(images, changes)) == tasks


def test_the_usual_workers_are_the_cores_shared_out_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    workers = [usual_workers("cpu", threads) for threads in (1, 3, 8, 9)]
    assert workers == [8, 2, 1, 1]
    assert usual_workers("cuda:0", 1) == 1


def test_a_search_through_the_library_starts_no_process_unless_asked(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", lambda self: pytest.fail("a process"))
    changes = [f"{key}={value}" for key, value in {**SIZES, **RSPS, "data.name": images}.items()]
    assert start(load_recipe(None, changes, {}), tmp_path / "run", Callback())["leaves"]
