"""The parts of a study: every supernet of every instance, and every snapshot whose children are tuned."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cleave.data.images import Images
from cleave.errors import Interrupted, UserError
from cleave.run.durable import Damaged, remove_folder, saving, write_json
from cleave.run.folder import read_json
from cleave.run.generations import Generations, NotFinite, Record, read_record, write_record
from cleave.run.part_folder import part_lock, path_of
from cleave.search.watch import Moment, Stop, Watcher
from cleave.study.ledger import entry
from cleave.study.log import write_log
from cleave.study.problem import Study
from cleave.study.seen import to_log
from cleave.study.training import Training
from cleave.study.tuning import Tuning

LOG, COST, SNAPSHOTS = "log.parquet", "cost.json", "snapshots"


@dataclass(frozen=True)
class Part:
    """A supernet of an instance; or, with an epoch, the tuning of its children from the snapshot after that epoch."""

    instance: int
    group: int
    epoch: int | None = None

    @property
    def label(self) -> str:
        tuned = "" if self.epoch is None else f"-tune{self.epoch}"
        return f"instance{self.instance}-supernet{self.group}{tuned}"

    @property
    def source(self) -> Part:
        """The training whose snapshot is tuned."""
        return Part(self.instance, self.group)


def trainings(study: Study) -> list[Part]:
    """Instance by instance, so that an interrupted study has whole ones."""
    return [Part(instance, group) for instance in range(study.recipe.instances) for group in range(len(study.divided))]


def tunings(study: Study) -> list[Part]:
    """The parts that need a snapshot of a training."""
    return [Part(part.instance, part.group, epoch) for part in trainings(study) for epoch in study.recipe.tune.epochs]


def effort(study: Study, part: Part, step: int | None = None) -> int:
    """About how many mini-batches a part takes, up to a step or in all; looks count by the images that they are at."""
    judged = len(study.judged) * len(study.children)
    if part.epoch is not None:
        children = len(study.divided[part.group]) if step is None else step
        return children * study.recipe.tune.batches * (1 + len(study.judged) // (6 * study.recipe.training.batch_size))
    looks, steps = study.recipe.looks, study.steps(part.group)
    done = steps if step is None else step
    count = done // (study.steps_per_epoch * looks.every) + max(0, done - max(0, steps - looks.dense))
    return done + count * len(looks.statistics) * judged // (12 * len(study.divided) * study.recipe.training.batch_size)


def is_done(run: Path, part: Part) -> bool:
    return (path_of(run, part.label) / COST).exists()


@dataclass(frozen=True)
class StudyJob:
    """The work of a study in its folder."""

    study: Study
    run: Path

    @property
    def threads(self) -> int:
        return self.study.recipe.threads

    @property
    def sizes(self) -> str:
        return "training.batch_size, looks.images, looks.batch_size, space.channels or space.cells"

    @property
    def images(self) -> Iterable[Images]:
        return [images for images in (self.study.train, self.study.judged, self.study.reported) if images is not None]

    def perform(self, part: Part, stop: Stop, watcher: Watcher) -> int:
        """Does a part, or what is left of it; returns its effort. Interrupted, with all saved, when asked to stop."""
        with part_lock(self.run, part.label):
            if is_done(self.run, part):
                return 0
            session = Session(self.study, self.run, part, watcher)
            try:
                session.work(stop)
            except Interrupted:
                session.save_if_begun()
                raise
            session.finish()
            return effort(self.study, part)


class Session:
    """A part that is worked on in its folder."""

    def __init__(self, study: Study, run: Path, part: Part, watcher: Watcher) -> None:
        self.study, self.run, self.part, self.watcher = study, run, part, watcher
        self.path = path_of(run, part.label)
        self.generations = Generations(self.path / "checkpoints")
        self.learner = self._learner()
        self.seconds_before, self.saved_step = 0.0, 0
        if not self.generations.empty:
            record = self.generations.newest(watcher.say)
            self.learner.restore(record)
            self.seconds_before, self.saved_step = record.meta["seconds"], self.learner.step
        self.opened_at = self.saved_at = time.monotonic()
        self.total = sum(effort(study, each) for each in (*trainings(study), *tunings(study)))

    def _learner(self) -> Training | Tuning:
        part = self.part
        if part.epoch is None:
            return Training(self.study, part.instance, part.group)
        folder = path_of(self.run, part.source.label) / SNAPSHOTS / str(part.epoch)
        try:
            return Tuning(self.study, part.instance, part.group, read_record(folder))
        except Damaged as error:
            raise UserError(f"{error}; run the study again in a new folder") from error

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
            doing = "train" if self.part.epoch is None else "tune"
            done = effort(self.study, self.part, self.learner.step)
            self.watcher.see(Moment(done, self.total, self.part.label, doing, kind=""))

    def _snapshot(self) -> None:
        """Keeps the weights after an epoch from which children are to be tuned."""
        learner = self.learner
        if isinstance(learner, Training) and learner.ends_epoch and learner.epoch in self.study.recipe.tune.epochs:
            with saving(self.path):
                (self.path / SNAPSHOTS).mkdir(exist_ok=True)
            write_record(self.path / SNAPSHOTS / str(learner.epoch), learner.snapshot())

    def save_if_begun(self) -> None:
        """A checkpoint, unless there is nothing new."""
        self.saved_at = time.monotonic()
        if self.learner.step == self.saved_step:
            return
        record = self.learner.record()
        try:
            self.generations.commit(Record(record.weights, record.state, {**record.meta, "seconds": self.seconds}))
        except NotFinite as error:
            raise UserError(f"{self.part.label}: {error}; try a smaller training.learning_rate") from error
        self.saved_step = self.learner.step

    def finish(self) -> None:
        """The part's rows and what they cost."""
        looks = to_log(self.learner.looks, self.part.label, self.study.meta(), self.part.instance, self.part.group)
        write_log(self.path / LOG, looks)
        write_json(self.path / COST, entry(self.study, self.part.label, self.learner, self.seconds))
        with saving(self.path):
            remove_folder(self.path / "checkpoints")


def cost_of(run: Path, part: Part) -> dict[str, object]:
    return read_json(path_of(run, part.label) / COST)
