"""A search so small that a test can afford it: random images of 8 x 8 pixels, 2 channels, 3 operations."""

from __future__ import annotations

from glob import glob
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cleave.bench.table import ACCURACIES, Table
from cleave.cli import run
from tests.fresh import fresh

SIZES = {
    "space.ops": "[none, skip_connect, nor_conv_1x1]",
    "space.channels": 2,
    "data.image_size": 8,
    "search.epochs": 1,
    "search.batch_size": 8,
    "split.batches": 1,
    "threads": 1,
    "trust.control": 1,
    "trust.panel": 3,
}
RSPS = {"method.name": "rsps", "method.samples": 3, "split.splitter": "random"}
HALVING = {
    "selection.by": "halving",
    "selection.schedule": "[1, 3]",
    "selection.training": "{batch_size: 6, eval_batch_size: 9, ema: 0.9}",
    "selection.space": "{channels: 3}",
}
"""Of four leaves, whose networks are wider than those of the search."""
EVERY_STEP = {"search.checkpoint_seconds": 0}
"""A checkpoint before every step."""


HERE = ("--workers", "1")
"""Starts no process, which would take longer than the search."""


def sets(changes: dict[str, Any]) -> list[str]:
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def search(data: Path, out: Path, changes: dict[str, Any] | None = None) -> list[str]:
    """The arguments of a tiny search; without changes DARTS, gradient matching, T=2 and B=2."""
    return ["search", "--data", str(data), "--out", str(out), *HERE, "--json", *sets({**SIZES, **(changes or {})})]


def write_images(folder: Path, classes: int = 2, each: int = 18) -> Path:
    """A folder of random images, one subfolder per class."""
    random = fresh()
    for label, number in product(range(classes), range(each)):
        path = folder / f"class{label}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return folder


def write_table(path: Path) -> Table:
    """A whole NAS-Bench-201 table with random accuracies."""
    random = fresh()
    operations = random.permutation(list(product(range(5), repeat=6))).astype(np.uint8)
    table = Table(str(path), operations, {name: random.uniform(1, 99, len(operations)) for name in ACCURACIES})
    table.save(path)
    return table


def same(one: Path, other: Path) -> bool:
    """Whether two runs found the same, to the byte."""
    names = ("result.json", "events.jsonl", "tree.json")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def leaves(run: Path) -> dict[str, bytes]:
    """All weights that a run keeps."""
    return {str(file.relative_to(run)): file.read_bytes() for file in (run / "leaves").rglob("*") if file.is_file()}


def generations(run_folder: Path) -> list[Path]:
    """Its checkpoints of what is merged, oldest first."""
    return found(run_folder, "checkpoints/" + "[0-9]" * 6)


def part_generations(run_folder: Path) -> list[Path]:
    """Those of its parts under way, part by part."""
    return found(run_folder, "parts/*/checkpoints/" + "[0-9]" * 6)


def found(folder: Path, pattern: str) -> list[Path]:
    """What is there, even if it goes away meanwhile: `Path.glob` fails on that."""
    return sorted(folder / path for path in glob(pattern, root_dir=folder))


class Ended:
    """A command that ended: its exit status and what it wrote."""

    def __init__(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        self.status = run(arguments)
        self.out, self.err = capsys.readouterr()

    def refuses(self, *words: str) -> bool:
        """Whether it was the user's mistake, said in one line (the last; above it may be progress) with these words."""
        *above, line = self.err.splitlines()
        assert self.status == 2, self.err
        assert not any(each.startswith(("cleave:", "Traceback")) for each in above), self.err
        assert line.startswith("cleave: "), self.err
        assert self.out == ""
        return all(word in line for word in words)
