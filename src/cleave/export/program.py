"""The program that `torch.export` makes of a network: torch alone runs it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from cleave.export.handed import Classifier, Handed

FILE = "model.pt2"
CLASSES = "classes.json"
"""Within the file: the names of the classes in order, as JSON."""


def write(handed: Handed, folder: Path) -> None:
    torch.export.save(handed.program, folder / FILE, extra_files={CLASSES: json.dumps(handed.classes)})


def opened(folder: Path) -> Classifier:
    return torch.export.load(folder / FILE).module()
