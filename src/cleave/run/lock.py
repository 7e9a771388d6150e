"""One process at a time on a run."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from cleave.errors import UserError
from cleave.run.durable import saving

LOCK = "lock"
PAUSE = 0.05
"""Seconds between two attempts to take a lock that is waited for."""


class RunLock:
    """Holds a run folder for this process while the `with` block lasts; POSIX only.

    The lock is the system's (flock) on the open file `lock`, so that it ends with the process, however that
    ends; only a forked child shares it. The file stays: were it removed, two processes could each lock one.
    """

    def __init__(self, folder: Path, patience: float = 0.0) -> None:
        """`patience`: the seconds for which a lock that another process holds is waited for."""
        self.folder, self.patience = folder, patience

    def __enter__(self) -> RunLock:
        """Take the lock; raises UserError where another process holds it or the folder cannot be written."""
        if sys.platform == "win32":
            raise UserError(f"{self.folder}: a run needs a POSIX system to be kept safely: use Linux, macOS or WSL")
        with saving(self.folder), ExitStack() as undo:
            file = undo.enter_context((self.folder / LOCK).open("a+", encoding="ascii"))
            self._take(file)
            self._held = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _take(self, file: TextIO) -> None:
        deadline = time.monotonic() + self.patience
        while not _locked(file):
            if time.monotonic() >= deadline:
                file.seek(0)
                holder = file.read() or "another process"  # empty: it has the lock and is about to write its number
                raise UserError(f"{self.folder}: in use by {holder}: wait until it ends, or stop it")
            time.sleep(PAUSE)
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()


def _locked(file: TextIO) -> bool:
    """Whether this process has the lock now."""
    import fcntl  # not at the top: the other systems have none, and their user is told so above

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
