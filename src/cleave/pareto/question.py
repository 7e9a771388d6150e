"""What is asked of a front."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.errors import UserError, unknown
from cleave.settings import COST_OF


@dataclass(frozen=True)
class FrontQuestion:
    """cost: "macs", "params" or "latency". points: limits that each leaf's architectures are derived under, evenly
    spaced by their ratio. out: None for front.json in the run folder. data_root, device: None for the run's own.
    threads: of the CPU.
    """

    cost: str = "macs"
    points: int = 10
    out: Path | None = None
    data_root: Path | None = None
    device: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.cost not in COST_OF:
            raise unknown("--cost", self.cost, tuple(COST_OF))
        if self.points < 2:
            raise UserError(f"--points={self.points}: a front needs two limits or more")

    @property
    def flags(self) -> dict[str, Any]:
        """The recipe's keys that it changes."""
        root = None if self.data_root is None else str(self.data_root)
        return {"data.root": root, "device": self.device, "threads": self.threads}
