"""How a search of very many leaves goes on very many GPUs: the scheduler is the real one, its workers only pretend.

`python -m benchmarks.scale --leaves 1000 --workers 64` drives `cleave.search.loop.Search` in a real run folder, with
all that it writes there. What a task takes is drawn; the seconds that the scheduler itself needs are those of this
machine, and pass for the workers that wait for it too. A failure is that of one GPU, whose task goes on from its last
checkpoint.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from cleave.config import load_recipe
from cleave.data.chance import Chance
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.resolve import resolve
from cleave.run import durable
from cleave.run.durable import Owner
from cleave.run.events import Mark
from cleave.run.folder import create
from cleave.run.lock import RunLock
from cleave.run.task_folder import path_of
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import environment
from cleave.search.schedule import parts_at
from cleave.search.state import SearchCost
from cleave.search.task import NodeTask, Task, TaskResult
from cleave.space import find_space
from cleave.split.splitters import SPLITTERS, SplitRequest

BRANCHES = {8: (2, 2, 2), 40: (2, 2, 2, 5), 1000: (2, 2, 2, 5, 5, 5), 10_000: (2, 2, 2, 2, 5, 5, 5, 5)}
"""How the DARTS space is split for so many leaves: at random, since nothing has to be trained for that."""
SETTINGS = [
    "space.name=darts", "space.channels=2", "method.name=rsps", "split.splitter=random", "trust.panel=0",
    "trust.control=0", "selection.by=accuracy", "data.limit=60", "data.image_size=8", "search.batch_size=15",
    "threads=1",
]  # fmt: skip
EVENTS_OF_A_LEAF = 50
"""Lines: one for each of its epochs."""


@dataclass(frozen=True)
class Cluster:
    """`leaf_seconds`: what a leaf takes in the middle, `spread`: the deviation of its logarithm. `start_seconds`: until
    a worker has begun. `failures`: of one GPU in an hour. `checkpoint_seconds`: between two of a leaf's checkpoints.
    """

    workers: int
    leaf_seconds: float
    spread: float
    start_seconds: float
    failures: float
    checkpoint_seconds: float


@dataclass
class Ledger:
    """What happened: seconds unless it says otherwise."""

    makespan: float = 0.0
    work: float = 0.0
    lost: float = 0.0
    failed: int = 0
    scheduler: float = 0.0
    written_bytes: int = 0
    written_folders: int = 0
    ends: list[float] = field(default_factory=list)


class Pretending:
    """An executor whose workers have a clock of their own, which stands still but for what is drawn."""

    def __init__(self, cluster: Cluster, problem: Problem, run: Path, ledger: Ledger, seed: int) -> None:
        self.cluster, self.problem, self.run, self.ledger = cluster, problem, run, ledger
        self.random = random.Random(seed)
        self.busy: list[tuple[float, int, Task]] = []
        self.begun, self.back_at = 0, time.perf_counter()

    @property
    def has_room(self) -> bool:
        return len(self.busy) < self.cluster.workers

    def begin(self, task: Task) -> None:
        assert self.has_room
        assert isinstance(task, NodeTask)
        self._pass_time()
        is_leaf = len(task.node.path) == self.problem.recipe.split.splits
        end = self.ledger.makespan + (self._seconds() if is_leaf else 1.0)
        heapq.heappush(self.busy, (end, self.begun, task))
        self.begun += 1

    def finished(self) -> tuple[Task, TaskResult]:
        self._pass_time()
        end, _, task = heapq.heappop(self.busy)
        assert isinstance(task, NodeTask)
        self.ledger.makespan = max(self.ledger.makespan, end)
        found = pretended(self.problem, task, self.run)
        if found.split is None:
            self.ledger.ends.append(self.ledger.makespan)
        self.back_at = time.perf_counter()
        return task, found

    def _pass_time(self) -> None:
        """What the scheduler itself has taken since it was handed something."""
        now = time.perf_counter()
        self.ledger.makespan += now - self.back_at
        self.ledger.scheduler += now - self.back_at
        self.back_at = now

    def _seconds(self) -> float:
        """Of a leaf, from when a worker takes it until it is done, with all its failures."""
        cluster = self.cluster
        work = cluster.leaf_seconds * math.exp(self.random.gauss(0, cluster.spread))
        self.ledger.work += work
        done, total = 0.0, cluster.start_seconds
        while cluster.failures and (until := self.random.expovariate(cluster.failures / 3600)) < work - done:
            kept = (done + until) // cluster.checkpoint_seconds * cluster.checkpoint_seconds
            self.ledger.lost += done + until - kept + cluster.start_seconds
            self.ledger.failed += 1
            total += until + cluster.start_seconds
            done = kept
        return total + work - done


def pretended(problem: Problem, task: NodeTask, run: Path) -> TaskResult:
    """What a node comes to whose supernet nobody has trained, with the files that the real one leaves."""
    generator = Chance(problem.recipe.seed, task.label).generator("pretended")
    depth, found = len(task.node.path), TaskResult(cost=SearchCost(weight_steps=1), finished=True)
    if depth < (problem.recipe.split.splits or 0):
        splitter = SPLITTERS[problem.recipe.split.splitter].of(problem.recipe.split, depth)
        parts = parts_at(problem.recipe, depth)
        found.split = splitter.split(SplitRequest(task.node.region, task.unsplit, parts, never, never, generator))
    else:
        accuracy = float(torch.rand((), generator=generator)) * 100
        found.result = {
            "arch": problem.space.format(problem.space.sample(task.node.region, generator)),
            "valid_accuracy": accuracy, "valid_balanced_accuracy": accuracy, "mixture_loss": None,
            "mixture_accuracy": None, "entropy": None, "s_tau": None,
        }  # fmt: skip
    lines = "".join(f'{{"kind": "epoch", "leaf": "{task.label}", "epoch": {i}}}\n' for i in range(EVENTS_OF_A_LEAF))
    folder = path_of(run, task.label)
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(lines, encoding="utf-8")
    found.events = Mark.after(lines.encode())
    return found


def never(*arguments: object) -> Any:  # noqa: ANN401
    raise AssertionError("nothing is scored")


def simulate(leaves: int, cluster: Cluster, folder: Path, seed: int = 0) -> dict[str, Any]:
    """What a search of so many leaves comes to on a cluster, in a new folder."""
    branch = BRANCHES[leaves]
    changes = [*SETTINGS, f"split.branch={list(branch)}", f"split.splits={len(branch)}", f"seed={seed}"]
    asked = load_recipe(None, changes, {})
    problem = open_problem(resolve(asked, find_space(asked.space))[0])
    ledger = Ledger()
    folder.mkdir(parents=True)
    with RunLock(folder), counting(ledger):
        search = Search(problem, create(folder, problem.recipe, environment(problem)), Stop(), Callback())
        search.run(Pretending(cluster, problem, folder, ledger, seed))
    assert len(search.state.searched) == prod(branch)
    return told(leaves, cluster, ledger)


def told(leaves: int, cluster: Cluster, ledger: Ledger) -> dict[str, Any]:
    """`efficiency`: the share of the workers' seconds that is work. `tail`: seconds when some have nothing to do."""
    last = sorted(ledger.ends)[-cluster.workers :]
    found = {key: value for key, value in asdict(ledger).items() if key != "ends"}
    return {
        "leaves": leaves, **asdict(cluster), **found,
        "efficiency": ledger.work / (ledger.makespan * cluster.workers),
        "tail": last[-1] - last[0],
    }  # fmt: skip


