"""Worker processes: the same bytes as in one process, and nothing lost or left over, however they end.

Each costs seconds to start, so that what does not need them is tested in test_merging.py.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from cleave.config import load_recipe
from cleave.engine.engine import Engine
from cleave.engine.overview import Overview
from cleave.engine.processes import ProcessExecutor, ProcessWorker, ending
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted, UserError
from cleave.run.lock import RunLock
from cleave.search.runner import resume, start
from cleave.search.scope import Standalone
from cleave.search.searching import SearchJob
from cleave.search.task import StandaloneTask, Task, TaskResult
from tests.process import PATIENCE, at_work, until
from tests.tiny import (
    EVERY_STEP,
    HALVING,
    HERE,
    RSPS,
    SIZES,
    Ended,
    found,
    generations,
    leaves,
    part_generations,
    same,
    search,
    write_images,
)

Capture = pytest.CaptureFixture[str]
IMPORTANCE = {
    "method.name": "rsps", "method.samples": 3, "method.sampler": "importance", "split.splits": 1,
    "search.hooks": "[momentum-separation, gradient-projection]", "split.restart": "false",
}  # fmt: skip
KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "importance and hooks": (2, IMPORTANCE),
    "darts": (2, {}),
    "darts that inherits": (3, {"split.restart": "false"}),
    "rsps": (2, RSPS),
    "outputs": (2, {**RSPS, "split.splitter": "output"}),
    "halving": (3, {**RSPS, **HALVING}),
    "random": (2, {"method.name": "random", "search.epochs": 2}),
}
LONG = {**RSPS, "search.checkpoint_seconds": 0.1, "search.epochs": 100_000}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def begin(images: Path, out: Path, changes: dict[str, Any], workers: int, callback: Callback | None = None) -> None:
    settings = [f"{key}={value}" for key, value in {**SIZES, **changes, "data.name": images}.items()]
    start(load_recipe(None, settings, {}), out, callback or Callback(), Engine(workers))


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_workers_leaves_the_same_bytes(kind: str, images: Path, tmp_path: Path) -> None:
    workers, changes = KINDS[kind]
    progresses: list[Progress] = []

    class Recorder(Callback):
        def see(self, progress: Progress) -> None:
            progresses.append(progress)

    begin(images, tmp_path / "one", changes, 1)
    begin(images, tmp_path / "several", changes, workers, Recorder())
    assert same(tmp_path / "one", tmp_path / "several")
    assert leaves(tmp_path / "one") == leaves(tmp_path / "several")
    assert not (tmp_path / "several" / "parts").exists()
    assert 0 < progresses[-1].done <= progresses[-1].total


def running(words: list[str], out: Path, saved: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """A search with two workers that are both at it, and of which some task has been saved so often."""

    def far_enough() -> bool:
        numbers = [int(generation.name) for generation in part_generations(out)]
        return len(holders(out)) == 2 and max(numbers, default=0) >= saved

    return at_work([*words, "--workers", "2"], far_enough, new_session=True)


def holders(out: Path) -> set[int]:
    """The processes that hold tasks, by their locks."""
    return {int(number) for lock in found(out, "parts/*/lock") for number in re.findall(r"\d+", content(lock))}


def content(lock: Path) -> str:
    try:
        return lock.read_text()
    except FileNotFoundError:  # a task that is finished takes its lock with it
        return ""


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def without_workers(words: list[str]) -> list[str]:
    return [word for word in words if word not in HERE]


def test_a_run_whose_processes_are_killed_goes_on_with_any_number_of_workers(images: Path, tmp_path: Path) -> None:
    changes = {**RSPS, **EVERY_STEP, "search.epochs": 4}
    begin(images, tmp_path / "whole", changes, 1)
    out = tmp_path / "killed"
    for words in (without_workers(search(images, out, changes)), ["resume", str(out)]):
        with running(words, out, random.randint(2, 6)) as process:
            workers = holders(out)
            process.kill()
        until(lambda workers=workers: not any(map(alive, workers)))
    resume(out, Callback())
    assert same(tmp_path / "whole", out)
    assert leaves(tmp_path / "whole") == leaves(out)


def to_all(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def closing_the_terminal(process: subprocess.Popen[str]) -> None:
    for _ in range(2):  # the system to the group, the shell to its job
        os.killpg(process.pid, signal.SIGHUP)


def warned_by_slurm(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGUSR1)


def to_main(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.usefixtures("hangup_heard")
@pytest.mark.parametrize("ask", [to_all, to_main, closing_the_terminal, warned_by_slurm])
def test_a_search_that_is_asked_to_stop_saves_every_part(
    ask: Callable[[subprocess.Popen[str]], None], images: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    with running(without_workers(search(images, out, LONG)), out, saved=2) as process:
        workers = holders(out)
        newest = max(part_generations(out))
        ask(process)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume {out}"
    assert "Traceback" not in stderr
    assert not any(map(alive, workers))
    saved = len({generation.parent for generation in part_generations(out)})
    assert saved >= 2, "one may be finished and wait for another"
    assert max(part_generations(out)) > newest
    assert Ended(["show", str(out)], capsys).out.count("under way: ") == saved


def test_a_worker_that_is_killed_is_one_line_and_costs_only_the_time_since_its_checkpoint(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    changes = {**RSPS, "search.checkpoint_seconds": 0.05, "search.epochs": 12}
    out = tmp_path / "run"
    with running(without_workers(search(images, out, changes)), out, saved=2) as process:
        os.kill(random.choice(sorted(holders(out))), signal.SIGKILL)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, stderr
    *above, line = stderr.splitlines()
    assert not any("Traceback" in each for each in above)
    assert line.startswith("cleave: a worker process was killed by SIGKILL, as where memory runs out, at ")
    assert line.endswith(f"cleave resume {out} --workers 1")
    assert Ended(["resume", str(out), *HERE, "--json"], capsys).status == 0
    begin(images, tmp_path / "whole", changes, 1)
    assert same(tmp_path / "whole", out)


def test_what_goes_wrong_while_workers_start_leaves_none_behind(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = list[ProcessWorker[Task, TaskResult]]()

    class OnlyOne(ProcessWorker[Task, TaskResult]):
        def __init__(self, job: SearchJob) -> None:
            if started:
                raise KeyboardInterrupt
            super().__init__(job)
            started.append(self)

    monkeypatch.setattr("cleave.engine.processes.ProcessWorker", OnlyOne)
    with pytest.raises(Interrupted, match="go on from what was saved last"):
        begin(images, tmp_path / "run", {}, workers=2)
    assert started[0].process.exitcode == -signal.SIGKILL


class Loading:
    """A job that a worker never has done loading; it says so in a file that it is at it."""

    run, threads, sizes, images = Path("run"), 1, "", ()

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        code = "import os, pathlib, time\n"
        code += f"pathlib.Path({str(self.mark)!r}, str(os.getpid())).touch()\n"
        return exec, (code + f"time.sleep({10 * PATIENCE})",)

    def perform(self, task: Task, stop: Stop, callback: Callback) -> TaskResult:
        raise AssertionError

    @property
    def workers(self) -> set[int]:
        """The processes that are at it."""
        return {int(file.name) for file in self.mark.iterdir()}


def test_a_worker_that_still_loads_is_not_waited_for(tmp_path: Path) -> None:
    job, stop = Loading(tmp_path), Stop()
    with ProcessExecutor(2, job, stop, Overview(Callback())) as executor:
        for label in "01":
            executor.begin(StandaloneTask(Standalone(label, {}), 1))
        until(lambda: len(job.workers) == 2)
        stop.requested = True
        with pytest.raises(Interrupted):
            executor.finished()
    assert [worker.process.exitcode for worker in executor.workers] == [-signal.SIGKILL] * 2


def test_who_is_asked_to_stop_between_two_workers_starts_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, stop = Loading(tmp_path), Stop()

    class Asking(ProcessWorker[Task, TaskResult]):
        def __init__(self, job: Loading) -> None:
            super().__init__(job)
            stop.requested = True

    monkeypatch.setattr("cleave.engine.processes.ProcessWorker", Asking)
    executor = ProcessExecutor(3, job, stop, Overview(Callback()))
    with pytest.raises(Interrupted), executor:
        pass
    assert [worker.process.exitcode for worker in executor.workers] == [-signal.SIGKILL]


PARENT = """
import sys
from pathlib import Path
from cleave.engine.overview import Overview
from cleave.engine.progress import Callback
from cleave.engine.processes import ProcessExecutor
from cleave.engine.stop import Stop
from tests.search.test_workers import Loading

