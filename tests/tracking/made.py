"""A run folder as trackers see it, without a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SETTINGS = {"seed": 3, "search": {"epochs": 2, "name": "darts"}, "split": {"branch": [2, 2], "rule": None}}
FLAT = {"seed": 3, "search.epochs": 2, "search.name": "darts", "split.branch": "[2, 2]"}
RESULT = {"chosen": {"arch": "a|b", "accuracy": 61.5}, "leaves": [{"path": "0" * 80}], "cost": {"steps": 7}}
FLAT_RESULT = {"chosen.arch": "a|b", "chosen.accuracy": 61.5, "cost.steps": 7}


def epoch(leaf: str, number: int, phase: str = "search", **values: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"kind": "epoch", "leaf": leaf, "phase": phase, "epoch": number, **(values or {"loss": 1 / number})}


def write(file: Path, *events: dict[str, Any], end: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events) + end)


def finish(run: Path) -> None:
    (run / "result.json").write_text(json.dumps(RESULT))
