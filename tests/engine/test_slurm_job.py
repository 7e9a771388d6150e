"""What a job does with its task, in this process: whom it hears, what it answers, what its next life is."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cleave.engine import slurm_job, slurm_notes
from cleave.engine.progress import Callback, Progress
from cleave.engine.slurm_files import write_job
from cleave.engine.slurm_job import BARREN, SlurmTask
from cleave.engine.slurm_notes import BEAT, Beat, Notes, notes_of
from cleave.engine.stop import Stop
from cleave.engine.told import Done
from cleave.errors import Interrupted, UserError
from tests.process import until

with_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="needs submitit: pip install '.[slurm]'")

WRONG = {"wrong": UserError("a key: is wrong"), "lack": MemoryError(), "broken": ZeroDivisionError()}


@dataclass(frozen=True)
class Errand:
    label: str


@dataclass(frozen=True)
class Work:
    """Takes `steps` steps, or steps until it is asked to stop."""

    run: Path
    steps: int | None = None
    threads, device, sizes, images = 1, "cpu", "a size", ()

    def perform(self, task: Errand, stop: Stop, callback: Callback) -> str:
        if task.label in WRONG:
            raise WRONG[task.label]
        done = 0
        while done != self.steps:
            stop.check()
            done += 1
            callback.see(Progress(done, 9, task.label, "search"))
            time.sleep(0.001)
        return f"{task.label} in {done}"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(slurm_job, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(slurm_notes, "LISTEN_SECONDS", 0.0)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def made(tmp_path: Path, steps: int | None = None, task: str = "leaf") -> SlurmTask:
    """A task as its job gets it."""
    (tmp_path / "run").mkdir()
    folder = write_job(tmp_path / "run", Work(tmp_path / "run", steps))
    sent = SlurmTask(folder, 3, str(tmp_path), pickle.dumps(Errand(task)))
    return pickle.loads(pickle.dumps(sent))  # type: ignore[no-any-return]


def meanwhile(task: SlurmTask, act: Callable[[], object]) -> None:
    """Acts once the task is being worked on; this thread is at work for it then."""

    def wait() -> None:
        until(lambda: task.stepped)
        act()

    threading.Thread(target=wait, daemon=True).start()


def answer(task: SlurmTask) -> Any:  # noqa: ANN401
    place = Path.cwd()
    try:
        return pickle.loads(task())
    finally:
        os.chdir(place)


def test_it_answers_what_was_found_and_tells_how_far_it_is(tmp_path: Path) -> None:
    task = made(tmp_path, steps=5)
    assert answer(task) == Done("leaf in 5")
    told = Notes(notes_of(task.folder, 3)).read()
    assert [told[0].done, told[-1].done] == [1, 5]  # type: ignore[union-attr]
    assert os.stat(task.folder).st_mode & 0o077 == 0, "what is unpickled is nobody else's to write"


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("wrong", UserError, "a key: is wrong"),
        ("lack", UserError, "lower a size"),
        ("broken", RuntimeError, "ZeroDivisionError"),
    ],
)
def test_it_answers_what_went_wrong(what: str, kind: type[Exception], said: str, tmp_path: Path) -> None:
    found = answer(made(tmp_path, task=what))
    assert isinstance(found, kind)
    assert said in str(found)


def test_a_run_folder_that_is_not_on_this_machine_is_named(tmp_path: Path) -> None:
    task = made(tmp_path)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    task.folder = next((tmp_path / "elsewhere" / "slurm").iterdir())
    assert "it has to be on a disk that all machines share" in str(answer(task))


@pytest.mark.parametrize("how", ["the word", "a folder that is gone", "silence"])
def test_it_ends_with_its_run(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = made(tmp_path)

    def act() -> None:
        if how == "the word":
            Beat(task.folder / BEAT).ask_to_stop()
        elif how == "silence":
            monkeypatch.setattr(slurm_notes, "GONE_SECONDS", -1.0)
        else:
            task.folder.rename(tmp_path / "away")

    meanwhile(task, act)
    assert isinstance(answer(task), Interrupted)


def test_one_that_stood_in_the_queue_until_its_run_was_gone_begins_nothing(tmp_path: Path) -> None:
    task = made(tmp_path)
    Beat(task.folder / BEAT).ask_to_stop()
    assert isinstance(answer(task), Interrupted)
    assert not task.stepped


def test_after_sigterm_all_is_saved_and_slurm_or_the_run_have_the_last_word(tmp_path: Path) -> None:
    task = made(tmp_path)

    def act() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: task.answer is not None)
        time.sleep(0.1)
        seen.append(task.interrupted)  # it waits for the end: SLURM says whether there is another life
        Beat(task.folder / BEAT).ask_to_stop()

    seen: list[bool] = []
    meanwhile(task, act)
    assert isinstance(answer(task), Interrupted)
    assert seen == [True]


def test_what_is_finished_when_sigterm_comes_is_answered(tmp_path: Path) -> None:
    task = made(tmp_path, steps=50)
    meanwhile(task, lambda: setattr(task, "terminated", True))
    assert answer(task) == Done("leaf in 50")


@with_submitit
def test_the_next_life_is_the_same_task_unless_none_gets_as_far_as_a_step(tmp_path: Path) -> None:
    task = made(tmp_path)
    task.answer = b""
    for lives in range(1, BARREN):
        following = task.checkpoint().function
        assert (following.folder, following.number, following.task) == (task.folder, 3, task.task)
        assert (following.barren, following.answer) == (lives, None)
        task, following.answer = following, b""
    assert task.checkpoint() is None
    task.stepped = True
    assert task.checkpoint().function.barren == 0
