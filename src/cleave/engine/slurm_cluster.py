"""submitit: the one place that loads it, and what is made of its words."""

from __future__ import annotations

import io
import logging
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

from cleave.engine.progress import Progress
from cleave.engine.slurm_files import earlier, jobs_in, remove
from cleave.engine.slurm_job import BARREN, SlurmTask
from cleave.engine.slurm_notes import BEAT, Beat, Notes, notes_of
from cleave.engine.slurm_options import DELAY, WARNING, Options
from cleave.engine.told import Lost, Told
from cleave.errors import Interrupted, UserError, brief

COMMANDS = ("sbatch", "srun", "scancel", "scontrol", "sacct")
SIGNAL = "USR1"
"""SLURM's warning, which cleave hears everywhere; submitit's own would be USR2."""
LIVES = 10_000
"""So often a job that runs out of its time goes on in another life; one that takes no step in them ends before."""
CHECK_SECONDS = 30.0
"""Between two questions to SLURM about all jobs, beside those that submitit asks."""
ANSWER_SECONDS = 15.0
"""How long the answer of a job that has ended may take through the shared disk."""
AGAIN_SECONDS = 90.0
"""In which SLURM puts a job whose machine it took back into the queue, if it does."""
SAVE_SECONDS = 120.0
"""In which a job has saved what it is at."""
LEAST_SECONDS = 1.0
"""Between two looks at what a job tells: it may lie on a slow disk."""
LOOKS = 50
"""So many jobs, at most, are looked at in a second."""
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


def check_cluster() -> None:
    """UserError where there is no SLURM here, or nobody would hear of a job's end."""
    if missing := [name for name in COMMANDS if shutil.which(name) is None]:
        raise UserError(
            f"--engine slurm: there is no {', '.join(missing)} here; run cleave where jobs of SLURM are submitted"
        )
    asked = subprocess.run(["sacct", "-n", "-X", "-o", "JobID"], capture_output=True, text=True, errors="replace")
    if asked.returncode:
        why = brief(asked.stderr or asked.stdout, 200)
        raise UserError(f"--engine slurm: sacct does not tell how jobs end ({why}); SLURM's accounting has to be on")


def submitit_executor(folder: Path, python: str) -> Any:  # noqa: ANN401
    """submitit's executor for SLURM; tests have its other one, for processes of this machine."""
    import submitit

    return submitit.SlurmExecutor(folder, max_num_timeout=LIVES, python=python)


class Cluster:
    """Has tasks done by jobs of SLURM's."""

    def __init__(self, folder: Path, options: Options, jobs: int, go_on: str) -> None:
        """`jobs`: at most so many at once. `go_on`: what to do after an error. UserError where there is no SLURM."""
        load_quietly()
        self.folder, self.go_on = folder, go_on
        self.every = max(LEAST_SECONDS, jobs / LOOKS)
        self.executor = submitit_executor(folder, python_words())
        warning = {"signal": f"{SIGNAL}@{options.get(DELAY, WARNING)}", "requeue": True}
        self.executor.update_parameters(**options, additional_parameters=warning)
        self.count, self.checked_at = 0, time.monotonic()

    def submit(self, task: bytes, label: str) -> Submitted:
        """A job for a task; UserError where SLURM refuses it."""
        self.executor.update_parameters(job_name=f"cleave-{label}")
        order = SlurmTask(self.folder, self.count, os.getcwd(), task)
        try:
            with redirect_stderr(io.StringIO()):  # submitit repeats there what it raises
                job = self.executor.submit(order)
        except (RuntimeError, OSError) as error:
            raise UserError(
                f"--engine slurm: sbatch refuses the job at {label} ({last_line(str(error))}); correct --slurm, or "
                f"give fewer --workers; {self.go_on}"
            ) from error
        self.count += 1
        return Submitted(self, job, label, Notes(notes_of(self.folder, order.number)))

    @property
    def to_check(self) -> bool:
        """Whether it is time to ask SLURM about all jobs."""
        if time.monotonic() - self.checked_at < CHECK_SECONDS:
            return False
        self.checked_at = time.monotonic()
        return True


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


def load_quietly() -> None:
    """submitit tells on stdout what it does, unless somebody uses it already and wants that."""
    if "submitit" not in sys.modules:
        import submitit  # noqa: F401

        logging.getLogger("submitit").setLevel(logging.CRITICAL)


def python_words() -> str:
    """The command by which jobs run this Python, with what it can import."""
    own = {
        "SUBMITIT_PREEMPT_SIGNAL": SIGNAL,
        "OMP_WAIT_POLICY": "passive",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    return shlex.join(["env", *(f"{name}={value}" for name, value in own.items()), sys.executable])


def end_earlier(run: Path) -> None:
    """Ends the jobs of a process that worked on a run and is gone; the caller holds the run's lock."""
    for folder in earlier(run):
        Beat(folder / BEAT).ask_to_stop()
        if numbers := jobs_in(folder):
            with suppress(FileNotFoundError):  # no SLURM here: they hear the word above
                subprocess.run(["scancel", "--quiet", *numbers], capture_output=True)
        remove(folder)


def last_line(text: str) -> str:
    """The last line of what a program said, which tells most."""
    return brief((text.strip().splitlines() or ["it does not say why"])[-1], 300)
