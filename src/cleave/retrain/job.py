"""A training as the one task of an executor: of a worker of Ray's, of a job of SLURM, of several processes here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cleave.data.images import Images
from cleave.engine.job import OnlyTask
from cleave.engine.progress import Callback, Callbacks
from cleave.engine.stop import Stop
from cleave.retrain.gang import train_together
from cleave.retrain.problem import TrainingProblem
from cleave.retrain.ranks import ALONE
from cleave.retrain.session import TrainingSession
from cleave.run.folder import RunFolder
from cleave.run.mirror import brought
from cleave.run.origin import TRAIN, read_origin

SMALLER = "training.batch_size, or raise training.accumulate"


class TrainJob:
    """A training in a run folder that is begun there, and locked by who hands this out.

    `processes`: that train the network together, each with its part of every batch.
    """

    def __init__(self, problem: TrainingProblem, run: Path, processes: int = 1) -> None:
        self.problem, self.run, self.processes = problem, run, processes

    @property
    def threads(self) -> int:
        return self.problem.recipe.threads * self.processes

    @property
    def device(self) -> str:
        return self.problem.recipe.device

    @property
    def sizes(self) -> str:
        return SMALLER

    @property
    def images(self) -> Iterable[Images]:
        return self.problem.task.train, self.problem.valid

    def perform(self, task: OnlyTask, stop: Stop, callback: Callback) -> None:
        """Takes the steps that are left, and writes the outcome."""
        brought(self.run)
        if self.processes > 1:
            train_together(self.run, self.processes, self.problem.recipe.device, stop, callback)
            return
        folder = RunFolder(self.run, read_origin(self.run, TRAIN))
        TrainingSession(self.problem, folder, ALONE, Callbacks([callback], stop)).complete()
