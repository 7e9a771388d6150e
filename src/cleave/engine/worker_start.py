"""The start of a worker process. Nothing here loads torch, which takes seconds in which its parent may end."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.extensions import LOADED, load_extension
from cleave.run.mirror import all_mirrored, mirrored
from cleave.signals import ASKING

PR_SET_PDEATHSIG = 1  # of Linux's sys/prctl.h


def dumps(content: object) -> bytes:
    """Pickles inside multiprocessing's own pickling, which passes on open files."""
    return bytes(ForkingPickler.dumps(content))


class Parcel:
    """What is sent to a process that starts, and only unpickled, with all that has to be loaded for it, when opened."""

    def __init__(self, content: object, dumps: Callable[[object], bytes] = dumps) -> None:
        self.content, self.dumps = content, dumps

    def __getstate__(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]], bytes]:
        extensions = [(str(each.file), each.sha256) for each in LOADED.values()]
        return extensions, all_mirrored(), self.dumps(self.content)

    def __setstate__(self, state: tuple[list[tuple[str, str]], list[tuple[str, str]], bytes]) -> None:
        self.content = state

    def open(self, loads: Callable[[bytes], Any] = pickle.loads) -> Any:  # noqa: ANN401
        """What was sent; once, by who received it. First the sender's extensions are loaded, which it may be made of.

        Run folders that the sender keeps the same as a store are here too, and are from now on. UserError where an
        extension is another now, or a store cannot be reached.
        """
        assert isinstance(self.content, tuple)
        extensions, stores, data = self.content
        for file, sha256 in extensions:
            load_extension(file, sha256)
        for folder, url in stores:
            mirrored(Path(folder), url)
        return loads(data)


def begin(pipe: Connection, parcel: Parcel) -> None:
    """A worker from its start; it ends at once when its parent does, however that ends."""
    end_with_parent()
    leave_to_parent()
    from cleave.engine.worker_process import serve

    try:
        job = parcel.open()
    except UserError as error:
        pipe.send(error)
        return
    serve(pipe, job)


def end_with_parent() -> None:
    """Has this process end with its parent. What is not saved then is done again by the run that goes on."""
    if sys.platform.startswith("linux"):  # at once; the thread has to wait while a library is being opened
        prctl = getattr(ctypes.CDLL(None), "prctl", None)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def leave_to_parent() -> None:
    """Ctrl-C and the end of a terminal reach the whole group of processes, and are the parent's to hear."""
    for number in ASKING:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
