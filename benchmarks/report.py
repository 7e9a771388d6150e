"""The measurements for a person."""

from __future__ import annotations

import platform
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

import cleave
from benchmarks.catalogue import MEMORY
from benchmarks.measure import Numbers
from cleave.engine.environment import cpu_name

WIDTH = 80


def report(size: str, works: list[Numbers]) -> dict[str, Any]:
    """All there is to say, but for when it was."""
    versions = {"python": platform.python_version(), "torch": torch.__version__, "cleave": cleave.__version__}
    machine = {"cpu": cpu_name(), "platform": platform.platform(), "machine": platform.machine()}
    return {"machine": machine, "versions": versions, "size": size, "works": works}


def show(found: dict[str, Any]) -> None:
    """The table, and below it what was done at which size."""
    console = Console(width=WIDTH, highlight=False)
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    console.print(Text(f"{found['machine']['cpu']}\n{versions}"))
    console.print(table(found["works"]))
    for line in notes(found["works"]):
        console.print(Text(line))


def table(works: list[Numbers]) -> Table:
    title = "CPU seconds (memory: MiB), median and smallest to largest of n"
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    drawn.add_column("work", no_wrap=True)
    for heading in ("thr", "n", "cleave", "published", "CPU", "wall"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for work in works:
        unit = "bytes" if work["name"] == MEMORY else "cpu"
        sides = [spread(work[side][unit], unit) for side in ("fast", "naive")]
        ratios = [f"{work['ratio'][key]:.2f}" if key in work["ratio"] else "" for key in (unit, "wall")]
        drawn.add_row(work["name"], str(work["threads"]), str(work["repeats"]), *sides, *ratios)
    return drawn


def spread(numbers: dict[str, float], unit: str) -> str:
    """1.93 (1.90-2.01)."""
    scale = 2**20 if unit == "bytes" else 1
    median, low, high = (short(numbers[key] / scale) for key in ("median", "low", "high"))
    return f"{median} ({low}-{high})"


def short(number: float) -> str:
    """Three digits that matter, as far as they come after the point."""
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2 if abs(number) >= 1 else 3
    return f"{number:.{digits}f}"


def notes(works: list[Numbers]) -> list[str]:
    """What each row is."""
    rows = {work["name"]: f"{work['name']}: {work['what']}; {work['scale']}" for work in works}
    return ["CPU, wall: ratios of the medians, cleave by published.", *rows.values()]
