"""Commands of cleave in processes of their own, forked from one that has loaded it: a kill is real and takes no time.

Python's fork server never computes anything: torch's threads would not outlive the fork.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

from cleave.cli import run
from cleave.process import run_process
from tests.process import PATIENCE, until
from tests.survival.mishaps import HITS, INSIDE, MISHAP, plant

PRELOADED = [
    *(f"cleave.{name}.runner" for name in ("search", "retrain", "design", "evolve")), "tests.survival.living",
]  # fmt: skip


def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def live(
    words: Sequence[str], environment: Mapping[str, str], out: Path, folder: Path, prepare: Callable[[], None] | None
) -> None:
    """The life of such a process."""
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(out / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ |= environment
    plant()
    if prepare is not None:
        prepare()
    sys.argv = ["cleave", *words]
    run_process("cleave", run)


def group(leader: int | None) -> list[int]:
    """The processes of a command that live, by its own number."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, number, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if number == str(leader) and state != "Z":
            found.append(int(folder.name))
    return found


class Life:
    """A command under way, or ended."""

    def __init__(
        self,
        words: Sequence[str],
        base: Path,
        mishap: Mapping[str, Any] | None = None,
        inside: Path | None = None,
        prepare: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`base`: for what it writes. `inside`: the folder whose operations are counted. `prepare`: called there."""
        self.notes = base / f"life-{uuid4().hex[:8]}"
        (self.notes / "hits").mkdir(parents=True)
        given = {**(environment or {}), HITS: str(self.notes / "hits"), MISHAP: json.dumps(mishap or {})}
        if inside is not None:
            given[INSIDE] = str(inside)
        arguments = (list(words), given, self.notes, base, prepare)
        self.process: BaseProcess = server().Process(target=live, args=arguments)
        self.process.start()

    def ended(self) -> Life:
        """The same once it has ended; nothing that it started is left by then."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, f"{self.out}{self.err}"
        self.ended_at = time.time()
        until(lambda: not group(self.process.pid))
        return self

    @property
    def grace(self) -> float:
        """The seconds from when it was asked to stop to its end; 0 if it never was."""
        asked = self.notes / "hits" / "asked"
        return self.ended_at - asked.stat().st_mtime if asked.exists() else 0.0

    def ask(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """With all that it started."""
        assert self.process.pid is not None
        os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def status(self) -> int | None:
        return self.process.exitcode

    @property
    def out(self) -> str:
        return (self.notes / "out").read_text()

    @property
    def err(self) -> str:
        return (self.notes / "err").read_text()

    @property
    def hits(self) -> dict[str, int]:
        """How often each point was reached."""
        return {file.name.replace("-", " "): file.stat().st_size for file in (self.notes / "hits").iterdir()}
