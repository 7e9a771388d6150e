"""Has trackers told of runs, at no cost to the run: each by a process of its own, which may fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

from cleave.engine.progress import Callback
from cleave.errors import UserError, brief, named, refuse_repeats
from cleave.tracking import state
from cleave.tracking.trackers import KINDS

NONE, USUAL = "none", "tensorboard"
PATIENCE = 30.0
"""Seconds that the end of a run waits for all trackers together."""
REASON = 200
"""Letters of the reason of a failure that are shown."""


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class Tracking(Callback):
    """Tells trackers of a run: its settings, losses and accuracies by epoch and leaf, what it found.

    `names`: tensorboard, wandb, trackio, mlflow; or none. None: those that the run was told to before; if there were
    none, TensorBoard, where it is installed and unless `usual` is false. `say` is called once with a line for each that
    fails; the run goes on without it. UserError for unknown names.
    """

    def __init__(
        self,
        names: str | Sequence[str] | None = None,
        say: Callable[[str], None] = to_stderr,
        usual: bool = True,
    ) -> None:
        given = [names] if isinstance(names, str) else names
        self.usual = usual
        self.names = None if given is None else checked(given)
        self.tell_person = say
        self.tellers: list[Teller] = []

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        names = self._names(run)
        for name in names:
            try:
                state.begin(run, name, settings)
                self.tellers.append(Teller(name, run, self.tell_person))
            except Exception as error:  # whatever keeps a process from being started is no reason to stop a run
                self.tell_person(failed(name, brief(str(error), REASON)))

    def _names(self, run: Path) -> Sequence[str]:
        if self.names is not None:
            return self.names
        known = [name for name in state.known(run) if name in KINDS]
        return known or ([USUAL] if self.usual and find_spec(USUAL) else [])

    def end_run(self) -> None:
        until = time.monotonic() + PATIENCE
        for teller in self.tellers:
            teller.ask_to_end()
        for teller in self.tellers:
            teller.wait(max(0.0, until - time.monotonic()))
        self.tellers = []


def checked(names: Sequence[str]) -> list[str]:
    """As they are written here; UserError for what is unknown, and for `none` beside others."""
    found = [named("tracker", name, {each: each for each in (*KINDS, NONE)}) for name in names]
    refuse_repeats("tracker", found)
    if NONE in found and len(found) > 1:
        raise UserError(f"tracker: {NONE} and others; leave one or the other out")
    return [name for name in found if name != NONE]


def failed(name: str, why: str) -> str:
    return f"{name}: {why}; the run goes on without it"


class Teller:
    """The process that tells one tracker, and a thread that waits to hear how it ended."""

    def __init__(self, name: str, run: Path, say: Callable[[str], None]) -> None:
        self.name, self.say, self.late = name, say, False
        self.log = run / state.TRACKERS / f"{name}.log"
        command = [sys.executable, "-m", "cleave.tracking.teller", name, str(run.resolve())]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=own_environment(), start_new_session=True
            )  # in a session of its own Ctrl-C is the run's alone
        self.thread = Thread(target=self._hear, daemon=True)
        self.thread.start()

    def _hear(self) -> None:
        """Waits for the end, and says why it came if it came too soon."""
        if self.process.wait() and not self.late:
            self.say(failed(self.name, self._reason()))

    def _reason(self) -> str:
        said = list[str]()
        with suppress(OSError):
            said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        if self.process.returncode > 0 and said:
            return brief(said[-1], REASON)
        return f"its process ended with status {self.process.returncode}"

    def ask_to_end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Until it has ended, but no longer than that."""
        self.thread.join(seconds)
        if self.thread.is_alive():
            self.late = True
            self.process.kill()
            self.say(f"{self.name}: was not done {PATIENCE:.0f} s after the run, which did not wait for it any longer")
            self.thread.join()


def own_environment() -> dict[str, str]:
    """That of this process, with its module path: what is imported there is what is imported here."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
