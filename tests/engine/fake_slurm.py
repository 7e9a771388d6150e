"""SLURM's commands for one machine, by the first argument: what submitit asks of them, no more.

The folder FAKE_SLURM has a folder for each job: its script, its state, the process of its step.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

HOME = Path(os.environ["FAKE_SLURM"])


def sbatch(script: str) -> None:
    if (HOME / "refuse").exists():
        sys.exit("sbatch: error: Batch job submission failed: Invalid account or account/partition combination")
    number = str(len(list(HOME.glob("[0-9]*"))) + 1)
    job = HOME / number
    job.mkdir()
    (job / "script").write_text(Path(script).read_text())
    (job / "state").write_text("PENDING")
    words = [sys.executable, __file__, "lives", number]
    nothing = subprocess.DEVNULL
    subprocess.Popen(words, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing)
    print(f"Submitted batch job {number}")


def lives(number: str) -> None:
    """The life of a job, and as many others as it is put back into the queue for."""
    job = HOME / number
    while not (job / "cancelled").exists():
        (job / "state").write_text("RUNNING")
        status = subprocess.call(["bash", job / "script"], env={**os.environ, "SLURM_JOB_ID": number})
        if not (job / "requeue").exists():
            (job / "state").write_text("CANCELLED by 0" if (job / "cancelled").exists() else ending(status))
            return
        (job / "requeue").rename(job / "requeued")
        (job / "state").write_text("PENDING")
    (job / "state").write_text("CANCELLED by 0")


def ending(status: int) -> str:
    return "COMPLETED" if status == 0 else "OUT_OF_MEMORY" if status == 128 + signal.SIGKILL else "FAILED"


def srun(*words: str) -> None:
    """Becomes the step, with its output in files."""
    options = dict(zip(words[1:5:2], words[2:6:2], strict=True))
    number = os.environ["SLURM_JOB_ID"]
    for stream, name in ((1, "--output"), (2, "--error")):
        path = options[name].replace("%j", number).replace("%t", "0")
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    (HOME / number / "step").write_text(str(os.getpid()))
    os.execvp(words[5], words[5:])


def scancel(*words: str) -> None:
    """By number, or by name as in --name=NAME."""
    names = {f"#SBATCH --job-{word[2:]}\n" for word in words if word.startswith("--name=")}
    for job in HOME.glob("[0-9]*"):
        if job.name in words or any(name in (job / "script").read_text() for name in names):
            (job / "cancelled").touch()
            with suppress(OSError):
                os.kill(int((job / "step").read_text()), signal.SIGTERM)


def scontrol(what: str, number: str) -> None:
    assert what == "requeue"
    (HOME / number / "requeue").touch()


def sacct(*words: str) -> None:
    if (HOME / "refuse").exists():
        sys.exit("Slurm accounting storage is disabled")
    print("JobID|State|NodeList")
    for number in re.findall(r"-j (\d+)", " ".join(words)):
        print(f"{number}|{(HOME / number / 'state').read_text()}|here")


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    {f.__name__: f for f in (sbatch, lives, srun, scancel, scontrol, sacct)}[name](*rest)
