"""What an evolution has measured so far, in a file beside its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.evolve.shifted import Known, Shifted, ShiftedFolder, ShiftedState
from cleave.run.durable import write_json
from cleave.run.reading import Damaged, Shape, is_there, read_json

SECONDS = 20.0
"""At least this long between two saves."""


class EvolutionState(Shape):
    """An evolution under way, and by what."""

    by: str
    shift: float | None
    shift_steps: int
    scores: dict[str, float]
    sizes: list[int]
    history: list[float]
    past: list[str]


class PartFile(Shape):
    of: dict[str, Any]
    known: Known
    spent: dict[str, int]
    evolution: EvolutionState | None
    shifted: ShiftedState | None = None


class Part:
    """`known`: figures by the run's own weights. `spent`: images that went through networks, by what for.

    `evolution`: its state after the last generation. `shifted`: the weights that it goes by, where these are not the
    run's own; they are that of the same generation, or of the next one. All of it is replaced, never changed, but for
    figures that are added.

    The same question goes on from it. UserError where the file is of another one.
    """

    def __init__(self, file: Path, of: Mapping[str, Any]) -> None:
        self.file, self.of, self.saved_at = file, dict(of), time.monotonic()
        self.known: Known = {}
        self.spent: dict[str, int] = {}
        self.evolution: dict[str, Any] | None = None
        self.shifted: Shifted | None = None
        self.weights = ShiftedFolder(file.with_name(f"{file.name}.weights"))
        if is_there(file):
            found = read_json(file, PartFile)
            if found["of"] != self.of:
                raise UserError(f"{file}: is of another evolution, not finished; remove it or give another --out")
            self.known, self.spent, self.evolution = found["known"], found["spent"], found["evolution"]
            self.shifted = self._read_shifted(found.get("shifted"))

    def _read_shifted(self, state: Mapping[str, Any] | None) -> Shifted | None:
        try:
            return None if state is None else self.weights.read(state)
        except Damaged as error:
            raise UserError(f"{error}; remove {self.file} to begin anew, or give another --out") from error

    def count(self, purpose: str, amount: int) -> None:
        """Adds to what was spent."""
        self.spent[purpose] = self.spent.get(purpose, 0) + amount

    def give_up(self) -> None:
        """Goes back to what was measured by the run's own weights."""
        self.evolution = self.shifted = None

    def save(self) -> None:
        """Unless there is nothing yet."""
        if not self.known:
            return
        shifted = {} if self.shifted is None else {"shifted": self.weights.write(self.shifted)}
        what = {"of": self.of, "known": self.known, "spent": self.spent, "evolution": self.evolution}
        write_json(self.file, {**what, **shifted})
        self.weights.tidy()
        self.saved_at = time.monotonic()

    def save_sometimes(self) -> None:
        """Where that was not done for a while."""
        if time.monotonic() - self.saved_at >= SECONDS:
            self.save()

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self.weights.remove()
