"""What is done to a process of cleave at a named point, or at some operation on a file of its run.

Planted in a command's process, or loaded there as a user's own file, so that worker processes have it too. The
mishap comes from the environment, `MISHAP`, as JSON: {"point": name, "hit": number} or {"operation": number}, with
{"does": key of `DOES`}, or, behind a step, with {"place": key of `PLACES`} of its trainer. `HITS` names a folder in
which every process that comes to a point adds one byte to its file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, reduce, wraps
from importlib import import_module
from math import nan
from pathlib import Path
from typing import Any

from torch import Tensor

MISHAP, HITS, INSIDE = "CLEAVE_TEST_MISHAP", "CLEAVE_TEST_HITS", "CLEAVE_TEST_INSIDE"
BEFORE, AFTER, HALF = "before", "after", "half"


@dataclass(frozen=True)
class Point:
    """Before or after a call of a function, or within it when half of what it writes is there.

    `about`: whether a call counts, by its first argument.
    """

    module: str
    function: str
    when: str
    about: Callable[[Any], bool] = lambda _: True


def is_manifest(path: Path) -> bool:
    return path.name == "manifest.json"


def is_searching(trainer: Any) -> bool:  # noqa: ANN401
    """In a leaf whose architecture weights learn."""
    return bool(trainer.schedule.searching) and any(each.numel() > 1 for each in trainer.method.parameters())


STEP_OF_SEARCH = "a step of a search"
POINTS = {
    "a step": Point("cleave.search.trainer", "NodeTrainer.advance", AFTER),
    STEP_OF_SEARCH: Point("cleave.search.trainer", "NodeTrainer.advance", AFTER, is_searching),
    "a checkpoint is to be written": Point("cleave.run.generations", "Generations.commit", BEFORE),
    "half a file is written": Point("cleave.run.durable", "_write_synced", HALF),
    "all but the manifest is written": Point("cleave.run.durable", "_write_synced", BEFORE, is_manifest),
    "a new name is not synced": Point("cleave.run.durable", "fsync_folder", BEFORE),
    "older checkpoints are still there": Point("cleave.run.generations", "Generations._prune", BEFORE),
    "a folder has lost its name and is there": Point("cleave.run.durable", "_remove", BEFORE, os.path.isdir),
    "an event is to be written": Point("cleave.run.events", "Events._add", BEFORE),
    "half an event is written": Point("cleave.run.events", "Events._add", HALF),
    "weights are to be put aside": Point("cleave.run.folder", "RunFiles.keep_leaf", BEFORE),
    "weights are put aside": Point("cleave.run.folder", "RunFiles.keep_leaf", AFTER),
    "a task is to be merged": Point("cleave.search.loop", "Search._merge", BEFORE),
    "the events of a task are merged": Point("cleave.run.events", "Events.append", AFTER),
    "folders of merged tasks are still there": Point("cleave.search.loop", "remove_tasks", BEFORE),
}
OPERATIONS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate")
"""Of Python's audit events, beside `open` for writing."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def plant() -> None:
    """Once in this process, whatever the environment asks for."""
    if os.environ.get("CLEAVE_TEST_PLANTED") == str(os.getpid()) or HITS not in os.environ:
        return
    os.environ["CLEAVE_TEST_PLANTED"] = str(os.getpid())
    mishap = json.loads(os.environ[MISHAP])
    for name in POINTS:
        hook(name, mishap if mishap.get("point") == name else {})
    if INSIDE in os.environ:
        sys.addaudithook(counting(Path(os.environ[INSIDE]).resolve(), mishap))


