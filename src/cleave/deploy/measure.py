"""Measuring a latency table: rounds over all blocks and some networks, kept after each round."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.benchmark import Timer

from cleave.deploy.correction import accuracy, corrected
from cleave.deploy.runtimes import PACKAGES, RUNTIMES, Call, check_runtime, program_of
from cleave.deploy.subjects import CALL, deployed, drawn, key_of, subjects, units_of
from cleave.deploy.table import Binding, LatencyTable, installed, sizes
from cleave.engine.environment import surroundings
from cleave.engine.progress import Callback, Progress
from cleave.errors import Interrupted, UserError
from cleave.net.cost import costs
from cleave.net.sized import Sized
from cleave.net.units import Unit
from cleave.run.durable import write_json
from cleave.run.reading import Shape, is_there, read_json
from cleave.space import Arch

ROUNDS = 5
NETWORKS = 20
WARM_UP = 3
"""Calls before the first time is taken."""
SECONDS = 0.05
"""For which one thing is called again and again in a round, once at least."""
SETTINGS = (
    "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY",
    "KMP_BLOCKTIME", "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA",
)  # fmt: skip
"""Variables that figures may hang on; null where one is not set."""
Clock = Callable[[str, Call, int], float]
"""(key, call, threads) -> milliseconds of a call."""


@dataclass(frozen=True)
class MeasureRequest:
    """Which networks are measured, and how."""

    asked: Sized
    device: str = "cpu"
    runtime: str = "torch"
    threads: int = 1
    batch: int = 1

    @property
    def binding(self) -> Binding:
        """What the table is of."""
        asked, device = self.asked, surroundings(self.device, self.threads)
        return Binding(
            device=device["device"] if self.device.startswith("cuda") else device["cpu"],
            runtime=self.runtime,
            threads=self.threads,
            batch=self.batch,
            space=asked.space.name,
            size=sizes(asked.size),
            resolution=asked.image[-1],
            channels=asked.image[0],
            classes=asked.classes,
            versions={package: installed(package) for package in PACKAGES[self.runtime]},
        )


def timed(key: str, call: Call, threads: int) -> float:
    """The median of blocks of calls, by torch.utils.benchmark."""
    timer = Timer("call()", globals={"call": call}, num_threads=threads)
    return 1000 * float(timer.blocked_autorange(min_run_time=SECONDS).median)


def measure(request: MeasureRequest, out: Path, callback: Callback, clock: Clock = timed) -> dict[str, Any]:
    """Measures the blocks of a space on a device and writes the table; returns its content.

    An interrupted measurement goes on where it was with the same call: what it has is in a file beside `out`. UserError
    where `out` is there already, or that file is of another measurement.
    """
    check_runtime(request.runtime, request.device)
    check_free(out)
    rounds = Rounds(out.with_name(f"{out.name}.part"), request.binding)
    archs = drawn(request.asked, NETWORKS)
    with callback.stop:
        rounds.take(prepared(request, archs, callback), request.threads, callback, clock)
    table = concluded(request, archs, rounds.repeats)
    check_free(out)
    write_json(out, table)
    rounds.file.unlink(missing_ok=True)
    return table


def check_free(out: Path) -> None:
    if is_there(out):
        raise UserError(f"{out}: is there already, and is not overwritten; remove it or give --out another name")
    if not is_there(out.parent):
        raise UserError(f"{out.parent}: is not there; make that folder, or give --out another name")


def prepared(request: MeasureRequest, archs: Mapping[str, Arch], callback: Callback) -> dict[str, Call]:
    """What is timed, ready to be called, by key."""
    calls: dict[str, Call] = {}
    for subject in subjects(request.asked, archs, request.batch):
        callback.stop.check()
        x = subject.input(request.device)
        program = program_of(subject.module.to(request.device), x)
        calls[subject.key] = RUNTIMES[request.runtime](program, x, request.threads)
        callback.see(Progress(len(calls), len(calls) + 1, "", f"prepare {len(calls)}", kind="prepare"))
    return calls


class Part(Shape):
    """A measurement under way."""

    of: Binding
    repeats: dict[str, list[float]]


class Rounds:
    """The times of each thing (milliseconds, one a round), kept in a file."""

    def __init__(self, file: Path, of: Binding) -> None:
        self.file, self.of = file, of
        self.repeats: dict[str, list[float]] = {}
        if is_there(file):
            found = Part.model_validate(read_json(file, Part))
            if found.of != of:
                raise UserError(
                    f"{file}: is of another measurement that was interrupted; remove it or give --out another name"
                )
            self.repeats = found.repeats

    def take(self, calls: Mapping[str, Call], threads: int, callback: Callback, clock: Clock) -> None:
        """Takes the rounds that are missing: what disturbs the machine for a while is then in one time of each."""
        for call in calls.values():
            for _ in range(WARM_UP):
                call()
        try:
            for number in range(ROUNDS):
                self._take_one(number, calls, threads, callback, clock)
                self.save()
        except (Interrupted, KeyboardInterrupt) as error:
            self.save()
            raise Interrupted(f"interrupted; the same command goes on from {self.file}") from error

    def _take_one(self, number: int, calls: Mapping[str, Call], threads: int, callback: Callback, clock: Clock) -> None:
        for place, (key, call) in enumerate(calls.items()):
            callback.stop.check()
            taken = self.repeats.setdefault(key, [])
            if len(taken) <= number:
                taken.append(clock(key, call, threads))
            done = number * len(calls) + place + 1
            callback.see(Progress(done, ROUNDS * len(calls), "", f"round {number + 1} of {ROUNDS}", kind="measure"))

    def save(self) -> None:
        write_json(self.file, {"of": self.of.model_dump(), "repeats": self.repeats})


def concluded(
    request: MeasureRequest, archs: Mapping[str, Arch], repeats: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """The table with how far its sums are from whole networks, and what makes up for that."""
    asked, layout = request.asked, request.asked.layout
    call = median(repeats[CALL])
    rows = {unit: max(0.0, median(repeats[key_of(unit)]) - call) for unit in units_of(asked)}
    plain = LatencyTable("the table", request.binding, dict(rows), call)
    known = costs(asked.space, asked.size, asked.image, asked.classes, latency=plain)
    sums = [known.of(deployed(layout, arch)).milliseconds for arch in archs.values()]
    measured = [median(repeats[text]) for text in archs]
    correction, error = corrected(sums, measured)
    return {
        "of": request.binding.model_dump(),
        "environment": environment(request),
        "rounds": ROUNDS,
        "call": {"milliseconds": call, **spread(repeats[CALL])},
        "units": [unit_row(unit, milliseconds, repeats[key_of(unit)]) for unit, milliseconds in rows.items()],
        "networks": [
            {
                "arch": text,
                "milliseconds": time,
                **spread(repeats[text]),
                "sum": total,
                "predicted": correction.of(total),
            }
            for text, time, total in zip(archs, measured, sums, strict=True)
        ],
        "sum": asdict(accuracy(sums, measured)),
        "correction": correction.model_dump(),
        "corrected": asdict(error),
    }


def unit_row(unit: Unit, milliseconds: float, repeats: Sequence[float]) -> dict[str, Any]:
    return {**unit._asdict(), "milliseconds": milliseconds, **spread(repeats)}


def spread(repeats: Sequence[float]) -> dict[str, float]:
    """Between the quartiles of the rounds."""
    low, high = np.percentile(repeats, (25, 75))
    return {"spread": float(high - low)}


def environment(request: MeasureRequest) -> dict[str, Any]:
    """Versions, hardware, and what else figures may hang on."""
    pinned = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        **surroundings(request.device, request.threads),
        **request.binding.versions,
        "interop_threads": torch.get_num_interop_threads(),
        "settings": {name: os.environ.get(name) for name in SETTINGS},
        "cpus": pinned,
        "load": os.getloadavg()[0],
    }
