"""Tiny runs to evolve in, small questions, and a hand that stops them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cleave
from cleave.cli import run as command
from cleave.engine.progress import Callback, Progress
from tests.tiny import HERE, RSPS, SIZES, sets

SHARED = {key: value for key, value in SIZES.items() if not key.startswith("space.")}
QUICK = {**SHARED, **RSPS, "split.splits": 1, "trust.control": 0, "trust.panel": 0}
RAGGED: dict[str, Any] = {"space.name": "raggedelastic", "space.channels": 2, "split.choice": "kernel0"}
OFA: dict[str, Any] = {"space.name": "mobilenet-ofa", "space.width": 0.1, "space.kernels": "[3, 5]"}
OFA |= {"space.expansions": "[3, 6]", "space.depths": "[1, 2]"}
NB201 = {key: value for key, value in SIZES.items() if key.startswith("space.")}
FEW: dict[str, Any] = {"population": 8, "generations": 3, "check": 5, "threads": 1}
KINDS: dict[str, dict[str, Any]] = {
    "ragged": {**QUICK, **RAGGED},
    "nasbench201": {**QUICK, **NB201},
    "ofa": {**QUICK, **OFA},
}


def searched(images: Path, out: Path, changes: dict[str, Any]) -> Path:
    """The folder of a finished run."""
    assert command(["search", "--data", str(images), "--out", str(out), *HERE, *sets(changes)]) == 0
    return out


def plain(told: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from one call to the next."""
    return {key: value for key, value in told.items() if key not in ("seconds", "file", "next")}


class Interrupter(Callback):
    """Asks to stop at a moment."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def see(self, progress: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise cleave.Interrupted
