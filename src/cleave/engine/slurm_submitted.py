"""A job of SLURM's, as the run sees it: what it tells, how it ends, and what is made of that."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any

from cleave.engine.progress import Progress
from cleave.engine.slurm_job import BARREN
from cleave.engine.slurm_notes import Notes
from cleave.engine.told import Lost, Told
from cleave.errors import Interrupted, UserError, brief

if TYPE_CHECKING:
    from cleave.engine.slurm_cluster import Cluster

ANSWER_SECONDS = 15.0
"""How long the answer of a job that has ended may take through the shared disk."""
AGAIN_SECONDS = 90.0
"""In which SLURM puts a job whose machine it took back into the queue, if it does."""
SAVE_SECONDS = 120.0
"""In which a job has saved what it is at."""
PATIENCE = 60.0
"""Seconds without a sign of life after which it is said once that a job is waited for."""

QUEUED = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT")
PREEMPTED = "PREEMPTED"
GONE = (PREEMPTED, "NODE_FAIL", "BOOT_FAIL")
"""States that are not the job's fault: another one goes on."""
ENDS = {
    "TIMEOUT": "ran out of its time before it had saved; give it more by --slurm time or --slurm signal_delay_s",
    "OUT_OF_MEMORY": "ran out of memory; give it more by --slurm mem",
    "CANCELLED": "was cancelled",
}
NO_LIFE = "checkpoint function returned None"
"""submitit's words where `SlurmTask.checkpoint` says that there is to be no other life."""
NO_STEP = f"was ended {BARREN} times before it took a step; give it more time by --slurm time"


class Submitted:
    """A job, as the run sees it. `asked`: since when it is to stop."""

    def __init__(self, cluster: Cluster, job: Any, label: str, notes: Notes) -> None:  # noqa: ANN401
        self.cluster, self.job, self.label, self.notes = cluster, job, label, notes
        self.began, self.started, self.said = time.monotonic(), False, False
        self.looked_at = float("-inf")
        self.ended_at: float | None = None
        self.asked_at: float | None = None

    def news(self) -> list[Told[Any]]:
        """What it tells that is new; its answer comes last."""
        if time.monotonic() - self.looked_at < self.cluster.every:
            return []
        self.looked_at = time.monotonic()
        state = self.state if self._is_over() else ""
        told: list[Told[Any]] = [*self.notes.read()]
        self.started = self.started or any(isinstance(each, Progress) for each in told)
        if self.asked_at is not None:
            last = self._saved(self.asked_at, over=bool(state))
        else:
            last = self._answer(state) if state else self._waited_for()
        return told if last is None else [*told, last]

    @property
    def state(self) -> str:
        """SLURM's word for it, as in "RUNNING"; it may be old."""
        return (str(self.job.state).split() or ["UNKNOWN"])[0].upper()

    def _is_over(self) -> bool:
        over = self.job.done(force_check=self.cluster.to_check) or self.state == PREEMPTED
        self.ended_at = (self.ended_at or time.monotonic()) if over else None
        return over

    @property
    def _for_seconds(self) -> float:
        """How long it has been over."""
        return 0.0 if self.ended_at is None else time.monotonic() - self.ended_at

    def _answer(self, state: str) -> Told[Any] | None:
        """What its task comes to; None while that may still come."""
        if self.job.paths.result_pickle.exists():
            answer = self._read()
            return Lost("was asked to stop") if isinstance(answer, Interrupted) else answer
        if self._for_seconds < (AGAIN_SECONDS if state in GONE else ANSWER_SECONDS):
            return None
        if state in GONE:
            self.cancel()
            return Lost(f"job {self.job.job_id}: {state}")
        return self._failed(ENDS.get(state, f"ended without an answer ({state})"))

    def _saved(self, asked_at: float, over: bool) -> Told[Any] | None:
        """The same for one that was asked to stop: what it did not save is done again from its last checkpoint."""
        if over and self.job.paths.result_pickle.exists():
            return self._read()
        in_time = self._for_seconds < ANSWER_SECONDS and time.monotonic() - asked_at < SAVE_SECONDS
        if in_time and self.state not in QUEUED:
            return None
        self.cancel()
        return Interrupted()

    def _waited_for(self) -> str | None:
        """Says once that it is not there yet."""
        if self.started or self.said or time.monotonic() - self.began < PATIENCE:
            return None
        self.said = True
        return f"SLURM has not started job {self.job.job_id} at {self.label} yet ({self.state}); waiting for it"

    def _read(self) -> Told[Any]:
        import submitit

        try:
            answer: Told[Any] = pickle.loads(self.job.result())
        except submitit.core.utils.UncompletedJobError as error:  # it could not be begun, or has no other life
            trace = str(error).split("-" * 22 + "\nYou can check")[0]
            return self._failed(NO_STEP if NO_LIFE in trace else f"failed ({last_line(trace)})")
        return answer

    def _failed(self, how: str) -> UserError:
        return UserError(
            f"SLURM job {self.job.job_id} at {self.label} {how} (log: {self.job.paths.stderr}); what was "
            f"saved is intact: {self.cluster.go_on}"
        )

    def ask_to_stop(self) -> None:
        """What is queued is cancelled when its news are asked for next; what runs hears it from the run's beat."""
        self.asked_at = time.monotonic()

    def cancel(self) -> None:
        self.job.cancel(check=False)


def last_line(text: str) -> str:
    """The last line of what a program said, which tells most."""
    return brief((text.strip().splitlines() or ["it does not say why"])[-1], 300)
