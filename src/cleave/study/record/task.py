"""The tasks of a study: every supernet of every instance, and every snapshot whose children are tuned."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from cleave.data.images import Images
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted, UserError
from cleave.run.durable import json_bytes, read_folder, remove_folder, saving, write_bytes, write_folder
from cleave.run.events import EVENTS
from cleave.run.generations import Generations, NotFinite, Record, check_finite, read_record, write_record
from cleave.run.reading import Damaged, Timing, is_there, read_json, shaped
from cleave.run.task_folder import path_of, task_lock
from cleave.study.record.ledger import entry
from cleave.study.record.log import Log, log_bytes, read_log
from cleave.study.record.problem import Study
from cleave.study.record.seen import to_log
from cleave.study.record.training import Training
from cleave.study.record.tuning import Tuning

DONE, LOG, COST, SNAPSHOTS = "done", "log.parquet", "cost.json", "snapshots"


@dataclass(frozen=True)
class StudyTask:
    """A supernet of an instance; or, with an epoch, the tuning of its children from the snapshot after that epoch."""

    instance: int
    group: int
    epoch: int | None = None

    @property
    def label(self) -> str:
        tuned = "" if self.epoch is None else f"-tune{self.epoch}"
        return f"instance{self.instance}-supernet{self.group}{tuned}"

    @property
    def source(self) -> StudyTask:
        """The training whose snapshot is tuned."""
        return StudyTask(self.instance, self.group)


def trainings(study: Study) -> list[StudyTask]:
    """Instance by instance, so that an interrupted study has whole ones."""
    return [
        StudyTask(instance, group) for instance in range(study.recipe.instances) for group in range(len(study.divided))
    ]


def tunings(study: Study) -> list[StudyTask]:
    """The tasks that need a snapshot of a training."""
    return [
        StudyTask(task.instance, task.group, epoch) for task in trainings(study) for epoch in study.recipe.tune.epochs
    ]


def effort(study: Study, task: StudyTask, step: int | None = None) -> int:
    """About how many mini-batches a task takes, up to a step or in all; looks count by the images that they are at."""
    judged = len(study.judged) * len(study.children)
    if task.epoch is not None:
        children = len(study.divided[task.group]) if step is None else step
        return children * study.recipe.tune.batches * (1 + len(study.judged) // (6 * study.recipe.training.batch_size))
    looks, steps = study.recipe.looks, study.steps(task.group)
    done = steps if step is None else step
    count = done // (study.steps_per_epoch * looks.every) + max(0, done - max(0, steps - looks.dense))
    return done + count * len(looks.statistics) * judged // (12 * len(study.divided) * study.recipe.training.batch_size)


class StudyCost(Timing):
    """What a task cost, as in the ledger."""

    what: str
    mini_batches: int
    per_child: float


@dataclass(frozen=True)
class StudyJob:
    """The work of a study in its folder; `identity`: of the study's origin.

    What a finished task leaves in `done` is written at once and sealed, and its snapshots are.
    """

    study: Study
    run: Path
    identity: str

    @property
    def threads(self) -> int:
        return self.study.recipe.threads

    @property
    def device(self) -> str:
        return self.study.recipe.device

    @property
    def sizes(self) -> str:
        return f"training.batch_size, looks.images, looks.batch_size, {self.study.recipe.space.smaller_by}"

    @property
    def images(self) -> Iterable[Images]:
        return [images for images in (self.study.train, self.study.judged, self.study.reported) if images is not None]

    def perform(self, task: StudyTask, stop: Stop, callback: Callback) -> int:
        """Does a task, or what is left of it; returns its effort. Interrupted, with all saved, when asked to stop."""
        with task_lock(self.run, task.label):
            if self.is_done(task, callback.say):
                return 0
            session = StudySession(self, task, callback)
            try:
                session.work(stop)
            except Interrupted:
                session.save_if_begun()
                raise
            session.finish()
            return effort(self.study, task)

    def is_done(self, task: StudyTask, say: Callable[[str], None] = lambda _: None) -> bool:
        """Whether a task is finished, and all that it left is as it was written; `say` gets a line for what is not.

        Foreign where it is of another task or study.
        """
        if not is_there(self.folder_of(task) / DONE):
            return False
        try:
            read_folder(self.folder_of(task) / DONE, of=self.owner(task))
            for epoch in self.study.recipe.tune.epochs if task.epoch is None else ():
                self.snapshot(task, epoch)
        except Damaged as error:
            say(f"{error}; the task is done again")
            return False
        return True

    def folder_of(self, task: StudyTask) -> Path:
        return path_of(self.run, task.label)

    def owner(self, task: StudyTask) -> dict[str, str | int]:
        return {"run": self.identity, "part": task.label}

    def snapshot(self, task: StudyTask, epoch: int) -> Record:
        """The weights of a training after an epoch; Damaged where they are not what was written."""
        return read_record(self.folder_of(task) / SNAPSHOTS / str(epoch), of={**self.owner(task), "epoch": epoch})

    def log(self, task: StudyTask) -> Log:
        """A finished task's rows."""
        return read_log(self.folder_of(task) / DONE / LOG)

    def cost(self, task: StudyTask) -> dict[str, Any]:
        """What a finished task cost."""
        return read_json(self.folder_of(task) / DONE / COST, StudyCost)


