"""Between a search and Ray: a process that moves what is told from the one to the other, and looks into none of it.

Ray takes over the process that it is loaded into: its signals, limits and environment. So it is loaded into this one,
which is in a session of its own, as signals to a terminal's processes are for the search alone to hear. It ends, and
whatever it started, when the search closes its pipes or is no more.
"""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from cleave.engine.ray_resources import Need
from cleave.engine.ray_worker import RayWorker
from cleave.engine.told import Lost
from cleave.errors import UserError, brief

if TYPE_CHECKING:
    from cleave.engine.packing import Array

STOP = bytes(ForkingPickler.dumps(None))
"""A word of the search that is no task."""
LOOK_SECONDS = 0.05
"""How long what the search says may wait while nothing comes from Ray, and the other way round."""
ANSWER_SECONDS = 5.0
"""In which a port has to take a connection."""
PATIENCE = 15.0
"""Seconds without a worker after which it is said that one is waited for."""
OWN = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # as there, all that listens does so at 127.0.0.1
    "RAY_AUTH_MODE": "token",  # of this machine's users only the one who knows the token
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",  # workers share what there is, as processes do
}
"""Of the environment of a Ray that is started here."""
STORE = 100 * 2**20
"""Bytes of memory that Ray's object store has beside the images: a little more than it insists on."""


@dataclass(frozen=True)
class RayOrder:
    """What is wanted. `address`: of a Ray that runs, None for one of our own. `need`: what each worker takes of it."""

    address: str | None
    need: Need
    folder: str
    job: bytes
    arrays: list[Array]
    environment: dict[str, str] = field(default_factory=lambda: {"OMP_WAIT_POLICY": "passive"})


@dataclass(frozen=True)
class Connected:
    """How many workers Ray has room for; None: any number."""

    room: int | None


class Link:
    """A worker of Ray's and the pipe of the search that stands for it. `told` is what comes from it next, if anything.

    A worker that is lost is told as lost, and another one takes its place.
    """

    def __init__(self, pipe: Connection, order: RayOrder, objects: Sequence[Any]) -> None:
        self.pipe, self.order, self.objects = pipe, order, objects
        self._start()

    def _start(self) -> None:
        import ray

        kind = ray.remote(concurrency_groups={"asked": 1})(RayWorker)
        environment = {"env_vars": self.order.environment}
        self.actor = kind.options(**self.order.need.options, runtime_env=environment).remote()
        self.told = self.actor.open.remote(self.order.folder, *self.objects)
        self.began, self.ready = time.monotonic(), False

    def hear_search(self) -> None:
        """Passes on a task, or the word to stop; EOFError where the search has ended."""
        word = self.pipe.recv_bytes()
        if word != STOP:
            self.told = self.actor.perform.options(num_returns="streaming").remote(word)
        elif self.told is not None:
            self.actor.ask_to_stop.options(concurrency_group="asked").remote()

    def hear_worker(self) -> None:
        """Passes on what the worker tells."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            if isinstance(self.told, ray.ObjectRef):
                data, self.told, self.ready = ray.get(self.told), None, True
            else:
                data = ray.get(next(self.told))
        except StopIteration:
            self.told = None
            return
        except RayTaskError as error:  # a mistake of ours
            self.told, data = None, pickle.dumps(RuntimeError(str(error)))
        except RayError as error:
            data = pickle.dumps(Lost(brief(str(error), 300)))
            self._start()
        self.pipe.send_bytes(data)

    def tell_waiting(self) -> None:
        """Says once that there is no worker yet."""
        if not self.ready and time.monotonic() - self.began >= PATIENCE:
            self.ready = True
            self.pipe.send("Ray has not started a worker yet: it has no room at present; waiting for it")


def relay(links: Sequence[Link]) -> None:
    """Passes on all that is said, until the search has ended."""
    import ray

    while True:
        quiet = all(link.told is None for link in links)
        said = wait([link.pipe for link in links], LOOK_SECONDS if quiet else 0)
        for link in links:
            if link.pipe in said:
                link.hear_search()
        telling = {link.told: link for link in links if link.told is not None}
        if telling:
            done, _ = ray.wait(list(telling), num_returns=1, timeout=LOOK_SECONDS)
            for each in done:
                telling[each].hear_worker()
        links[0].tell_waiting()


@contextmanager
def connected(order: RayOrder) -> Iterator[None]:
    """Ray, until the end of the block; UserError where it cannot be had."""
    with their_ray(order.address) if order.address else own_ray(sum(array.nbytes for array in order.arrays)):
        yield


@contextmanager
def own_ray(images: int) -> Iterator[None]:
    """A Ray that nobody else reaches; `images`: the bytes that it is to hold."""
    os.environ.update(OWN, RAY_AUTH_TOKEN=token_hex(32))
    folder = tempfile.mkdtemp(prefix="cleave-ray-", dir="/tmp")  # paths of sockets have to be short
    try:
        with initialised(
            address="local", num_cpus=0, num_gpus=0, include_dashboard=False, _temp_dir=folder,
            object_store_memory=STORE + 2 * images,
        ) as context:  # fmt: skip
            if context.address_info["node_ip_address"] != "127.0.0.1":
                raise UserError("--engine ray: this release of Ray listens to other machines; use another release")
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def their_ray(address: str) -> Iterator[None]:
    """A Ray that is running already, and is left to run."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise UserError(f"--address {address}: nothing answers ({error}); start a Ray, or correct it") from error
    with initialised(address=address):
        yield


@contextmanager
def initialised(**settings: Any) -> Iterator[Any]:  # noqa: ANN401
    """Ray in this process; whatever it says against that is one line."""
    import ray
    from ray.exceptions import RayError

    try:
        context = ray.init(log_to_driver=False, configure_logging=False, **settings)
    except (RayError, RuntimeError, ValueError, OSError) as error:
        raise UserError(f"--engine ray: {brief(str(error), 300)}") from error
    try:
        yield context
    finally:
        ray.shutdown()


def room(order: RayOrder) -> int | None:
    """How many workers there is room for; UserError for none."""
    import ray

    fits = [order.need.fits(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    if None in fits:
        return None
    found = sum(count for count in fits if count is not None)
    if found == 0:
        raise UserError(
            f"--address {order.address}: none of its machines has {order.need.words} for a worker (threads, device, "
            "--resources)"
        )
    return found


def serve(control: Connection, pipes: Sequence[Connection]) -> None:
    """The life of this process."""
    order: RayOrder = control.recv()
    try:
        with connected(order):
            import ray  # not before its environment is set

            there = room(order)
            control.send(Connected(there))
            objects = [ray.put(order.job), *map(ray.put, order.arrays)]
            relay([Link(pipe, order, objects) for pipe in pipes[:there]])
    except UserError as error:
        control.send(error)


def main() -> None:
    """Begins; the arguments are the numbers of open files: the pipe for the order, then one for each worker."""
    control, *pipes = [Connection(int(number)) for number in sys.argv[1:]]
    with suppress(EOFError, ConnectionError):  # the search has ended
        serve(control, pipes)
