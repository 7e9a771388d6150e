"""Results that come with cleave: `cleave reproduce all` writes their tables and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.reproduce.runner import find_budget, write_report
from cleave.run.folder import make_folder
from cleave.run.mirror import known_as
from cleave.run.reading import names_in

EVERY = "all"
"""Instead of an experiment's name."""


def stored(budget: str) -> dict[str, dict[str, Any]]:
    """The tables of a budget by name, which is the experiment's and maybe which of its rows."""
    ending = f"-{find_budget(budget)}.json"
    kept = {each.name: each for each in (files("cleave.reproduce") / "results").iterdir() if each.name.endswith(ending)}
    return {name.removesuffix(ending): json.loads(kept[name].read_text(encoding="utf-8")) for name in sorted(kept)}


def write_stored(budget: str, out: Path) -> dict[str, Any]:
    """{"folder", "tables": {name: its folder}}: each with table.json, table.md and figure.png. Nothing is run.

    UserError where nothing of that budget is kept, or the folder holds something.
    """
    tables = stored(budget)
    if not tables:
        raise UserError(f"--budget {budget}: no results of it come with cleave; those of --budget small do")
    make_folder(out)
    if names_in(out):
        raise UserError(f"{out}: is not empty; nothing is overwritten, so give --out a new folder")
    folders = {name: out / name for name in tables}
    for name, folder in folders.items():
        make_folder(folder)
        write_report(folder, tables[name])
    return {"folder": str(out), "tables": {name: str(folder) for name, folder in folders.items()}}


TAKES = ("name", "budget", "out", "as_json")


def check_alone(given: Mapping[str, str]) -> None:
    """UserError where more is given than it takes: by parameter, how people write it."""
    if more := [flag for name, flag in given.items() if name not in TAKES]:
        raise UserError(f"{', '.join(more)}: reproduce {EVERY} runs nothing; leave it out")


def stored_text(told: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {known_as(Path(folder))}/table.md" for name, folder in told["tables"].items())
