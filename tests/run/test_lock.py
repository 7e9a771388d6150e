"""One process at a time on a run; a killed one leaves no lock and no half of a checkpoint."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleave.errors import UserError
from cleave.run.generations import Generations, read_record
from cleave.run.lock import RunLock
from tests.run.test_generations import same, some_record

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from cleave.errors import UserError
from cleave.run.lock import RunLock
try:
    with RunLock(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
except UserError as error:
    print(error)
"""
HOST = """
import sys
from pathlib import Path
from tests.run.test_lock import host
host(Path(sys.argv[1]))
"""


@contextmanager
def python(script: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with this script on that folder, spoken to through pipes."""
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_process_is_refused_and_told_which_one_is_first(tmp_path: Path) -> None:
    with python(HOLD, tmp_path) as first:
        assert hear(first) == "held"
        with pytest.raises(UserError, match=f"{tmp_path}: in use by process {first.pid}: "), RunLock(tmp_path):
            pytest.fail("two processes hold the run")
        with python(HOLD, tmp_path) as second:
            assert hear(second).startswith(f"{tmp_path}: in use by process {first.pid}: ")


def test_a_killed_process_leaves_the_run_free(tmp_path: Path) -> None:
    with python(HOLD, tmp_path) as holder:
        assert hear(holder) == "held"
        holder.send_signal(signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
    with RunLock(tmp_path), python(HOLD, tmp_path) as late:
        assert hear(late).startswith(f"{tmp_path}: in use by process {os.getpid()}: ")


def test_the_lock_ends_with_its_block_however_that_ends(tmp_path: Path) -> None:
    for mistake in (KeyError, KeyboardInterrupt):
        with pytest.raises(mistake), RunLock(tmp_path):
            raise mistake
    with RunLock(tmp_path):
        with pytest.raises(UserError, match="in use by process"):
            RunLock(tmp_path).__enter__()
        with pytest.raises(UserError, match="in use by process"):  # the refused one has not freed it
            RunLock(tmp_path).__enter__()
    with python(HOLD, tmp_path) as other:
        assert hear(other) == "held"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere/lock: cannot be saved: no such file"), RunLock(tmp_path / "nowhere"):
        pytest.fail("nothing to lock")


def test_a_system_without_such_locks_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UserError, match="needs a POSIX system"), RunLock(tmp_path):
        pytest.fail("locked all the same")


def host(run: Path) -> None:
    """For each number of seconds on stdin: fork a process that commits without end, and kill it after that time.

    Forked, because a process that starts by itself would take most of its life to import torch.
    """
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                commit_without_end(run)
            finally:
                os._exit(1)
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child ended by itself"
        print("killed", flush=True)


def commit_without_end(run: Path) -> None:
    """Go on from the newest checkpoint and tell of every one that is safe, as a run does."""
    with RunLock(run):
        generations = Generations(run / "checkpoints")
        number = 0 if generations.empty else generations.newest(pytest.fail).meta["number"]
        while True:
            number += 1
            generations.commit(some_record(number))
            os.write(1, f"{number}\n".encode())


def test_whenever_a_run_is_killed_its_newest_checkpoint_is_one_that_was_committed_whole(tmp_path: Path) -> None:
    folder, safe, kills, interrupted, longest = tmp_path / "checkpoints", 0, 0, 0, 0.05
    with python(HOST, tmp_path) as process:
        while kills < 25 or interrupted < 5:
            say(process, str(random.uniform(0.0, longest)))
            while (line := hear(process)) != "killed":
                safe = int(line)
            kills += 1
            interrupted += any(folder.glob(".*.tmp"))
            longest *= 1.02  # on a busy machine even the first commit may take long
            assert longest < 5, "no kill comes in the middle of a commit"
            with RunLock(tmp_path):
                for path in folder.glob("[0-9]*"):
                    assert same(read_record(path), some_record(int(path.name)))
                generations = Generations(folder)
                assert not any(folder.glob(".*")), "what the kill left is still there"
                newest = 0 if generations.empty else generations.newest(pytest.fail).meta["number"]
                assert newest in (safe, safe + 1), f"{safe} was told to be safe"
                safe = newest
    assert safe > 0
