"""What kind of executor a run has. It changes no result, so that it is no key of a recipe."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from cleave.engine.ray_resources import ResourcesLike, read_resources
from cleave.engine.slurm_options import SlurmLike, Value, check_time, read_options, words_of
from cleave.errors import UserError, brief, unknown
from cleave.extras import need_extra

PROCESS, RAY, SLURM = "process", "ray", "slurm"
ENGINES = (PROCESS, RAY, SLURM)
SAFE = (2, 55)
"""The first release of Ray that is used: those up to 2.53 have known holes (CVE-2026-27482, CVE-2026-32981)."""
INSTALL = "pip install 'cleave-nas[ray]'"


@dataclass(frozen=True)
class Engine:
    """`workers`: None for as many as there is room for. `address`: HOST:PORT of a Ray that runs, None for one's own.

    `slurm`: what each job asks of SLURM. `resources`: what each worker takes of a Ray that runs. UserError for a name
    that is none of `ENGINES`, for what another engine takes, and for Ray and SLURM where they cannot be used.
    """

    workers: int | None = 1
    name: str = PROCESS
    address: str | None = None
    slurm: Mapping[str, Value] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise unknown("--engine", self.name, ENGINES)
        for words, owner in self._of_one_engine.items():
            if words and owner != self.name:
                raise UserError(f"{brief(words)}: is for another engine; give --engine {owner} too")
        if self.name == RAY:
            check_installed()
        if self.name == SLURM:
            need_extra("slurm", "--engine slurm")
            check_time(self.slurm)
        if self.address is not None and re.fullmatch(r"[^\s/:]+:\d{1,5}", self.address) is None:
            raise UserError(f"--address {brief(self.address)}: write HOST:PORT, as `ray start` names it")

    @property
    def _of_one_engine(self) -> dict[str, str]:
        """What was given that only one engine takes, as on the command line."""
        resources = " ".join(f"--resources {name}={amount:g}" for name, amount in self.resources.items())
        address = "" if self.address is None else f"--address {self.address}"
        return {address: RAY, resources: RAY, " ".join(words_of(self.slurm)): SLURM}

    @property
    def here(self) -> bool:
        """Whether all is done in this process, so that nothing has to be sent to another."""
        return self.name == PROCESS and self.workers == 1


def engine_of(
    workers: int | None, name: str, address: str | None, slurm: SlurmLike | None, resources: ResourcesLike | None
) -> Engine:
    """The engine that was asked for, on the command line or in Python; UserError for what cannot be."""
    return Engine(workers, name, address, read_options(slurm), read_resources(resources))


ONE = Engine()
"""This process alone."""


def check_installed() -> None:
    """UserError where Ray is not installed, or is a release with known holes."""
    try:
        found = version("ray")
    except PackageNotFoundError as error:
        raise UserError(f"--engine ray: Ray is not installed: {INSTALL}") from error
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < SAFE:
        raise UserError(f"--engine ray: Ray {found} has known holes; get another release: {INSTALL}")


def usual_workers(device: str, threads: int) -> int:
    """As many workers as the CPU cores that this process may use can serve; one on a GPU, which they would share."""
    if device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
