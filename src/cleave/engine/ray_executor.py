"""Workers of Ray that do the tasks of a search at the same time, on this machine or on several.

Ray itself is in a process beside this one (`cleave.engine.ray_relay`): nothing here loads it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from cleave.engine.engine import Engine, usual_workers
from cleave.engine.job import Job, TaskType
from cleave.engine.losses import Losses
from cleave.engine.overview import Overview
from cleave.engine.packing import pack
from cleave.engine.pool import LOOK_SECONDS, PipeExecutor
from cleave.engine.ray_relay import Connected, RayOrder
from cleave.engine.ray_resources import NOTHING, need
from cleave.engine.stop import Stop
from cleave.engine.told import FoundType, Lost
from cleave.engine.worker import PipeWorker
from cleave.errors import UserError
from cleave.run.mirror import resume_command

CONNECT_SECONDS = 90.0
"""In which Ray has to be there."""
END_SECONDS = 20.0
"""In which it has to be gone."""
MOST = 256
"""Workers, where nobody says how many and a Ray has room for more."""
PROGRAM = "from cleave.engine.ray_relay import main; main()"


class RelayedWorker(PipeWorker[TaskType, FoundType]):
    """A worker of Ray's, at the other end of the relay."""

    def __init__(self, pipe: Connection, run: Path) -> None:
        super().__init__(pipe)
        self.run = run

    def ended(self) -> UserError:
        return UserError(f"Ray has ended; what was saved is intact: go on with: {resume_command(self.run)}")

    def kill(self) -> None:
        self.pipe.close()

    def end(self) -> None:
        """The relay does, which is waited for."""


class RayExecutor(PipeExecutor[TaskType, FoundType]):
    """An executor of Ray's workers. What a worker was at that is lost is begun again, from its last checkpoint."""

    def __init__(
        self, engine: Engine, tasks: int, job: Job[TaskType, FoundType], stop: Stop, overview: Overview
    ) -> None:
        super().__init__(job, stop, overview)
        self.address = engine.address or address_here()
        if engine.resources and not self.address:
            raise UserError("--resources: a Ray that is started for a run counts nothing; give the --address of one")
        self.need = need(engine.resources, job.threads, job.device != "cpu") if self.address else NOTHING
        usual = MOST if self.address else usual_workers(job.device, job.threads)
        self.count = min(engine.workers or usual, tasks)
        self.asked = engine.workers is not None
        self.relay: subprocess.Popen[bytes] | None = None
        command = resume_command(job.run)
        fewer = f"go on with fewer workers, as in: {command} --workers 1"
        advice = fewer if self.count > 1 else f"go on with: {command} --engine ray"
        self.losses = Losses("a Ray worker", advice, overview.callback)

    def _start(self) -> None:
        pairs = [Pipe() for _ in range(1 + self.count)]
        self.control, *pipes = [ours for ours, _ in pairs]
        self.workers = [RelayedWorker(pipe, self.job.run) for pipe in pipes]
        self.relay = start_relay([theirs for _, theirs in pairs])
        data, arrays = pack(self.job)
        order = RayOrder(self.address, self.need, os.getcwd(), data, arrays)
        self._keep(self._connected(order).room)

    def _connected(self, order: RayOrder) -> Connected:
        """Waits for Ray; UserError where it does not come."""
        where = f"--address {self.address}" if self.address else "--engine ray"
        deadline = time.monotonic() + CONNECT_SECONDS
        try:
            self.control.send(order)
            while not self.control.poll(LOOK_SECONDS):
                self.stop.check()
                if time.monotonic() >= deadline:
                    raise UserError(f"{where}: Ray does not answer within {CONNECT_SECONDS:.0f} seconds")
            answer: Connected | UserError = self.control.recv()
        except (EOFError, ConnectionError) as error:
            raise UserError(f"{where}: Ray ended while it started; is it of the same release everywhere?") from error
        if isinstance(answer, UserError):
            raise answer
        return answer

    def _keep(self, room: int | None) -> None:
        """Keeps as many workers as there is room for."""
        if room is None or room >= self.count:
            return
        for worker in self.workers[room:]:
            worker.kill()
        del self.workers[room:]
        if self.asked:
            self.overview.callback.say(f"the Ray at {self.address} has room for {room} of {self.count} workers")

    def _lose(self, task: TaskType | None, lost: Lost) -> None:
        self.losses.add(None if task is None else task.label, lost)
        if task is not None:
            self.waiting.insert(0, task)

    def _end(self) -> None:
        super()._end()
        if self.relay is None:
            return
        self.control.close()
        try:
            self.relay.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.relay.kill()
            self.relay.wait()


def start_relay(pipes: list[Connection]) -> subprocess.Popen[bytes]:
    """The process that Ray is in, in a session of its own, with what this one can import."""
    numbers = [pipe.fileno() for pipe in pipes]
    try:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=numbers,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    except OSError as error:
        raise UserError(f"--engine ray: no process can be started ({error})") from error
    finally:
        for pipe in pipes:
            pipe.close()


def address_here() -> str | None:
    """The address of a Ray that somebody has started in this process."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    address: str = ray.get_runtime_context().gcs_address
    return address
