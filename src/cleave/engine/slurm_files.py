"""The folder RUN/slurm, which a run and its jobs share: what they work on, what they tell, what submitit writes.

slurm/NAME/       of one process that had jobs done; the next one ends the jobs of those before it, and removes them
    job.pkl, 0.npy, ...   the work and its images, read by every job
    beat                  the run's sign of life
    N.jsonl               what the job of the Nth task tells
    ID_*                  submitit's: the script of job ID, its task, its answer, its logs
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import numpy as np

from cleave.engine.job import Job, TaskType
from cleave.engine.packing import Array, pack
from cleave.engine.slurm_notes import BEAT, Beat
from cleave.engine.told import FoundType
from cleave.errors import UserError, refusal

SLURM, JOB = "slurm", "job.pkl"
LOGS = ("*.out", "*.err")


def write_job(run: Path, job: Job[TaskType, FoundType]) -> Path:
    """A new folder for the jobs of this process, which nobody else may read; UserError where the disk refuses."""
    folder = run.absolute() / SLURM / token_hex(4)
    data, arrays = pack(job)
    try:
        folder.mkdir(mode=0o700, parents=True)
        (folder / JOB).write_bytes(data)
        for number, array in enumerate(arrays):
            np.save(folder / f"{number}.npy", array)
        Beat(folder / BEAT).tell()
    except OSError as error:
        remove(folder)
        raise UserError(refusal(error)) from error
    return folder


def read_job(folder: Path) -> tuple[bytes, Sequence[Array]]:
    """The work, and its images as they lie on the disk: jobs on one machine have them in memory once."""
    files = sorted(folder.glob("[0-9]*.npy"), key=lambda file: int(file.stem))
    return (folder / JOB).read_bytes(), [np.load(file, mmap_mode="r") for file in files]


def earlier(run: Path) -> list[Path]:
    """The folders of processes that are gone."""
    return [folder for folder in (run.absolute() / SLURM).glob("*") if folder.is_dir()]


def name_of(folder: Path) -> str:
    """The name of all its jobs, which no others have: numbers of jobs come again, on another cluster or in a year."""
    return f"cleave-{folder.name}"


def remove(folder: Path) -> None:
    """Removes a folder and, where it was the last, that of them all. A job that ends finds nowhere to write to."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}")), ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def remove_but_logs(folder: Path) -> None:
    """Removes all but what somebody may want to read."""
    logs = {file for pattern in LOGS for file in folder.glob(pattern)}
    for file in set(folder.iterdir()) - logs:
        file.unlink(missing_ok=True)
    if not logs:
        remove(folder)