if __name__ == "__main__":
    with ProcessExecutor(2, Loading(Path(sys.argv[1])), Stop(), Overview(Callback())):
        input()
"""


def test_workers_that_still_load_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    job = Loading(tmp_path / "marks")
    job.mark.mkdir()
    (tmp_path / "parent.py").write_text(PARENT)
    words = [sys.executable, str(tmp_path / "parent.py"), str(job.mark)]
    paths = os.pathsep.join(sys.path)
    with subprocess.Popen(words, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}) as parent:
        try:
            until(lambda: len(job.workers) == 2)
        finally:
            parent.kill()
    until(lambda: not any(map(alive, job.workers)))


def test_what_the_user_can_mend_in_a_worker_is_said_as_in_one_process(images: Path, tmp_path: Path) -> None:
    wild = {**RSPS, **EVERY_STEP, "method.learning_rate": 1e30, "method.clip": 1e30}
    words = r"leaf [01]\.[01], step \d+: the loss is nan; try a smaller method\.learning_rate"
    with pytest.raises(UserError, match=words):
        begin(images, tmp_path / "run", wild, 2)
    assert len(generations(tmp_path / "run")) == 2
    assert part_generations(tmp_path / "run")


def test_a_part_that_is_still_held_is_waited_for_and_then_named(tmp_path: Path) -> None:
    began = time.monotonic()
    with RunLock(tmp_path), pytest.raises(UserError, match="in use by process"), RunLock(tmp_path, patience=0.3):
        pass
    assert time.monotonic() - began >= 0.3


def test_a_lock_that_becomes_free_meanwhile_is_taken(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from cleave.run.lock import RunLock\n"
    code += "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with RunLock(tmp_path, patience=60):
            assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_the_end_of_a_process_is_told_in_words() -> None:
    assert ending(-signal.SIGTERM) == "was killed by SIGTERM"
    assert ending(-signal.SIGKILL) == "was killed by SIGKILL, as where memory runs out,"
    assert ending(3) == "ended with exit status 3"


@pytest.mark.parametrize("command", ["search", "resume", "reproduce"])
def test_no_workers_at_all_are_refused(command: str, tmp_path: Path, capsys: Capture) -> None:
    words = {"search": [], "resume": [str(tmp_path)], "reproduce": ["table1"]}[command]
    assert Ended([command, *words, "--workers", "0"], capsys).refuses("--workers", "greater than or equal to 1")
