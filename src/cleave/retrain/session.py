"""A training in its run folder: signs of life, checkpoints, and going on from one as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from pydantic import Field

from cleave.engine.progress import Callback, Progress
from cleave.errors import Interrupted, UserError
from cleave.guards import RunOpened, TrainingBegun, Watch
from cleave.retrain.problem import LABEL, TrainingProblem
from cleave.retrain.ranks import Ranks
from cleave.retrain.trainer import RetrainTrainer
from cleave.run.alarm import Alarm, tell
from cleave.run.durable import write_json
from cleave.run.folder import TIMING, RunFolder
from cleave.run.generations import NotFinite, Record
from cleave.run.reading import Shape, shaped

DOING = "train"
Until = Callable[[], float]
"""The seconds that a training may still take."""
LATE = 1.02
"""So much longer than there is time for the epochs that are left may take."""


class SavedTraining(Shape):
    """What is plain of a training."""

    label: str
    step: int = Field(ge=0)
    kept: dict[str, str]
    inherited: dict[str, Any] | None
    cuts: list[list[int]] = Field(default_factory=list)
    raised: list[dict[str, str]] = Field(default=[])
    watched: dict[str, Any] = Field(default={})


class TrainingSession:
    """Trains a network to its end. Whatever ends it, one with the same folder goes on and ends the same.

    `folder`: of the first of several processes, which alone reads and writes there. `until`: where epochs take longer
    than there is time for, there are fewer of them, whose learning rates still end where they should.
    """

    def __init__(
        self,
        problem: TrainingProblem,
        folder: RunFolder | None,
        ranks: Ranks,
        callback: Callback,
        until: Until | None = None,
    ) -> None:
        self.problem, self.folder, self.ranks, self.callback = problem, folder, ranks, callback
        self.until = until
        self.trainer = RetrainTrainer(problem.task, ranks)
        self.kept: dict[str, str] = {}
        """The identities of saved weights, by label."""
        self.inherited: dict[str, Any] | None = None
        """How the network did on held-out images before the first step, where a supernet's weights are gone on with."""
        self.raised: list[dict[str, str]] = []
        """What guards said, as `cleave.guards.Alarm`."""
        self.watch = Watch(problem.recipe.guards.off, self._told)
        saved = ranks.told(None if folder is None else folder.newest(callback.say))
        assert saved is not None
        if saved.meta["search"] is not None:
            self._restore(Record(saved.weights, saved.state, saved.meta["search"]))
        else:
            self._begin()
        self.saved_at = self.began_at = time.monotonic()
        self.began_in = self.trainer.epoch

    def _restore(self, record: Record) -> None:
        if self.folder is not None:
            shaped(self.folder.generations.folder, SavedTraining, record.meta)
        self.kept, self.inherited = record.meta["kept"], record.meta["inherited"]
        self.trainer.cuts = [(at, total) for at, total in record.meta.get("cuts", [])]
        self.raised = record.meta.get("raised", [])
        self.watch.load("", record.meta.get("watched", {}))
        self.trainer.restore(record)

    def _begin(self) -> None:
        """Looks at the images, and what the weights of a supernet are worth as they are."""
        problem = self.problem
        self.watch.look(RunOpened(problem.report, problem.valid))
        self.watch.begin("", TrainingBegun(len(problem.task.train.classes), problem.task.section))
        if problem.supernet is None:
            return
        self.inherited = self._held_out()
        if self.folder is not None:
            found = self.inherited and self.inherited["accuracy"]
            self.folder.events.write("inherited", leaf=LABEL, phase=DOING, epoch=0, held_out=found)

    def complete(self) -> None:
        """Goes on to the end, and writes the outcome; raises as `run` and `finish` do."""
        self.run()
        self.finish()

    def run(self) -> None:
        """All steps that are left; raises Interrupted, with everything saved, when asked to stop."""
        while self.trainer.step < self.trainer.steps:
            self._breathe()
            self.trainer.advance()
            self.watch.step(self.trainer.step, self.trainer.last_loss)
            self._show()
            if self.trainer.step % self.problem.task.steps_per_epoch == 0:
                self._end_epoch()
        self._breathe()

    def finish(self) -> None:
        """Keeps the network as it is used, and writes the outcome."""
        result = self._outcome()
        if self.folder is not None:
            begun = {"supernet": self.problem.supernet, "pretrained": self.problem.pretrained}
            known = {name: dict(each.identity) for name, each in begun.items() if each is not None}
            record = Record(self.trainer.trained(), {}, {"arch": self.problem.recipe.arch, **known})
            with finite():
                self.kept[LABEL] = self.folder.keep_leaf(LABEL, record)
                self.folder.finish(self._known(), result, {})

    def _breathe(self) -> None:
        """Between steps: stop if any process is asked to, save if it is time."""
        stopping = self.ranks.any(self.callback.stop.asked, self.problem.task.device)
        if stopping or time.monotonic() - self.saved_at >= self.problem.recipe.checkpoint_seconds:
            self._save()
        if stopping:
            raise Interrupted

    def _save(self) -> None:
        if self.folder is not None:
            with finite():
                self.folder.save(self._known())
            write_json(self.folder.path / TIMING, self.folder.timing)
        self.saved_at = time.monotonic()

    def _known(self) -> Record:
        record = self.trainer.record()
        known = {"kept": self.kept, "inherited": self.inherited, "raised": self.raised, "watched": self.watch.state}
        return Record(record.weights, record.state, {**record.meta, **known, "cuts": self.trainer.cuts})

    def _told(self, alarm: Alarm) -> None:
        """Keeps and tells what a guard says."""
        self.raised.append(asdict(alarm))
        events = None if self.folder is None else self.folder.events
        tell(alarm, events, self.callback.say, leaf=LABEL, phase=DOING, epoch=self.trainer.epoch)

    def _show(self) -> None:
        trainer = self.trainer
        doing = f"epoch {1 + (trainer.step - 1) // self.problem.task.steps_per_epoch}"
        self.callback.see(Progress(trainer.step, trainer.steps, "", f"{DOING}, {doing}", trainer.means, kind=""))

    def _end_epoch(self) -> None:
        loss, accuracy = self.trainer.finite_means()
        held = self._held_out()
        if self.folder is not None:
            found = {"loss": loss, "accuracy": accuracy, "held_out": held and held["accuracy"]}
            self.folder.events.write("epoch", leaf=LABEL, phase=DOING, epoch=self.trainer.epoch, **found)
        self._hurry()

    def _hurry(self) -> None:
        """Leaves out epochs for which there is no time."""
        trainer = self.trainer
        left = trainer.epochs - trainer.epoch
        if self.until is None or left < 2:
            return
        each = (time.monotonic() - self.began_at) / max(1, trainer.epoch - self.began_in)
        fit = self.ranks.told(max(1, int(self.until() / each)))
        if left > LATE * fit:
            trainer.shorten(trainer.epoch + fit)
            if self.folder is not None:
                self.folder.events.write("shortened", leaf=LABEL, epoch=trainer.epoch, epochs=trainer.epochs)
            self._save()

    def _held_out(self) -> dict[str, Any] | None:
        """How the network does on held-out images (percent); null where there are none."""
        if not len(self.problem.valid):
            return None
        found = self.trainer.judge(self.problem.valid)
        return {"images": len(self.problem.valid), "accuracy": found.overall, "balanced_accuracy": found.balanced}

    def _taken(self) -> dict[str, Any] | None:
        """Which weights the training began with, and how good they were; None where they were new."""
        if self.problem.supernet is None:
            return None
        return {**self.problem.supernet.identity, "held_out": self.inherited}

    def _outcome(self) -> dict[str, Any]:
        """The content of result.json; a pure function of recipe and images: it has no times and no places."""
        recipe, task = self.problem.recipe, self.problem.task
        loss, accuracy = self.trainer.finite_means()
        return {
            "space": self.problem.space.name,
            "arch": recipe.arch,
            "seed": recipe.seed,
            "epochs": self.trainer.epochs,
            **({"planned_epochs": recipe.training.epochs} if self.trainer.cuts else {}),
            "inherited": self._taken(),
            "pretrained": self.problem.pretrained and dict(self.problem.pretrained.identity),
            **self.problem.cost.counts,
            "classes": list(task.train.classes),
            "train": {"images": len(task.train), "loss": loss, "accuracy": accuracy},
            "held_out": self._held_out(),
            "guards": self.raised,
        }


@contextmanager
def finite() -> Iterator[None]:
    """Turns the refusal to save a NaN into what the user can do about it."""
    try:
        yield
    except NotFinite as error:
        raise UserError(f"{error}; try a smaller training.learning_rate or training.clip") from error
