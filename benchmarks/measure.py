"""A piece of work measured in a process of its own: fast and naive in turn, in seconds or in bytes."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import torch

from benchmarks.agree import Disagreement
from benchmarks.catalogue import WORKS, Work
from benchmarks.problems import SHORT, Scale
from cleave.engine.worker_start import end_with_parent, leave_to_parent
from cleave.signals import hearing

Numbers = dict[str, Any]
Build = Callable[[Scale], Callable[[], object]]

FORK = multiprocessing.get_context("fork")
"""A fork of a process that has imported everything and computed nothing is fresh, and there at once."""


class Failed(Exception):
    """A piece of work could not be measured; the message says why in one line."""


def measured(name: str, size: str, threads: int, repeats: int | None) -> Numbers:
    """Raises Failed where fast and naive do not find the same numbers."""
    work = WORKS[name]
    scale = SHORT[work.scale.space] if size == "short" else work.scale
    count = repeats or (2 if size == "short" else work.repeats)
    if work.sides:
        sides = {side: in_bytes(build, scale, threads, count) for side, build in work.sides.items()}
        ratios = {"bytes": ratio(sides, "bytes")}
    else:
        sides = in_a_process(partial(in_seconds, work, scale, count), threads, name)
        ratios = {unit: ratio(sides, unit) for unit in ("cpu", "wall")}
    about = {"name": name, "what": work.what.format(scale), "scale": str(scale), "threads": threads, "repeats": count}
    return {**about, **{side: spreads(numbers) for side, numbers in sides.items()}, "ratio": ratios}


def in_seconds(work: Work, scale: Scale, repeats: int) -> dict[str, dict[str, list[float]]]:
    """Per side its seconds, {"cpu": [...], "wall": [...]}, taken in turn after the check and a warm-up."""
    pair = work.pair(scale)
    pair.check()
    sides = {"fast": pair.fast, "naive": pair.naive}
    if not work.long:
        for run in sides.values():
            run()
    found: dict[str, dict[str, list[float]]] = {side: {"cpu": [], "wall": []} for side in sides}
    for _ in range(repeats):
        for side, run in sides.items():
            cpu, wall = timed(run)
            found[side]["cpu"].append(cpu)
            found[side]["wall"].append(wall)
    return found


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor (also of worker processes that have ended) and of the clock."""
    cpu, wall = processor(), time.perf_counter()
    run()
    return processor() - cpu, time.perf_counter() - wall


def processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def in_bytes(build: Build, scale: Scale, threads: int, repeats: int) -> dict[str, list[float]]:
    """The peak memory of a process that takes two weight steps, less that of one which has all but takes none."""
    found = []
    for _ in range(repeats):
        idle, busy = (in_a_process(partial(peak, build, scale, steps), threads, "memory") for steps in (0, 2))
        found.append(float(busy - idle))
    return {"bytes": found}


def peak(build: Build, scale: Scale, steps: int) -> int:
    """The most memory that this process has held, in bytes."""
    step = build(scale)
    for _ in range(steps):
        step()
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_a_process(work: Callable[[], Any], threads: int, name: str) -> Any:  # noqa: ANN401
    """What the work returns that is done in a new process with so many threads."""
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=answer, args=(work, threads, theirs))
    try:
        with interrupts_held():
            process.start()
        theirs.close()
        good, found = ours.recv()
    except EOFError as error:
        process.join()
        raise Failed(f"{name}: its process ended with exit status {process.exitcode}") from error
    finally:
        if process.pid is not None:  # else Ctrl-C came before it was started
            process.kill()  # on Ctrl-C it is still at work, or has not even begun to heed a gentler signal
            process.join()
    if not good:
        raise Failed(f"{name}: {found}")
    return found


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C is heard at the end of this: Python swallows what is raised in the middle of a fork."""
    heard: list[int] = []
    with hearing(lambda number, frame: heard.append(number)):
        yield
    if heard:
        raise KeyboardInterrupt


def answer(work: Callable[[], Any], threads: int, pipe: Connection) -> None:
    end_with_parent()
    leave_to_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    try:
        pipe.send((True, work()))
    except Disagreement as error:
        pipe.send((False, str(error)))


def spreads(numbers: dict[str, list[float]]) -> Numbers:
    return {
        unit: {"median": median(values), "low": min(values), "high": max(values)} for unit, values in numbers.items()
    }


def ratio(sides: dict[str, dict[str, list[float]]], unit: str) -> float:
    """Of the medians, fast by naive; the smaller the better."""
    return median(sides["fast"][unit]) / max(median(sides["naive"][unit]), sys.float_info.min)
