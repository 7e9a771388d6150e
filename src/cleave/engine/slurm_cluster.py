"""submitit: the one place that loads it, and what is made of its words."""

from __future__ import annotations

import io
import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

from cleave.engine.slurm_files import JOB, earlier, name_of, remove
from cleave.engine.slurm_job import SlurmTask
from cleave.engine.slurm_notes import BEAT, Beat, Notes, notes_of
from cleave.engine.slurm_options import DELAY, WARNING, Options
from cleave.engine.slurm_submitted import Submitted, last_line
from cleave.errors import UserError

COMMANDS = ("sbatch", "srun", "scancel", "scontrol", "sacct")
SIGNAL = "USR1"
"""SLURM's warning, which cleave hears everywhere; submitit's own would be USR2."""
LIVES = 10_000
"""So often a job that runs out of its time goes on in another life; one that takes no step in them ends before."""
CHECK_SECONDS = 30.0
"""Between two questions to SLURM about all jobs, beside those that submitit asks."""
LEAST_SECONDS = 1.0
"""Between two looks at what a job tells: it may lie on a slow disk."""
LOOKS = 50
"""So many jobs, at most, are looked at in a second."""


def check_cluster() -> None:
    """UserError where there is no SLURM here, or nobody would hear of a job's end."""
    if missing := [name for name in COMMANDS if shutil.which(name) is None]:
        raise UserError(
            f"--engine slurm: there is no {', '.join(missing)} here; run cleave where jobs of SLURM are submitted"
        )
    asked = subprocess.run(["sacct", "-n", "-X", "-o", "JobID"], capture_output=True, text=True, errors="replace")
    if asked.returncode:
        why = last_line(asked.stderr or asked.stdout)
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
        self.executor.update_parameters(**options, job_name=name_of(folder), additional_parameters=warning)
        self.count, self.checked_at = 0, time.monotonic()

    def submit(self, task: bytes, label: str) -> Submitted:
        """A job for a task; UserError where SLURM refuses it."""
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
        if (folder / JOB).exists():
            with suppress(FileNotFoundError):  # no SLURM here: they hear the word above
                subprocess.run(["scancel", "--quiet", f"--name={name_of(folder)}"], capture_output=True)
        remove(folder)
