"""A latency table: how long the blocks of a space run on a device, and what it may be used for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cleave.deploy.correction import Correction
from cleave.deploy.pixel import pixel_key, pixel_rows
from cleave.engine.environment import cpu_name
from cleave.errors import UserError
from cleave.net.sized import Sized
from cleave.net.units import Unit
from cleave.run.reading import Shape, read_json, shaped

FOREIGN = "foreign:"
"""Before the name of a table of another device that is asked for all the same."""
NOT_SIZES = ("name", "ops")
"""What of a space's settings says nothing about the size of its networks."""


class Binding(Shape):
    """What a table is of. Milliseconds are those of a whole batch; `versions` are of what the runtime hangs on."""

    device: str
    runtime: str
    threads: int
    batch: int
    space: str
    size: dict[str, Any]
    resolution: int
    channels: int
    classes: int
    versions: dict[str, str]


class Timed(Shape):
    milliseconds: float


class UnitShape(Timed):
    name: str
    input: list[int]
    output: list[int]
    parameters: int
    multiply_adds: int

    @property
    def unit(self) -> Unit:
        return Unit(self.name, tuple(self.input), tuple(self.output), self.parameters, self.multiply_adds)


class TableShape(Shape):
    """What of a file of `cleave measure` is looked up. `call`: a program that does nothing."""

    of: Binding
    call: Timed
    units: list[UnitShape]
    correction: Correction


def itself(unit: Unit) -> Hashable:
    return unit


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of units on a device (`cleave.net.units.Latency`).

    `rows` by what `key` makes of a unit. `call`: of a program that does nothing, which rows are without.
    """

    file: str
    binding: Binding
    rows: Mapping[Hashable, float]
    call: float = 0.0
    correction: Correction = field(default_factory=Correction)
    key: Callable[[Unit], Hashable] = itself

    @property
    def base(self) -> float:
        return self.correction.of(self.call)

    def of(self, unit: Unit) -> float:
        found = self.rows.get(self.key(unit))
        if found is None:
            raise UserError(f"{self.file}: has no time of {unit}; measure the whole space again with cleave measure")
        return self.correction.slope * found

    def check_here(self) -> None:
        """UserError unless this machine has the device, and the packages are those with which it was measured."""
        devices = [cpu_name(), *(torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count()))]
        wanted, allow = self.binding, f"measure here with cleave measure, or allow it by {FOREIGN}{self.file}"
        if wanted.device not in devices:
            raise UserError(f"{self.file}: is of {wanted.device}, and here is {', '.join(devices)}; {allow}")
        for package, given in wanted.versions.items():
            if (here := installed(package)) != given:
                raise UserError(f"{self.file}: was measured with {package} {given}, and here is {here}; {allow}")

    def check_for(self, asked: Sized) -> None:
        """UserError unless it is of these networks."""
        for what, ours, theirs in differences(self.binding, asked):
            raise UserError(
                f"{self.file}: is of {what} {theirs}, and {ours} is asked for; measure that: {command_for(asked)}"
            )


def installed(package: str) -> str:
    """The version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def sizes(size: Any) -> dict[str, Any]:  # noqa: ANN401  a space's own
    """What a size says, by key."""
    return {key: value for key, value in vars(size).items() if key not in NOT_SIZES}


def differences(binding: Binding, asked: Sized) -> Iterator[tuple[str, Any, Any]]:
    """(what, as asked, as in the table) of all that is not the same. A key of a size counts if it changes networks."""
    if binding.space != asked.space.name:
        yield "space", asked.space.name, binding.space
        return
    ours = sizes(asked.size)
    odd = [key for key in ours if binding.size.get(key) != ours[key]]
    if odd and not of_equal_layouts(binding.size, asked):
        yield from ((f"space.{key}", ours[key], binding.size.get(key)) for key in odd)
    channels, side = asked.image[0], asked.image[-1]
    yield from (
        (what, one, other)
        for what, one, other in (
            ("resolution", side, binding.resolution),
            ("image_channels", channels, binding.channels),
            ("classes", asked.classes, binding.classes),
        )
        if one != other
    )


def of_equal_layouts(size: Mapping[str, Any], asked: Sized) -> bool:
    """Whether networks of a size that is given by key look like those asked for."""
    if size.keys() != sizes(asked.size).keys():
        return False
    other = type(asked.size)(**{**vars(asked.size), **size})
    return asked.space.layout(other, asked.image[0]).blocks == asked.layout.blocks


def command_for(asked: Sized) -> str:
    """What measures these networks."""
    usual, space = sizes(asked.space.paper_size), asked.space
    changes = {f"space.{key}": value for key, value in sizes(asked.size).items() if value != usual.get(key)}
    changes |= {"image_channels": asked.image[0]} if asked.image[0] != 3 else {}
    changes |= {"classes": asked.classes} if asked.classes != space.paper_classes else {}
    words = " ".join(f"--set {key}={value}" for key, value in changes.items())
    return f"cleave measure {space.name} --resolution {asked.image[-1]} {words} --out FILE".replace("  ", " ")


def read_table(file: Path) -> LatencyTable:
    """A table of `cleave measure`, or the published one of a Pixel 1; UserError where it is neither, or not whole."""
    told = read_json(file)
    if "columns" in told:
        rows, binding = pixel_rows(file, told)
        return LatencyTable(str(file), Binding.model_validate(binding), rows, key=pixel_key)
    if "units" not in told:
        unfinished = "is a measurement that was interrupted; the same cleave measure as before goes on with it"
        raise UserError(f"{file}: {unfinished if 'repeats' in told else 'is no latency table; see cleave measure'}")
    table = TableShape.model_validate(shaped(file, TableShape, told))
    rows = {row.unit: row.milliseconds for row in table.units}
    return LatencyTable(str(file), table.of, rows, table.call.milliseconds, table.correction)


def open_table(asked: str, here: bool = True) -> LatencyTable:
    """The table of a name that may begin with `FOREIGN`; without that, and unless `here` is false, one of this machine.

    UserError for any other.
    """
    table = read_table(Path(asked.removeprefix(FOREIGN)))
    if here and not asked.startswith(FOREIGN):
        table.check_here()
    return table
