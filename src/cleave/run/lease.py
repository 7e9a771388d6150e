"""One machine at a time on a store: a file there that its holder writes anew every few seconds.

The lock of a folder ends with its process, a file in a store does not. So who finds one looks whether it is still
written; if it is not, its holder is gone, and the next number is taken. Of several who want that one gets it.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

from cleave.errors import UserError
from cleave.run.mirror import LEASE
from cleave.run.store import Store

BEAT_SECONDS = 5.0
GONE_SECONDS = 20.0
"""A holder that writes nothing for so long is gone."""
LOOK_SECONDS = 0.5


class Lease:
    """Holds a store while the `with` block lasts. `lost`: another machine holds it, which took this one for gone."""

    def __init__(self, store: Store) -> None:
        self.store, self.number, self.beats, self.token = store, 0, 0, uuid4().hex
        self.lost = False
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Lease:
        """UserError where another process holds it, or the store cannot be written to."""
        last = newest_of(self.store)
        if last and (holder := self._lives(last)):
            raise UserError(f"{self.store.url}: in use by {holder}: wait until it ends, or stop it")
        self.number = last + 1
        if not (self.store.create(name_of(self.number), self._told()) and self._is_ours()):
            raise UserError(f"{self.store.url}: another process has just begun to use it: wait until it ends")
        for number in range(max(1, last - 1), last + 1):
            self.store.remove(name_of(number))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        if not self.lost:
            with suppress(UserError):  # a store that is gone holds nothing; it is free once nothing is written any more
                self.store.remove(name_of(self.number))

    def check(self) -> None:
        """UserError where the store is no longer held."""
        if self.lost:
            raise UserError(
                f"{self.store.url}: another process took it, since nothing was heard from here for {GONE_SECONDS:g} "
                "seconds; that one goes on with the run"
            )

    def _is_ours(self) -> bool:
        data = self.store.read(name_of(self.number))
        return data is not None and read(data).get("token") == self.token

    def _lives(self, number: int) -> str | None:
        """Who holds a lease, if anybody still does: then it is written anew within some seconds."""
        first = self.store.read(name_of(number))
        if first is None:
            return None
        told = read(first)
        holder = f"process {told.get('process')} on {told.get('machine')}"
        if told.get("machine") == socket.gethostname():
            return holder if is_alive(told.get("process")) else None
        deadline = time.monotonic() + GONE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            if (now := self.store.read(name_of(number))) != first:
                return None if now is None else holder
        return None

    @property
    def _holder(self) -> dict[str, Any]:
        return {"machine": socket.gethostname(), "process": os.getpid(), "token": self.token}

    def _told(self) -> bytes:
        return json.dumps(self._holder | {"beat": self.beats}).encode()

    def _beat(self) -> None:
        while not self.ended.wait(BEAT_SECONDS):
            self.beats += 1
            with suppress(UserError):  # a store that does not answer may do so the next time
                if newest_of(self.store) > self.number or not self._is_ours():
                    self.lost = True
                    return
                self.store.write(name_of(self.number), self._told())


def name_of(number: int) -> str:
    return f"{LEASE}/{number:06d}"


def newest_of(store: Store) -> int:
    """The number of the last lease that is there; 0: none."""
    numbers = [name.rpartition("/")[2] for name in store.names(LEASE)]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def read(data: bytes) -> dict[str, Any]:
    """What a lease says; nothing where it is none."""
    with suppress(ValueError):
        told = json.loads(data)
        if isinstance(told, dict):
            return told
    return {}


def is_alive(process: object) -> bool:
    """Whether a process of this machine runs."""
    if not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
