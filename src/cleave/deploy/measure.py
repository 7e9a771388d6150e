"""Measuring a latency table: rounds over all blocks and some networks, kept after each round."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from cleave.deploy.correction import accuracy, corrected
from cleave.deploy.runtimes import PACKAGES, RUNTIMES, Call, check_runtime
from cleave.deploy.subjects import CALL, deployed, drawn, key_of, subjects, units_of
from cleave.deploy.table import Binding, LatencyTable, installed, sizes
from cleave.engine.environment import surroundings
from cleave.engine.progress import Callback, Progress
from cleave.errors import Interrupted, UserError
from cleave.files import check_free
from cleave.net.cost import costs
from cleave.net.sized import Sized
from cleave.run.durable import write_json
from cleave.run.reading import Shape, is_there, read_json
from cleave.space import Arch
from cleave.streams import quiet

ROUNDS = 11
NETWORKS = 20
WARM_UP = 3
"""Calls before the first time is taken."""
SECONDS = 0.02
"""For which one thing is called again and again in a round, once at least."""
SETTINGS = (
    "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY",
    "KMP_BLOCKTIME", "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA",
)  # fmt: skip
"""Variables that figures may hang on; null where one is not set."""
Clock = Callable[[str, Call, int], float]
"""(key, call, threads) -> milliseconds of a call."""


@dataclass(frozen=True)
class Time:
    """The median of the rounds, and what lies between their quartiles."""

    milliseconds: float
    spread: float


@dataclass(frozen=True)
class MeasureRequest:
    """Which networks are measured, and how. `rounds`: how often each block is."""

    asked: Sized
    device: str = "cpu"
    runtime: str = "torch"
    threads: int = 1
    batch: int = 1
    rounds: int = ROUNDS

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
    """The fastest of several calls, or of several blocks of short ones: in the others something else ran meanwhile."""
    with quiet():  # it warns when it is loaded where there is CUDA's compiler but no GPU
        from torch.utils.benchmark import Timer

    timer = Timer("call()", globals={"call": call}, num_threads=threads)
    return 1000 * float(min(timer.blocked_autorange(min_run_time=SECONDS).times))


def measure(request: MeasureRequest, out: Path, callback: Callback, clock: Clock = timed) -> dict[str, Any]:
    """Measures the blocks of a space on a device and writes the table; returns its content.

    An interrupted measurement goes on where it was with the same call: what it has is in a file beside `out`. UserError
    where `out` is there already, or that file is of another measurement.
    """
    check_runtime(request.runtime, request.device)
    check_free(out)
    rounds = Rounds(out.with_name(f"{out.name}.part"), request.binding, request.rounds)
    archs = drawn(request.asked, NETWORKS)
    callback.say("preparing the blocks and networks")
    calls = prepared(request, archs)
    with callback.stop:
        rounds.take(calls, lambda key: clock(key, calls[key], request.threads), callback)
    table = concluded(request, archs, rounds.times())
    check_free(out)
    write_json(out, table)
    rounds.file.unlink(missing_ok=True)
    return table


def prepared(request: MeasureRequest, archs: Mapping[str, Arch]) -> dict[str, Call]:
    """What is timed, ready to be called, by key."""
    listed = list(subjects(request.asked, archs, request.batch))
    cases = [(each.module.to(request.device), each.input(request.device)) for each in listed]
    calls = RUNTIMES[request.runtime](cases, request.threads)
    for call in calls:
        for _ in range(WARM_UP):
            call()
    return {each.key: call for each, call in zip(listed, calls, strict=True)}


class Part(Shape):
    """A measurement under way."""

    of: Binding
    repeats: dict[str, list[list[float]]]


class Rounds:
    """The times of each thing, kept in a file: [its own, that of the reference around it] in milliseconds, by round.

    On a machine that is shared all things take longer for a while. So each is told in times of the reference.
    """

    def __init__(self, file: Path, of: Binding, count: int = ROUNDS) -> None:
        self.file, self.of, self.count = file, of, count
        self.repeats: dict[str, list[list[float]]] = {}
        if is_there(file):
            found = Part.model_validate(read_json(file, Part))
            if found.of != of:
                raise UserError(
                    f"{file}: is of another measurement that was interrupted; remove it or give --out another name"
                )
            self.repeats = found.repeats

    def take(self, calls: Mapping[str, Call], time: Callable[[str], float], callback: Callback) -> None:
        """Takes the rounds that are missing: what disturbs the machine for a while is then in one time of each."""
        try:
            for number in range(self.count):
                self._take_one(number, list(calls), time, callback)
                self.save()
        except (Interrupted, KeyboardInterrupt) as error:
            self.save()
            raise Interrupted(f"interrupted; the same command goes on from {self.file}") from error

    def _take_one(self, number: int, keys: Sequence[str], time: Callable[[str], float], callback: Callback) -> None:
        """The last key is the reference."""
        missing = [key for key in keys if len(self.repeats.setdefault(key, [])) <= number]
        before = time(keys[-1]) if missing else 0.0
        for key in missing:
            callback.stop.check()
            own, after = time(key), time(keys[-1])
            self.repeats[key].append([own, (before + after) / 2])
            before = after
            done = number * len(keys) + keys.index(key) + 1
            doing = f"round {number + 1} of {self.count}"
            callback.see(Progress(done, self.count * len(keys), "", doing, kind="measure"))

    def save(self) -> None:
        write_json(self.file, {"of": self.of.model_dump(), "repeats": self.repeats})

    def times(self) -> dict[str, Time]:
        """Of each thing, where the reference takes its median time."""
        pace = median(reference for each in self.repeats.values() for _, reference in each)
        found = {}
        for key, repeats in self.repeats.items():
            low, middle, high = np.percentile([pace * own / reference for own, reference in repeats], (25, 50, 75))
            found[key] = Time(float(middle), float(high - low))
        return found


def concluded(request: MeasureRequest, archs: Mapping[str, Arch], times: Mapping[str, Time]) -> dict[str, Any]:
    """The table with how far its sums are from whole networks, and what makes up for that."""
    asked, layout, call = request.asked, request.asked.layout, times[CALL]
    units = {unit: times[key_of(unit)] for unit in units_of(asked)}
    rows: dict[Hashable, float] = {
        unit: max(0.0, time.milliseconds - call.milliseconds) for unit, time in units.items()
    }
    plain = LatencyTable("the table", request.binding, rows, call.milliseconds)
    known = costs(asked.space, asked.size, asked.image, asked.classes, latency=plain)
    sums = [known.of(deployed(layout, arch)).milliseconds for arch in archs.values()]
    measured = [times[text].milliseconds for text in archs]
    correction, error = corrected(sums, measured)
    return {
        "of": request.binding.model_dump(),
        "environment": environment(request),
        "rounds": request.rounds,
        "call": asdict(call),
        "units": [
            {**unit._asdict(), "milliseconds": rows[unit], "spread": time.spread} for unit, time in units.items()
        ],
        "networks": [
            {"arch": text, **asdict(times[text]), "sum": total, "predicted": correction.of(total)}
            for text, total in zip(archs, sums, strict=True)
        ],
        "sum": asdict(accuracy(sums, measured)),
        "correction": correction.model_dump(),
        "corrected": asdict(error),
    }


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
