"""A worker in a process of Ray's. torch is loaded once it is asked for; all that is told is pickled already."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from cleave.engine.stop import Stop
from cleave.engine.told import Ready
from cleave.errors import UserError

if TYPE_CHECKING:
    from cleave.engine.packing import Array


class RayWorker:
    """One actor: opens the job, then does the tasks that it is sent. `ask_to_stop` is called meanwhile."""

    def __init__(self) -> None:
        self.stop = Stop()

    def open(self, folder: str, data: bytes, *arrays: Array) -> bytes:
        """Ready, or a UserError. `folder`: where the search was started, as paths may begin there."""
        from cleave.engine.packing import opened

        try:
            self.job = opened(folder, data, arrays)
        except UserError as error:
            return pickle.dumps(error)
        return pickle.dumps(Ready())

    def perform(self, data: bytes) -> Iterator[bytes]:
        """What is told of a task, and last what it comes to."""
        told: SimpleQueue[Any] = SimpleQueue()
        with ThreadPoolExecutor(1) as thread:
            task = thread.submit(self._perform, data, told)
            task.add_done_callback(told.put)
            while (each := told.get()) is not task:
                yield pickle.dumps(each)
            yield pickle.dumps(task.result())

    def _perform(self, data: bytes, told: SimpleQueue[Any]) -> object:
        from cleave.engine.job import performed
        from cleave.engine.worker_process import Teller, answered, prepare

        prepare(self.job)
        teller = Teller(told.put)
        answer = answered(partial(performed, self.job, pickle.loads(data), self.stop, teller))
        teller.catch_up()
        return answer

    def ask_to_stop(self) -> None:
        self.stop.requested = True
