"""Training in a run folder: signs of life, checkpoints, and going on from one as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cleave.errors import UserError
from cleave.run.folder import RunFolder
from cleave.run.generations import NotFinite, Record
from cleave.search.learner import Learner, Place
from cleave.search.problem import Problem
from cleave.search.schedule import Schedule
from cleave.search.state import State
from cleave.search.watch import Moment, Stop, Watcher
from cleave.search.work import passes_done, planned_passes


class Session:
    """A run folder that is worked in. `learner` is the network at hand, which every checkpoint holds."""

    def __init__(self, problem: Problem, folder: RunFolder, stop: Stop, watcher: Watcher) -> None:
        self.problem, self.folder, self.stop, self.watcher = problem, folder, stop, watcher
        self.state = State.new(problem.space.region)
        self.learner: Learner | None = None
        self.saved: Record | None = None
        """The learner that the checkpoint holds, until it is opened."""
        self.label = "root"  # of the place at hand, or the last one
        self.saved_at = time.monotonic()
        self.total = planned_passes(problem)
        if folder.generations.empty:
            folder.events.truncate(0)  # what a run did that was killed before its first checkpoint happens again
        else:
            self._restore(folder.generations.newest(watcher.say))

    def opened(self, place: Place, plan: Schedule, prepare: Callable[[Learner], None] | None = None) -> Learner:
        """The learner of a place: the one in the checkpoint if it is there, else a new one, prepared."""
        learner = Learner(self.problem, place, plan)
        saved, self.saved = self.saved, None
        if saved is not None:
            learner.restore(saved)
        elif prepare is not None:
            prepare(learner)
        self.learner, self.label = learner, place.label
        return learner

    def train(self, learner: Learner, doing: str, end_epoch: Callable[[], None]) -> None:
        """The steps that the learner still has to do; `end_epoch` is called after the last one of each epoch."""
        while learner.step < learner.steps:
            self.breathe()
            learner.advance()
            self.state.spent.weight_steps += 1
            self.state.spent.arch_steps += learner.architecture_steps
            self.show(doing)
            if learner.step % self.problem.steps_per_epoch == 0:
                end_epoch()

    def breathe(self) -> None:
        """Between steps: stop if asked to, save if it is time."""
        self.stop.check()
        if time.monotonic() - self.saved_at >= self.problem.recipe.search.checkpoint_seconds:
            self.save()

    def save(self) -> None:
        """Commits a generation from which the search goes on as if nothing had happened."""
        record = self.saved or (self.learner.record() if self.learner else Record({}, {}, {}))
        meta = {
            "search": self.state.to_json(),
            "learner": record.meta or None,
            "events": self.folder.events.position,
            "run": self.folder.identity,
        }
        with finite(record.meta.get("leaf")):
            self.folder.generations.commit(Record(record.weights, record.state, meta))
        self.folder.write_seconds()
        self.saved_at = time.monotonic()

    def _restore(self, record: Record) -> None:
        if record.meta.get("run") != self.folder.identity:
            raise UserError(
                f"{self.folder.generations.folder}: the newest checkpoint is of another run; put back its own"
            )
        self.state = State.from_json(record.meta["search"])
        self.folder.events.truncate(record.meta["events"])
        if record.meta["learner"] is not None:
            self.saved = Record(record.weights, record.state, record.meta["learner"])

    def show(self, doing: str, more: int = 0) -> None:
        done = passes_done(self.problem, self.state.cost) + passes_done(self.problem, self.state.control) + more
        means = self.learner.means if self.learner and self.learner.step else None
        self.watcher.see(Moment(done, self.total, self.label, doing, means))


@contextmanager
def finite(leaf: str | None) -> Iterator[None]:
    """Turns the refusal to save a NaN into what the user can do about it."""
    try:
        yield
    except NotFinite as error:
        where = f"leaf {leaf}: " if leaf else ""
        raise UserError(f"{where}{error}; try a smaller method.learning_rate or method.clip") from error