class SavedStudyTask(Timing):
    """meta.json of a task's checkpoints."""

    step: int = Field(ge=0)


class StudySession:
    """A task that is worked on in its folder."""

    def __init__(self, job: StudyJob, task: StudyTask, callback: Callback) -> None:
        self.study, self.job, self.task, self.callback = job.study, job, task, callback
        self.path = job.folder_of(task)
        self.generations = Generations(self.path / "checkpoints", job.owner(task))
        self.learner = self._learner()
        self.seconds_before, self.saved_step = 0.0, 0
        if not self.generations.empty:
            record = self.generations.newest(callback.say)
            meta = shaped(self.generations.folder, SavedStudyTask, record.meta)
            self.learner.restore(record)
            self.seconds_before, self.saved_step = meta["seconds"], self.learner.step
        self.opened_at = self.saved_at = time.monotonic()
        self.total = sum(effort(self.study, each) for each in (*trainings(self.study), *tunings(self.study)))

    def _learner(self) -> Training | Tuning:
        task = self.task
        if task.epoch is None:
            return Training(self.study, task.instance, task.group)
        try:
            snapshot = self.job.snapshot(task.source, task.epoch)
        except Damaged as error:
            raise UserError(f"{error}; `cleave resume` the study: the snapshot is made again") from error
        return Tuning(self.study, task.instance, task.group, snapshot)

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.opened_at

    def work(self, stop: Stop) -> None:
        """All that is left, with a checkpoint now and then."""
        while not self.learner.done:
            stop.check()
            if time.monotonic() - self.saved_at >= self.study.recipe.checkpoint_seconds:
                self.save_if_begun()
            self.learner.advance(stop)
            self._snapshot()
            doing = "train" if self.task.epoch is None else "tune"
            done = effort(self.study, self.task, self.learner.step)
            self.callback.see(Progress(done, self.total, self.task.label, doing, kind=""))

    def _snapshot(self) -> None:
        """Keeps the weights after an epoch from which children are to be tuned."""
        learner = self.learner
        if isinstance(learner, Training) and learner.ends_epoch and learner.epoch in self.study.recipe.tune.epochs:
            with saving(self.path):
                (self.path / SNAPSHOTS).mkdir(exist_ok=True)
            of = {**self.job.owner(self.task), "epoch": learner.epoch}
            write_record(self.path / SNAPSHOTS / str(learner.epoch), learner.snapshot(), of)

    def save_if_begun(self) -> None:
        """A checkpoint, unless there is nothing new."""
        self.saved_at = time.monotonic()
        if self.learner.step == self.saved_step:
            return
        record = self.learner.record()
        with self._finite():
            self.generations.commit(Record(record.weights, record.state, {**record.meta, "seconds": self.seconds}))
        self.saved_step = self.learner.step

    @contextmanager
    def _finite(self) -> Iterator[None]:
        """Turns the refusal to save a NaN into what the user can do about it."""
        try:
            yield
        except NotFinite as error:
            raise UserError(f"{self.task.label}: {error}; try a smaller training.learning_rate") from error

    def finish(self) -> None:
        """The task's rows and what they cost; UserError where the last step has spoilt the weights."""
        with self._finite():
            check_finite(self.learner.record())
        self._write_events()
        looks = to_log(self.learner.looks, self.task.label, self.study.meta(), self.task.instance, self.task.group)
        cost = entry(self.study, self.task.label, self.learner, self.seconds)
        files = {LOG: log_bytes(looks), COST: json_bytes(cost)}
        write_folder(self.path / DONE, files, self.job.owner(self.task))
        with saving(self.path):
            remove_folder(self.path / "checkpoints")

    def _write_events(self) -> None:
        """How a supernet's children did after each epoch, for trackers; the figures are in its log."""
        if self.task.epoch is None:
            events = [look.event(self.task.label) for look in self.learner.looks if not look.dense]
            write_bytes(self.path / EVENTS, "".join(f"{json.dumps(event)}\n" for event in events).encode())
