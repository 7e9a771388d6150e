"""`cleave` in a process of its own, and how far it is by what it leaves on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PATIENCE = 120.0
"""Seconds; on a loaded machine torch alone may take twenty to import."""


@contextmanager
def at_work(
    arguments: Sequence[str],
    far_enough: Callable[[], object],
    new_session: bool = False,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """The process of a command once it is far enough; whatever goes wrong, it does not outlive this.

    `before`: the words of a command that runs it, and becomes it.
    """
    command = [*before, sys.executable, "-m", "cleave", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
        env={**os.environ, **(environment or {})},
    ) as process:

        def there() -> object:
            assert process.poll() is None, process.communicate()
            return far_enough()

        try:
            until(there)
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Started:
    """The processes that something started, by a mark in their environment."""

    def __init__(self) -> None:
        self.mark = f"CLEAVE_TEST={uuid4()}"

    @property
    def processes(self) -> dict[int, str]:
        """Their numbers and commands."""
        marked = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    marked[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has ended, or is somebody else's
                continue
        return marked

    @property
    def heard_at(self) -> set[str]:
        """The addresses at which they can be reached from somewhere, in the kernel's hexadecimal."""
        sockets = {os.readlink(file) for process in self.processes for file in open_files(process)}
        lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()]
        return {line[1].split(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}


def open_files(process: int) -> Iterator[Path]:
    for file in Path(f"/proc/{process}/fd").glob("*"):
        if file.is_symlink():
            yield file
