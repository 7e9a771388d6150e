"""`cleave reproduce`: an experiment from its name to a table and a figure in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from cleave.bench.table import need
from cleave.engine.engine import ONE, Engine
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError, brief, refuse_repeats, shown
from cleave.places import absolute
from cleave.plan import plan_search
from cleave.reproduce.catalogue import EXPERIMENTS, find_experiment
from cleave.reproduce.experiment import BUDGETS, Budget
from cleave.reproduce.figure import draw
from cleave.reproduce.grid import Finding, Grid, chosen_rows
from cleave.reproduce.table import TableLine, comparisons, lines, markdown
from cleave.run.durable import write_bytes, write_json
from cleave.run.folder import make_folder
from cleave.run.lock import LOCK, RunLock
from cleave.run.origin import is_unfinished
from cleave.run.reading import Damaged, Shape, is_there, names_in, read_json


class Owner(Shape):
    """experiment.json"""

    experiment: str
    budget: str


PATIENCE = 30.0
"""Seconds in which another command has written what several share."""
SHOWN = ("cleave", "python", "torch", "numpy", "platform", "cpu", "device", "threads")
"""What of the environment stands below a table."""


@dataclass(frozen=True)
class ReproduceRequest:
    """What is asked for: an experiment at a budget; `seeds` and `only` empty for the usual ones, all rows.

    `engine`: who shares the work of each search.
    """

    name: str
    budget: str
    seeds: Sequence[int] = ()
    only: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None
    engine: Engine = ONE


def reproduce(request: ReproduceRequest, callback: Callback) -> dict[str, Any]:
    """Runs what is not there yet, writes table.json, table.md and figure.png, and returns the table with "folder".

    UserError for what the user can correct; Interrupted when asked to stop: the same request goes on from there.
    """
    grid = with_table(make_grid(request))
    out = request.out or folder_of(request.name, grid.budget)
    claim(out, grid)
    callback.say(f"folder: {out}")
    try:
        findings = list(grid.run(out, callback, request.engine))
    except (Interrupted, KeyboardInterrupt) as error:  # the second one between two runs
        raise Interrupted("interrupted; the same command goes on from there") from error
    report = make_report(grid, findings)
    with RunLock(out, PATIENCE):
        write_report(out, report)
    return {"folder": str(out), **report}


def write_report(out: Path, report: dict[str, Any]) -> None:
    write_json(out / "table.json", report)
    write_bytes(out / "table.md", markdown(report).encode())
    picture = BytesIO()
    draw(report, picture)
    write_bytes(out / "figure.png", picture.getvalue())


def folder_of(name: str, budget: str) -> Path:
    """Where an experiment is, unless another folder is given."""
    return Path("runs") / f"reproduce-{find_experiment(name).name}-{budget}"


def plan_experiment(request: ReproduceRequest) -> dict[str, Any]:
    """{"runs", "seconds", "rows": {name: seconds of one run}}: what its searches would take here; runs nothing."""
    grid = make_grid(request)
    if not grid.experiment.searches:
        raise UserError(f"{grid.experiment.name}: its runs are no searches, so that they cannot be planned")
    rows = {row.name: plan_search(grid.recipe(row, grid.seeds[0]))["seconds"] for row in grid.rows}
    seeds = len(grid.seeds)
    return {"runs": seeds * len(rows), "seconds": seeds * sum(rows.values()), "rows": rows}


def make_grid(request: ReproduceRequest) -> Grid:
    """The runs of a request; every recipe is valid, or UserError says what is not."""
    experiment, budget = find_experiment(request.name), find_budget(request.budget)
    refuse_repeats("--seeds", request.seeds)
    rows = chosen_rows(experiment.rows(experiment.sizes[budget]), request.only)
    seeds = tuple(request.seeds) or experiment.seeds[budget]
    grid = Grid(experiment, budget, rows, seeds, request.flags)
    for row in rows:
        grid.recipe(row, seeds[0])
    return grid


def with_table(grid: Grid) -> Grid:
    """The grid with the table that its runs look up; UserError where there is none."""
    if not grid.experiment.looks_up:
        return grid
    given = grid.flags.get("benchmark")
    table = need(Path(given) if given else None)
    return replace(grid, flags={**grid.flags, "benchmark": absolute(table.name)})


def find_budget(name: str) -> Budget:
    for budget in BUDGETS:
        if name == budget:
            return budget
    raise UserError(f"--budget {brief(name)}: is none of {', '.join(BUDGETS)}")


def claim(out: Path, grid: Grid) -> None:
    """Takes a folder for an experiment; UserError where it holds another one or something else.

    Several commands may fill one folder, each with rows or seeds of its own.
    """
    make_folder(out)
    mark, owner = out / "experiment.json", {"experiment": grid.experiment.name, "budget": grid.budget}
    others = [name for name in names_in(out) if name != LOCK and not is_unfinished(name)]
    if others and not is_there(mark):  # in this order: another command may be just writing it
        raise UserError(f"{out}: is not empty; nothing is overwritten, so give --out a new folder")
    with RunLock(out, PATIENCE):
        if is_there(mark) and (found := owner_in(mark)) not in (None, owner):
            raise UserError(f"{out}: holds another experiment, {shown(found)}; give --out another folder")
        write_json(mark, owner)


def owner_in(mark: Path) -> dict[str, Any] | None:
    """The experiment that a folder was taken for; None where that was altered: its runs know their recipes anyway."""
    try:
        owner = read_json(mark, Owner)
    except Damaged:
        return None
    return owner if owner["experiment"] in EXPERIMENTS and owner["budget"] in BUDGETS else None


def make_report(grid: Grid, findings: Sequence[Finding]) -> dict[str, Any]:
    """The table as JSON: what it says, of what, made where."""
    experiment = grid.experiment
    table: list[TableLine] = list(lines(grid.rows, findings))
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "source": experiment.source,
        "unit": experiment.unit,
        "budget": grid.budget,
        "seeds": list(grid.seeds),
        "lines": [line.to_json() for line in table],
        "comparisons": comparisons(experiment.compare, table, experiment.compared),
        "notes": list(experiment.notes),
        "environment": {name: findings[0].environment.get(name) for name in SHOWN},
        "seconds": sum({finding.run: finding.seconds for finding in findings}.values()),
    }
