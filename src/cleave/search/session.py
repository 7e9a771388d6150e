"""Training in a task's folder: signs of life, checkpoints, and going on from one as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from pydantic import Field
from torch import Tensor

from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.guards import TrainingBegun, Watch
from cleave.run.alarm import Alarm, tell
from cleave.run.events import START
from cleave.run.folder import RunFiles
from cleave.run.generations import NotFinite, Record, check_finite
from cleave.run.reading import Shape, shaped
from cleave.run.task_folder import TaskFolder
from cleave.search.problem import Problem, Setup
from cleave.search.schedule import Schedule
from cleave.search.scope import Scope
from cleave.search.stages import planned_passes
from cleave.search.state import SearchCost
from cleave.search.task import TaskResult
from cleave.search.trainer import NodeTrainer
from cleave.search.work import passes_done


class InTraining(Protocol):
    """What a task trains: after every step it can be saved, and goes on from there."""

    @property
    def step(self) -> int:
        """The steps that are done."""

    @property
    def epoch(self) -> int:
        """The epochs that are done."""

    @property
    def last_loss(self) -> Tensor:
        """The training loss of the last step, a scalar."""

    def means(self) -> tuple[float, float]:
        """The mean training loss and accuracy (percent) since the epoch began."""

    def record(self) -> Record: ...

    def restore(self, record: Record) -> None: ...


TrainerKind = TypeVar("TrainerKind", bound=InTraining)


class SavedTrainer(Shape):
    """What is plain of a trainer."""

    label: str
    step: int = Field(ge=0)


class SavedTask(Shape):
    """meta.json of a task's checkpoints."""

    findings: dict[str, Any]
    learner: SavedTrainer | None


class TaskSession:
    """A task that is worked on. `trainer` is the network at hand, which every checkpoint holds."""

    def __init__(self, problem: Problem, run: RunFiles, folder: TaskFolder, stop: Stop, callback: Callback) -> None:
        self.problem, self.run, self.folder = problem, run, folder
        self.stop, self.callback = stop, callback
        self.found = TaskResult()
        self.trainer: InTraining | None = None
        self.section = "method"  # where the recipe says how it is trained
        self.saved: Record | None = None
        """The trainer that the checkpoint holds, until it is opened."""
        self.label = folder.label  # of the place at hand, or the last one
        self.watch = Watch(problem.recipe.guards.off, self._told)
        self.saved_at = time.monotonic()
        self.total = planned_passes(problem)
        if folder.generations.empty:
            folder.events.go_back(START)  # what a task did that was killed before its first checkpoint happens again
        else:
            self._restore(folder.generations.newest(callback.say))

    def opened(
        self,
        scope: Scope,
        plan: Schedule,
        prepare: Callable[[NodeTrainer], None] = lambda trainer: None,
        setup: Setup | None = None,
    ) -> NodeTrainer:
        """The trainer of a scope, as in `going_on`."""

        def learning(trainer: NodeTrainer) -> Mapping[str, Tensor]:
            return trainer.method.architecture_weights() if plan.searching else {}

        return self.going_on(NodeTrainer(self.problem, scope, plan, setup), scope.label, prepare, learning)

    def going_on(
        self,
        trainer: TrainerKind,
        label: str,
        prepare: Callable[[TrainerKind], None] = lambda trainer: None,
        learning: Callable[[TrainerKind], Mapping[str, Tensor]] = lambda trainer: {},
    ) -> TrainerKind:
        """A new trainer as it is in the checkpoint if it is there, else prepared. `learning`: its architecture weights,
        if they are going to learn."""
        saved, self.saved = self.saved, None
        if saved is not None:
            trainer.restore(saved)
            self.watch.load(label, self.found.watched)
        else:
            prepare(trainer)
            self.watch.begin(label, TrainingBegun(self.problem.classes, self.section, learning(trainer)))
        self.trainer, self.label = trainer, label
        return trainer

    def train(
        self, trainer: InTraining, epochs: int, step: Callable[[], SearchCost], doing: str, end: Callable[[], None]
    ) -> None:
        """The steps that are left of these epochs: `step` takes one and tells its cost, `end` follows an epoch.

        UserError where what was trained is not finite behind an epoch: its last step may have spoilt it.
        """
        while trainer.epoch < epochs:
            before = trainer.epoch
            self.breathe()
            self.found.cost += step()
            self.watch.step(trainer.step, trainer.last_loss)
            self.show(doing)
            if trainer.epoch > before:
                with finite(self.label, self.section):
                    check_finite(trainer.record())
                end()

    def breathe(self) -> None:
        """Between steps: stop if asked to, save if it is time."""
        self.stop.check()
        if time.monotonic() - self.saved_at >= self.problem.recipe.search.checkpoint_seconds:
            self.save()

    def save(self) -> None:
        """Commits a generation from which the task goes on as if nothing had happened."""
        record = self.saved or (self.trainer.record() if self.trainer else Record({}, {}, {}))
        if self.saved is None:
            self.found.watched = self.watch.state
        self.found.events = self.folder.events.position
        meta = {"findings": self.found.to_json(), "learner": record.meta or None}
        with finite(record.meta.get("label"), self.section):
            self.folder.generations.commit(Record(record.weights, record.state, meta))
        self.saved_at = time.monotonic()

    def _restore(self, record: Record) -> None:
        checkpoints = self.folder.generations.folder
        meta = shaped(checkpoints, SavedTask, record.meta)
        self.found = TaskResult.from_json(meta["findings"], checkpoints)
        self.folder.events.go_back(self.found.events)
        self.run.check_leaves(self.found.kept)
        if meta["learner"] is not None:
            self.saved = Record(record.weights, record.state, meta["learner"])

    def _told(self, alarm: Alarm) -> None:
        """Keeps and tells what a guard says."""
        self.found.raised.append(alarm)
        tell(alarm, self.folder.events, self.callback.say)

    def show(self, doing: str, more: int = 0) -> None:
        done = passes_done(self.problem, self.found.cost) + passes_done(self.problem, self.found.control) + more
        means = self.trainer.means if self.trainer and self.trainer.step else None
        self.callback.see(Progress(done, self.total, self.label, doing, means))


@contextmanager
def finite(leaf: str | None, section: str) -> Iterator[None]:
    """Turns the refusal to save a NaN into what the user can do about it."""
    try:
        yield
    except NotFinite as error:
        where = f"leaf {leaf}: " if leaf else ""
        raise UserError(f"{where}{error}; try a smaller {section}.learning_rate or {section}.clip") from error
