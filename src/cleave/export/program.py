"""The program that `torch.export` makes of a network: torch alone runs it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch

from cleave.export.handed import Classifier, Handed

FILE = "model.pt2"
CLASSES = "classes.json"
"""Within the file: the names of the classes in order, as JSON."""


def write(handed: Handed, folder: Path) -> None:
    program = io.BytesIO()
    torch.export.save(handed.program, program, extra_files={CLASSES: json.dumps(handed.classes)})
    (folder / FILE).write_bytes(program.getvalue())


def opened(folder: Path) -> Classifier:
    return torch.export.load(folder / FILE).module()
