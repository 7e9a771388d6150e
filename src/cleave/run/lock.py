"""One process at a time on a run."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from cleave.errors import UserError
from cleave.run.durable import saving
from cleave.run.lease import Lease
from cleave.run.mirror import mirror_of
from cleave.run.reading import open_plain

LOCK = "lock"
_OWN_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW  # what a link leads to is not ours to write
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
        with saving(self.folder / LOCK), ExitStack() as undo:
            file = undo.enter_context(open_plain(self.folder / LOCK, _OWN_FILE))
            self._take(file)
            mirror = mirror_of(self.folder)
            if mirror is not None and mirror.folder == self.folder.absolute():
                mirror.check = undo.enter_context(Lease(mirror.store)).check
                mirror.match(sends=True)  # another machine may have gone on, and this one may not have reached it
            self._held = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _take(self, file: IO[bytes]) -> None:
        deadline = time.monotonic() + self.patience
        while not _locked(file):
            if time.monotonic() >= deadline:
                text = file.read(40)  # empty, it was taken and is about to be written
                holder = text.decode() if re.fullmatch(rb"process \d+", text) else "another process"
                raise UserError(f"{self.folder}: in use by {holder}: wait until it ends, or stop it")
            time.sleep(PAUSE)
        file.truncate(0)
        file.write(f"process {os.getpid()}".encode())
        file.flush()


def _locked(file: IO[bytes]) -> bool:
    """Whether this process has the lock now."""
    import fcntl  # not at the top: the other systems have none, and their user is told so above

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
