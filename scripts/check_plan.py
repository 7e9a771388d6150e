"""How near `cleave plan` comes to the searches that it plans, in time and in peak memory.

    python scripts/check_plan.py --data-root FOLDER [--only WORD]

Each setting is planned and searched in processes of their own, one at a time. Time is that of the run without the
start of Python; memory is the most that the process had resident. FOLDER has CIFAR-10.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COMMON: Mapping[str, object] = {
    "space.name": "darts", "space.channels": 16, "space.cells": 8, "data.name": "cifar10", "data.limit": 512,
    "search.batch_size": 32, "search.epochs": 2, "split.splitter": "none", "split.batches": 1, "trust.control": 0,
}  # fmt: skip
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "darts, no split": {"method.name": "darts"},
    "darts2, no split": {"method.name": "darts2", "search.epochs": 1},
    "snas, no split": {"method.name": "snas", "search.batch_size": 64},
    "rsps, no split": {"method.name": "rsps", "search.epochs": 4, "method.samples": 10},
    "darts, gradient splits": {
        "method.name": "darts", "space.channels": 8, "space.cells": 5, "search.epochs": 1,
        "space.split_cells": "normal", "split.splitter": "gradient", "split.splits": 1, "split.branch": 2,
        "split.rule": "exact",
    },
    "darts, halving": {
        "method.name": "darts", "space.channels": 8, "space.cells": 5, "search.epochs": 1,
        "split.splitter": "random", "split.splits": 2, "split.branch": 2, "selection.by": "halving",
        "selection.schedule": [1, 2], "selection.training.batch_size": 32,
    },
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    print(f"{'setting':24} {'planned':>10} {'taken':>10} {'ratio':>6} {'planned':>10} {'taken':>10} {'ratio':>6}")
    for name, changes in SETTINGS.items():
        if asked.only in name:
            print(line(name, {**COMMON, **changes, "data.root": str(asked.data_root), "threads": 1}), flush=True)


def line(name: str, keys: Mapping[str, object]) -> str:
    """A setting's row: seconds, then MiB."""
    words = [word for key, value in keys.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    plan, _ = ended(["plan", *words, "--json"])
    with tempfile.TemporaryDirectory() as folder:
        found, peak = ended(["search", *words, "--workers", "1", "--out", f"{folder}/run", "--json"])
    times = (plan["seconds"], found["seconds"])
    sizes = (plan["memory"]["peak_bytes"] / 2**20, peak / 2**20)
    cells = [f"{planned:10.1f} {taken:10.1f} {planned / taken:6.2f}" for planned, taken in (times, sizes)]
    return f"{name:24} {' '.join(cells)}"


def ended(words: Sequence[str]) -> tuple[dict[str, Any], int]:
    """What a command printed, and the most bytes that its process had resident."""
    command = [sys.executable, "-m", "cleave", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"cleave {' '.join(words)}: ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(text), usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
