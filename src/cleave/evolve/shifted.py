"""Weights that an evolution has shifted, and what was measured by them; the weights lie in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from cleave.run.durable import clear_unfinished, remove_folder, saving
from cleave.run.generations import Record, paths_in, read_record, write_record
from cleave.run.reading import Shape, is_there

Known = dict[str, dict[str, float]]
"""Figures of architectures, by what was measured."""


@dataclass(frozen=True)
class Shifted:
    """A supernet's weights by name after `number` shifts, and the figures that architectures have by them."""

    number: int
    weights: Mapping[str, Tensor]
    known: Known = field(default_factory=dict)


class ShiftedState(Shape):
    """The same in JSON. `weights`: the SHA-256 by which the folder's are verified."""

    number: int
    weights: str
    known: Known


class ShiftedFolder:
    """Where the weights are kept, in a record for each number of shifts: the last one, once `tidy` is called.

    So a kill at any point leaves those that were referred to before.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.number, self.identity = path, 0, ""

    def write(self, shifted: Shifted) -> dict[str, Any]:
        """Keeps the weights, unless that was done; what refers to them is a `ShiftedState`."""
        if shifted.number != self.number:
            with saving(self.path):
                self.path.mkdir(exist_ok=True)
            self.identity = write_record(self._record(shifted.number), Record(dict(shifted.weights), {}, {}))
            self.number = shifted.number
        return {"number": self.number, "weights": self.identity, "known": shifted.known}

    def read(self, state: Mapping[str, Any]) -> Shifted:
        """What a `ShiftedState` refers to; Damaged where it is not what was kept."""
        self.number, self.identity = state["number"], state["weights"]
        return Shifted(self.number, read_record(self._record(self.number), self.identity).weights, state["known"])

    def tidy(self) -> None:
        """Removes all weights but those that were kept last."""
        with saving(self.path):
            clear_unfinished(self.path)
            for record in paths_in(self.path):
                if record != self._record(self.number):
                    remove_folder(record)

    def remove(self) -> None:
        if is_there(self.path):
            with saving(self.path):
                remove_folder(self.path)

    def _record(self, number: int) -> Path:
        return self.path / str(number)
