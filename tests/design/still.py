"""Designs whose clock stands still and whose steps take as long as is said: the same decisions on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cleave.design import decide, latency, ours, scales, trainings
from cleave.export.runner import ExportRequest
from cleave.run.folder import RunFolder
from cleave.search import opponents
from cleave.space.ofa import MobileNetOfa
from tests.fresh import fresh

TIME = 100.0
SMALL: dict[str, Any] = {"width": 0.25, "threads": 1, "time": TIME}
PHASES = [
    {"name": "search", "epochs": 1, "seconds": 1.5, "seconds_per_step": 0.1},
    {"name": "evaluate", "epochs": 0, "seconds": 1.0, "seconds_per_step": 1.0},
    {"name": "calibrate", "epochs": 0, "seconds": 0.0, "seconds_per_step": 0.5},
]
"""Of the plan of any search here."""


def write_folder(folder: Path, parts: Mapping[str, int], classes: int = 2, side: int = 8) -> Path:
    """Random images in parts, so many of each class."""
    random = fresh()
    for part, each in parts.items():
        for label in range(classes):
            for number in range(each):
                path = folder / part / f"class{label}" / f"{number:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
    return folder


def stand_still(patch: pytest.MonkeyPatch) -> None:
    """An epoch of anything takes 2 seconds, judging an image none, and no time goes by; others are two small ones."""
    patch.setattr(opponents, "USUAL", ("test_resnet",))
    patch.setattr(trainings, "timed_steps", lambda work, candidate: {"epoch": 2.0, "image": 0.0})
    patch.setattr(latency, "timed_whole", lambda work, candidate: float(len(candidate.network)))
    patch.setattr(scales, "planned", lambda problem, notes: {"phases": PHASES})
    patch.setattr(scales, "SAMPLES", 2)
    patch.setattr(MobileNetOfa, "statistics", "batch")
    patch.setattr(ours, "evolution_plan", lambda seconds, each: {"population": 4, "generations": 1, "check": 5})
    patch.setattr(decide, "ExportRequest", partial(ExportRequest, formats=["plain"]))
    patch.setattr(RunFolder, "seconds", property(lambda folder: 0.0))
