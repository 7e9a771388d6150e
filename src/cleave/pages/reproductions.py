"""What an experiment of the paper, run again, tells: its table, its comparisons, its picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.pages.facts import Facts
from cleave.pages.kinds import Asked, kind
from cleave.report import Bullets, Element, PageTable, Section, WholePicture
from cleave.reproduce.table import cells, compared
from cleave.run.reading import Shape, is_there, read_file, read_json


class TableFile(Shape):
    """What `cleave reproduce` writes."""

    experiment: str
    title: str
    source: str
    unit: str
    budget: str
    seeds: list[int]
    lines: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    notes: list[str]
    environment: dict[str, Any]
    seconds: float


def is_experiment(path: Path) -> bool:
    return is_there(path / "experiment.json")


@kind("reproduce", is_experiment)
def of_experiment(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    if not is_there(path / "table.json"):
        raise UserError(f"{path}: is not finished; the same cleave reproduce goes on")
    found = read_json(path / "table.json", TableFile)
    head = ("row", "measure", "paper", "ours", "difference", "n")
    table = PageTable(f"In {found['unit']}", head, list(map(cells, found["lines"])))
    picture = WholePicture(read_file(path / "figure.png"), "Our figures run by run, and the paper's.")
    parts: list[Element] = [table, picture, *([Bullets(found["notes"])] if found["notes"] else [])]
    return [
        Facts(
            name,
            f"{found['title']} ({found['source']})",
            summary=[f"Budget: {found['budget']}; seeds: {', '.join(map(str, found['seeds']))}"],
            verdicts=[compared(pair).removeprefix("- ") for pair in found["comparisons"]],
            costs={"seconds": found["seconds"]},
            environment=found["environment"],
            used=["splitter gradient"],
            sections=[Section("table", "The paper's figures and ours", parts)],
        )
    ]