@contextmanager
def counting(ledger: Ledger) -> Iterator[None]:
    """Meanwhile what is written as whole folders, checkpoints above all, is counted."""
    write = durable.write_folder

    def counted(folder: Path, contents: Mapping[str, bytes], of: Owner | None = None) -> str:
        ledger.written_folders += 1
        ledger.written_bytes += sum(map(len, contents.values()))
        return write(folder, contents, of)

    durable.write_folder = counted
    try:
        yield
    finally:
        durable.write_folder = write


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--leaves", type=int, default=1000, choices=sorted(BRANCHES))
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--leaf-seconds", type=float, default=1400, help="of a leaf's work, in the middle")
    parser.add_argument("--spread", type=float, default=0.1, help="deviation of its logarithm")
    parser.add_argument("--start-seconds", type=float, default=20, help="until a worker has begun")
    parser.add_argument("--failures", type=float, default=0.0, help="of one GPU in an hour")
    parser.add_argument("--checkpoint-seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where the report is written")
    given = vars(parser.parse_args(arguments))
    leaves, seed, file = given.pop("leaves"), given.pop("seed"), given.pop("json")
    with TemporaryDirectory() as folder:
        found = json.dumps(simulate(leaves, Cluster(**given), Path(folder, "run"), seed), indent=1)
    print(found)
    if file:
        file.write_text(found + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
