"""Architectures that are ranked, each trained alone: interrupted anywhere, the same command goes on exactly."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote

import numpy as np

from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted, UserError
from cleave.memory import memory_for
from cleave.rank.columns import Numbers
from cleave.rank.contest import Contest
from cleave.rank.question import RankQuestion
from cleave.retrain.session import finite
from cleave.retrain.trainer import RetrainTrainer
from cleave.run.durable import Owner, remove_folder, saving
from cleave.run.generations import Generations, Record, check_finite
from cleave.run.lock import RunLock
from cleave.run.reading import Foreign, Shape, is_there, shaped
from cleave.search.finished import FinishedRun
from cleave.search.retraining import short_training
from cleave.search.scope import Standalone
from cleave.search.session import SavedTrainer
from cleave.space import Arch
from cleave.torch_state import cpu_threads


class SavedAccuracies(Shape):
    """meta.json of the checkpoints: accuracies by architecture, and the one in training."""

    known: dict[str, float]
    training: SavedTrainer | None


def trained_alone(
    run: FinishedRun, contest: Contest, question: RankQuestion, folder: Path, callback: Callback
) -> Numbers:
    """The accuracy (percent) of each architecture on all held-out images, after training from new weights on the
    training images of the run. `folder`: of what is known so far.

    UserError where it is of another ranking; Interrupted, with everything saved, when asked to stop.
    """
    with working_in(folder), callback.stop as stop, memory_for("training alone", run.problem.recipe.space.smaller_by):
        trainings = Trainings(run, contest, question, folder, callback, stop)
        again = f"`cleave rank {quote(str(run.folder.path))}` with the same flags goes on from {folder}"
        try:
            return trainings.run()
        except Interrupted as error:
            trainings.save()
            raise Interrupted(f"interrupted and saved; {again}") from error
        except KeyboardInterrupt as error:  # in the middle of a step
            raise Interrupted(f"interrupted; {again}, as it was last saved") from error


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Meanwhile the folder, which is made where there is none, is this process's."""
    with saving(folder):
        folder.mkdir(exist_ok=True)
    with RunLock(folder):
        yield


def forget(folder: Path) -> None:
    """Removes what was kept, if anything."""
    if is_there(folder):
        with saving(folder):
            remove_folder(folder)


class Trainings:
    """One training after the other. Whatever ends them, those of the same folder go on and end the same."""

    def __init__(
        self, run: FinishedRun, contest: Contest, question: RankQuestion, folder: Path, callback: Callback, stop: Stop
    ) -> None:
        assert question.alone is not None
        self.problem, self.contest, self.epochs, self.seed = run.problem, contest, question.alone, question.seed
        self.callback, self.stop, self.saved_at = callback, stop, time.monotonic()
        self.known: dict[str, float] = {}
        self.trainer: RetrainTrainer | None = None
        self.saved: Record | None = None
        """The trainer that the checkpoint holds, until it is opened."""
        self.generations = Generations(folder, owner(run, contest, question))
        if not self.generations.empty:
            self._restore()

    def run(self) -> Numbers:
        """The accuracies of all of them; raises Interrupted when asked to stop."""
        with cpu_threads(self.problem.recipe.threads):
            pairs = zip(self.contest.names, self.contest.archs, strict=True)
            return np.array([self._once(name, arch) for name, arch in pairs], dtype=np.float64)

    def _once(self, name: str, arch: Arch) -> float:
        if name not in self.known:
            trainer = self._opened(name, arch)
            while trainer.step < trainer.steps:
                self._breathe()
                self._step(trainer)
                self._show(trainer)
            self._breathe()
            with finite():
                check_finite(trainer.record())
            with advised():
                self.known[name] = trainer.judge(self.problem.valid).overall
            self.trainer = None
            self.save()
        return self.known[name]

    def _opened(self, name: str, arch: Arch) -> RetrainTrainer:
        """The architecture's trainer as it is in the checkpoint if it is there, else with new weights."""
        task = short_training(self.problem, Standalone(f"alone {name}", arch), self.epochs)
        trainer, saved = RetrainTrainer(replace(task, seed=self.seed)), self.saved
        if saved is not None:
            trainer.restore(saved)
        self.trainer, self.saved = trainer, None
        return trainer

    def _step(self, trainer: RetrainTrainer) -> None:
        with advised():
            trainer.advance()
            if trainer.step % trainer.task.steps_per_epoch == 0:
                trainer.finite_means()

    def _breathe(self) -> None:
        """Between steps: stop if asked to, save if it is time."""
        self.stop.check()
        if time.monotonic() - self.saved_at >= self.problem.recipe.search.checkpoint_seconds:
            self.save()

    def _show(self, trainer: RetrainTrainer) -> None:
        done, count = len(self.known), len(self.contest.names)
        doing = f"train alone, {done + 1} of {count}"
        passes = done * trainer.steps + trainer.step
        self.callback.see(Progress(passes, count * trainer.steps, "", doing, trainer.means, kind=""))

    def save(self) -> None:
        """Commits a generation from which they go on as if nothing had happened."""
        record = self.saved or (self.trainer.record() if self.trainer else Record({}, {}, {}))
        meta = {"known": self.known, "training": record.meta or None}
        with finite():
            self.generations.commit(Record(record.weights, record.state, meta))
        self.saved_at = time.monotonic()

    def _restore(self) -> None:
        folder = self.generations.folder
        try:
            record = self.generations.newest(self.callback.say)
        except Foreign as error:
            raise UserError(f"{folder}: is of another ranking, unfinished; remove it or give another --out") from error
        meta = shaped(folder, SavedAccuracies, record.meta)
        self.known = meta["known"]
        if meta["training"] is not None:
            self.saved = Record(record.weights, record.state, meta["training"])


def owner(run: FinishedRun, contest: Contest, question: RankQuestion) -> Owner:
    """All that accuracies hang on."""
    assert question.alone is not None
    names = hashlib.sha256("\n".join(contest.names).encode()).hexdigest()
    return {"run": run.folder.identity, "epochs": question.alone, "seed": question.seed, "architectures": names}


@contextmanager
def advised() -> Iterator[None]:
    """Says behind what a trainer refuses, which names keys of its recipe, where these can be given."""
    try:
        yield
    except UserError as error:
        raise UserError(
            f"{error}; --alone has no such keys: train these architectures by cleave train, and give --truth FILE.csv"
        ) from error