def killed() -> None:
    """As where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def all_killed() -> None:
    """All processes of the command, as where the power fails."""
    os.killpg(0, signal.SIGKILL)


def asked() -> None:
    """To stop, as by a machine that shuts down; when that was is noted."""
    Path(os.environ[HITS], "asked").touch()
    os.killpg(0, signal.SIGTERM)


def clock_set(seconds: float) -> None:
    """The clock jumps, and goes on from there; what is written meanwhile has such times too."""
    true, true_ns = time.time, time.time_ns
    time.time = lambda: true() + seconds
    time.time_ns = lambda: true_ns() + int(1e9 * seconds)
    for file in Path(os.environ[INSIDE]).rglob("*"):
        if file.is_file():
            os.utime(file, (max(0.0, true() + seconds),) * 2)


def slept(seconds: float) -> None:
    """The machine slept so long: all clocks are further."""
    true = time.monotonic
    time.monotonic = lambda: true() + seconds
    clock_set(seconds)


def stood_still() -> None:
    """The clock that only goes forwards does not go at all."""
    now = time.monotonic()
    time.monotonic = lambda: now


YEARS, HOUR = 10 * 365 * 86400.0, 3600.0
CLOCKS: dict[str, Callable[[], None]] = {
    "ten years back": partial(clock_set, -YEARS),
    "an hour back": partial(clock_set, -HOUR),
    "an hour further": partial(clock_set, HOUR),
    "ten years further": partial(clock_set, YEARS),
    "a day slept": partial(slept, 24 * HOUR),
    "stands still": stood_still,
}
DOES: dict[str, Callable[[], None]] = {"killed": killed, "all killed": all_killed, "asked": asked, **CLOCKS}


def spoilt(tensor: Tensor) -> None:
    """One of its numbers is NaN."""
    tensor.data.view(-1)[0] = nan


def batch_spoilt(stream: Any) -> None:  # noqa: ANN401
    """So is a pixel of all its batches from now on."""
    true = stream.batch

    def batch(number: int) -> tuple[Tensor, Tensor]:
        images, labels = true(number)
        images = images.clone()
        spoilt(images)
        return images, labels

    stream.batch = batch


def loss_spoilt(trainer: Any) -> None:  # noqa: ANN401
    """So are all its training losses from now on."""
    true = trainer.loss
    trainer.loss = lambda logits, labels: nan * true(logits, labels)


def gradient_spoilt(weight: Tensor) -> None:
    weight.register_hook(lambda gradient: nan * gradient)


def first(tensors: Iterable[Tensor]) -> Tensor:
    return next(iter(tensors))


def alphas(trainer: Any) -> list[Tensor]:  # noqa: ANN401
    return [each for each in trainer.method.parameters() if each.numel() > 1]


def moments(trainer: Any) -> Tensor:  # noqa: ANN401
    """What the optimiser of architecture weights knows of one of them."""
    return first(each["exp_avg"] for each in trainer.method.optimizer.state.values())


PLACES: dict[str, Callable[[Any], None]] = {
    "the first weight": lambda trainer: spoilt(first(trainer.network.parameters())),
    "the last weight": lambda trainer: spoilt(list(trainer.network.parameters())[-1]),
    "the momentum of the first weight": lambda trainer: spoilt(first(trainer.weights.momentum.values())),
    "the momentum of the last weight": lambda trainer: spoilt(list(trainer.weights.momentum.values())[-1]),
    "architecture weights": lambda trainer: spoilt(first(alphas(trainer))),
    "moments of architecture weights": lambda trainer: spoilt(moments(trainer)),
    "the sums of an epoch": lambda trainer: spoilt(trainer.sums),
    "a training image": lambda trainer: batch_spoilt(trainer.train),
    "a held-out image": lambda trainer: batch_spoilt(trainer.held),
    "an image by which gradients are compared": lambda trainer: batch_spoilt(trainer.probed),
    "a gradient": lambda trainer: gradient_spoilt(first(trainer.network.parameters())),
    "a loss": loss_spoilt,
}
"""Of a node's trainer, behind a step; those of architecture weights are there in a leaf."""


def hit(name: str) -> int:
    """How often this point was reached, this time included, by any process."""
    descriptor = os.open(Path(os.environ[HITS], name.replace(" ", "-")), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, b".")
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)


def hook(name: str, mishap: dict[str, Any]) -> None:
    """Counts a point's hits; at the one that is asked for the process is no more."""
    point = POINTS[name]
    *above, attribute = point.function.split(".")
    owner: Any = reduce(getattr, above, import_module(point.module))
    true: Callable[..., Any] = getattr(owner, attribute)

    @wraps(true)
    def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        if not point.about(arguments[0]):
            return true(*arguments, **named)
        found = true(*arguments, **named) if point.when == AFTER else None
        if hit(name) == mishap.get("hit"):
            if "place" in mishap:
                PLACES[mishap["place"]](arguments[0])
                return found
            if point.when == HALF:
                *others, data = arguments
                true(*others, data[: len(data) // 2], **named)
            DOES[mishap["does"]]()
        return found if point.when == AFTER else true(*arguments, **named)

    setattr(owner, attribute, call)


def counting(inside: Path, mishap: dict[str, Any]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that counts operations on files of a folder, and does at one of them what is asked for."""
    busy = False

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal busy
        if busy or not (event in OPERATIONS or (event == "open" and writes(arguments))):
            return
        busy = True
        if is_inside(arguments[0], inside) and hit("operation") == mishap.get("operation"):
            DOES[mishap["does"]]()
        busy = False

    return audit


def writes(arguments: tuple[Any, ...]) -> bool:
    return isinstance(arguments[2], int) and bool(arguments[2] & WRITES)


def is_inside(file: Any, folder: Path) -> bool:  # noqa: ANN401
    if isinstance(file, int):  # an open file, as ftruncate has it
        file = os.readlink(f"/proc/self/fd/{file}")
    return isinstance(file, str | os.PathLike) and Path(os.path.abspath(file)).is_relative_to(folder)


plant()
