"""Searches by real jobs: preempted, interrupted and killed, they leave the bytes of one process, and nothing else.

The first is done by submitit's executor for one machine, the others by its own for SLURM, whose commands are those in
fake_slurm.py. What does not need a job is tested in test_slurm_cluster.py and test_slurm_job.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from cleave.engine import slurm_cluster, slurm_executor
from tests.engine.test_slurm_cluster import commands
from tests.process import PATIENCE, Started, at_work, until
from tests.search.test_workers import begin, holders, leaves, without_workers
from tests.tiny import HERE, RSPS, Ended, part_generations, same, search, write_images

pytestmark = pytest.mark.skipif(find_spec("submitit") is None, reason="needs submitit: pip install '.[slurm]'")

Capture = pytest.CaptureFixture[str]
LONG = {
    **RSPS, "search.checkpoint_seconds": 0.05, "search.epochs": 100, "split.splits": 1, "trust.control": 0,
}  # fmt: skip
"""Two leaves, for long enough to be found at work."""
SLURM = ("--engine", "slurm", "--slurm", "time=60", "--slurm", "setup=export OMP_NUM_THREADS=1", "--workers", "2")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def test_a_search_whose_job_is_preempted_leaves_the_same_bytes(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def local(folder: Path, python: str) -> object:
        import submitit

        return submitit.LocalExecutor(folder, python=python)

    monkeypatch.setattr(slurm_executor, "check_cluster", lambda: None)
    monkeypatch.setattr(slurm_cluster, "submitit_executor", local)
    one, two = tmp_path / "one", tmp_path / "two"
    changes = {**LONG, "split.splitter": "none"}
    lives: list[int] = []

    def preempt() -> None:
        until(lambda: part_generations(two) and holders(two))
        lives.extend(holders(two))
        os.kill(lives[0], signal.SIGUSR1)
        until(lambda: holders(two) - set(lives))
        lives.extend(holders(two))

    thread = threading.Thread(target=preempt, daemon=True)
    thread.start()
    ended = Ended([*without_workers(search(images, two, changes)), *SLURM[:4]], capsys)
    assert ended.status == 0, ended.err
    thread.join()
    assert len(lives) == 2
    begin(images, one, changes, 1)
    assert same(one, two)
    assert leaves(one) == leaves(two)
    assert {file.name for file in one.iterdir()} == {file.name for file in two.iterdir()}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its commands, and the folder in which they keep what they know."""
    (tmp_path / "slurm").mkdir()
    fake = Path(__file__).with_name("fake_slurm.py")
    names = ("sbatch", "srun", "scancel", "scontrol", "sacct")
    commands(tmp_path / "bin", **{name: f'exec {sys.executable} {fake} {name} "$@"' for name in names})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path / "slurm"))
    return tmp_path / "slurm"


def states(slurm: Path) -> list[str]:
    return [(job / "state").read_text().split()[0] for job in sorted(slurm.glob("[0-9]*"))]


def interrupt(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()


@pytest.mark.parametrize("end", [interrupt, kill])
def test_jobs_that_are_preempted_and_whose_run_ends_leave_the_same_bytes(
    end: Callable[[subprocess.Popen[str]], None], images: Path, tmp_path: Path, slurm: Path, capsys: Capture
) -> None:
    out, started = tmp_path / "run", Started()
    changes = {**LONG, "search.epochs": 300}

    def far_enough() -> bool:
        return len(holders(out)) == 2 and len({file.parent for file in part_generations(out)}) == 2

    words = [*without_workers(search(images, out, changes)), *SLURM]
    with at_work(words, far_enough, True, dict([started.mark.split("=")])) as process:
        first = holders(out)
        os.kill(max(first), signal.SIGUSR1)
        until(lambda: len(holders(out)) == 2 and len(holders(out) - first) == 1)
        assert len(list(slurm.glob("*/requeued"))) == 1
        end(process)
        _, stderr = process.communicate(timeout=PATIENCE)
    if end is interrupt:
        assert stderr.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume {out}"
        assert set(states(slurm)) == {"COMPLETED"}
        assert not (out / "slurm").exists()
        until(lambda: not started.processes)
    assert Ended(["resume", str(out), *HERE, "--json"], capsys).status == 0
    until(lambda: not started.processes)
    if end is kill:
        assert all((job / "cancelled").exists() for job in slurm.glob("[0-9]*"))
    assert not (out / "slurm").exists()
    begin(images, tmp_path / "whole", changes, 1)
    assert same(tmp_path / "whole", out)
    assert leaves(tmp_path / "whole") == leaves(out)


def test_a_job_that_is_killed_as_where_memory_runs_out_is_one_line_and_the_rest_is_saved(
    images: Path, tmp_path: Path, slurm: Path
) -> None:
    out, started = tmp_path / "run", Started()
    words = [*without_workers(search(images, out, {**LONG, "search.epochs": 100_000})), *SLURM]
    with at_work(words, lambda: len(holders(out)) == 2, True, dict([started.mark.split("=")])) as process:
        os.kill(min(holders(out)), signal.SIGKILL)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    line = stderr.splitlines()[-1]
    assert "ran out of memory; give it more by --slurm mem (log: " in line
    assert line.endswith("--engine slurm --slurm time=60 --slurm 'setup=export OMP_NUM_THREADS=1'")
    assert sorted(states(slurm))[-2:] == ["COMPLETED", "OUT_OF_MEMORY"]
    until(lambda: not started.processes)
    assert {file.suffix for file in (out / "slurm").rglob("*.*")} == {".err", ".out"}


def test_what_sbatch_refuses_is_one_line(images: Path, tmp_path: Path, slurm: Path, capsys: Capture) -> None:
    commands(tmp_path / "bin", sbatch="echo sbatch: error: Invalid account >&2; exit 1")
    ended = Ended([*without_workers(search(images, tmp_path / "run", LONG)), *SLURM], capsys)
    assert ended.refuses("--engine slurm: sbatch refuses the job at ", "(sbatch: error: Invalid account); correct")
    assert not (tmp_path / "run" / "slurm").exists()
