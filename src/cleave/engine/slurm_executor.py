"""Jobs of SLURM that do the tasks of a search at the same time: each task is a job, and a worker is a place for one.

Nothing but the run folder is between this process and its jobs: see `cleave.engine.slurm_files`.
"""

from __future__ import annotations

import pickle
import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from cleave.engine.engine import Engine
from cleave.engine.job import Job, TaskType
from cleave.engine.losses import Losses
from cleave.engine.overview import Overview
from cleave.engine.pool import PoolExecutor
from cleave.engine.slurm_cluster import Cluster, check_cluster
from cleave.engine.slurm_files import remove, remove_but_logs, write_job
from cleave.engine.slurm_job import LOOK_SECONDS
from cleave.engine.slurm_notes import BEAT, Beat
from cleave.engine.slurm_options import Options, parameters, words_of
from cleave.engine.slurm_submitted import Submitted
from cleave.engine.stop import Stop
from cleave.engine.told import FoundType, Lost, Told
from cleave.engine.worker import Worker
from cleave.errors import Interrupted
from cleave.run.mirror import known_as

MOST = 256
"""Jobs at once, where nobody says how many."""
END_SECONDS = 5.0
"""In which jobs that are cancelled have mostly ended."""


class SlurmWorker(Worker[TaskType, FoundType]):
    """A place for a job."""

    def __init__(self, cluster: Cluster, beat: Beat) -> None:
        super().__init__()
        self.cluster, self.beat = cluster, beat
        self.ready = True
        self.submitted: Submitted | None = None
        self.killed_at = 0.0
        self.told: list[Told[FoundType]] = []

    def tells(self) -> bool:
        """Whether there is something to hear."""
        if self.submitted is not None and not self.told:
            self.told = self.submitted.news()
        return bool(self.told)

    def hear(self) -> Told[FoundType]:
        told = super().hear()
        if self.task is None:  # the job is over, and there is room for another one
            self.submitted, self.ready = None, True
        return told

    def ask_to_stop(self) -> None:
        self.beat.ask_to_stop()
        if self.submitted is not None:
            self.submitted.ask_to_stop()

    def _give(self, task: TaskType) -> None:
        self.submitted = self.cluster.submit(pickle.dumps(task), task.label)

    def _next(self) -> Told[FoundType]:
        while not self.tells():
            time.sleep(LOOK_SECONDS)
        return self.told.pop(0)

    def kill(self) -> None:
        self.killed_at = time.monotonic()
        if self.submitted is not None:
            self.submitted.cancel()

    def end(self) -> None:
        """SLURM takes its time; what is left of it after a while is cancelled all the same."""
        while self.submitted is not None and not self.submitted.job.done():
            if time.monotonic() - self.killed_at >= END_SECONDS:
                return
            time.sleep(LOOK_SECONDS)


class SlurmExecutor(PoolExecutor[TaskType, FoundType]):
    """An executor of jobs. What a job was at that is lost is begun again, from its last checkpoint."""

    def __init__(
        self, engine: Engine, tasks: int, job: Job[TaskType, FoundType], stop: Stop, overview: Overview
    ) -> None:
        super().__init__(job, stop, overview)
        self.workers: list[SlurmWorker[TaskType, FoundType]] = []
        self.count = min(engine.workers or MOST, tasks)
        self.options = parameters(engine.slurm, job.threads, job.device != "cpu")
        self.go_on = f"go on with: {resume_words(job.run, engine.slurm)}"
        self.losses = Losses("a job of SLURM", self.go_on, overview.callback)

    def _start(self) -> None:
        check_cluster()
        self.folder = write_job(self.job.run, self.job)
        with ExitStack() as undo:
            undo.callback(remove, self.folder)
            self.beat = Beat(self.folder / BEAT)
            cluster = Cluster(self.folder, self.options, self.count, self.go_on)
            self.workers = [SlurmWorker(cluster, self.beat) for _ in range(self.count)]
            undo.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What went wrong leaves its logs."""
        super().__exit__(kind, error, trace)
        well = kind is None or issubclass(kind, Interrupted | KeyboardInterrupt)
        (remove if well else remove_but_logs)(self.folder)

    def _telling(self) -> Sequence[SlurmWorker[TaskType, FoundType]]:
        self.beat.tell()
        telling = [worker for worker in self.workers if worker.tells()]
        if not telling:
            time.sleep(LOOK_SECONDS)
        return telling

    @property
    def _more_memory(self) -> str:
        return "ask for more by --slurm mem"

    def _lose(self, task: TaskType | None, lost: Lost) -> None:
        assert task is not None
        self.losses.add(task.label, lost)
        self.waiting.insert(0, task)


def resume_words(run: Path, options: Options) -> str:
    """The command that goes on with a run, in the same way."""
    return shlex.join(["cleave", "resume", known_as(run), "--engine", "slurm", *words_of(options)])
