"""What an evolution has measured so far, in a file beside its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.run.durable import write_json
from cleave.run.reading import Shape, is_there, read_json

SECONDS = 20.0
"""At least this long between two saves."""


class EvolutionState(Shape):
    """An evolution under way, and by which evaluator."""

    by: str
    scores: dict[str, float]
    sizes: list[int]


class PartFile(Shape):
    of: dict[str, Any]
    known: dict[str, dict[str, float]]
    spent: dict[str, int]
    evolution: EvolutionState | None


class Part:
    """`known`: figures of architectures, by what was measured. `spent`: images that went through networks, by what for.

    The same question goes on from it. UserError where the file is of another one.
    """

    def __init__(self, file: Path, of: Mapping[str, Any]) -> None:
        self.file, self.of, self.saved_at = file, dict(of), time.monotonic()
        self.known: dict[str, dict[str, float]] = {}
        self.spent: dict[str, int] = {}
        self.evolution: dict[str, Any] | None = None
        if is_there(file):
            found = read_json(file, PartFile)
            if found["of"] != self.of:
                raise UserError(f"{file}: is of another evolution, not finished; remove it or give another --out")
            self.known, self.spent, self.evolution = found["known"], found["spent"], found["evolution"]

    def save(self) -> None:
        """Unless there is nothing yet."""
        if not self.known:
            return
        what = {"of": self.of, "known": self.known, "spent": self.spent, "evolution": self.evolution}
        write_json(self.file, what)
        self.saved_at = time.monotonic()

    def save_sometimes(self) -> None:
        """Where that was not done for a while."""
        if time.monotonic() - self.saved_at >= SECONDS:
            self.save()

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
