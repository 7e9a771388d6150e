"""Runs that are quick to rank: 729 architectures, or 64 without none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cleave.cli import run
from tests.tiny import RSPS, Ended, search

QUICK = {**RSPS, "split.splits": 1, "trust.control": 0, "trust.panel": 0}
SMALL = {**QUICK, "space.ops": "[skip_connect, nor_conv_1x1]"}
Capture = pytest.CaptureFixture[str]


def answer(arguments: list[str], capsys: Capture) -> dict[str, Any]:
    """The one JSON object on stdout of a command that must succeed."""
    ended = Ended(arguments, capsys)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert isinstance(told, dict)
    return told


def ranking(run: Path, table: Path, *flags: str) -> list[str]:
    """The arguments of a ranking."""
    return ["rank", str(run), "--benchmark", str(table), "--json", *flags]


def searched(images: Path, out: Path, changes: dict[str, Any]) -> Path:
    """The folder of a finished run."""
    assert run(search(images, out, changes)) == 0
    return out


def rows(file: str) -> list[dict[str, str]]:
    with Path(file).open(newline="") as opened:
        return list(csv.DictReader(opened))


def column(file: str, name: str) -> NDArray[np.float64]:
    return np.array([float(row[name]) for row in rows(file)])
