"""`cleave reproduce --tell`: how many seeds would tell a difference, by the spread of those that were run."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import stdev
from typing import Annotated, Any

from pydantic import Field

from cleave.errors import UserError, brief
from cleave.plan.text import duration
from cleave.reproduce.catalogue import find_experiment
from cleave.reproduce.table import apart
from cleave.run.reading import Damaged, Shape, is_there, read_json
from cleave.stats.intervals import SAME
from cleave.stats.power import seeds_for, upper_deviation

TABLE = "table.json"


class Ours(Shape):
    values: list[float | None]


class LineShape(Shape):
    row: str
    measure: str
    ours: Ours
    seconds: float | None


class PairShape(Shape):
    rows: Annotated[list[str], Field(min_length=2, max_length=2)]
    measure: str


class TableShape(Shape):
    """What of table.json is read."""

    experiment: str
    budget: str
    unit: str
    lines: list[LineShape]
    comparisons: list[PairShape]


def needed_seeds(name: str, folder: Path, difference: float) -> dict[str, Any]:
    """{"folder", "experiment", "budget", "unit", "difference", "pairs"} of a finished experiment; nothing is run.

    A pair: {"rows", "measure", "n", "deviation" (of the differences, seed by seed), "upper" (what the true one is
    below, 80 % sure), "seeds", "at_upper" (those that see the difference in 4 of 5 experiments, by either; null for
    more than 10,000), "seconds" (of one more seed, both rows; null where it is not known)}. UserError where nothing was
    run yet or with one seed, or nothing is compared.
    """
    if not (math.isfinite(difference) and difference > 0):
        raise UserError(f"--tell {difference:g}: is no difference; give one above 0 in the unit of the table")
    experiment, file = find_experiment(name), folder / TABLE
    if not is_there(file):
        raise UserError(f"{folder}: has no {TABLE}; run it first, by the same command without --tell")
    table = TableShape.model_validate(read_json(file, TableShape))
    if table.experiment != experiment.name:
        raise UserError(f"{folder}: is of {brief(table.experiment)}, and {experiment.name} is asked for")
    if not table.comparisons:
        raise UserError(f"--tell: {experiment.name} compares no two of these rows, so that nothing is to be told")
    pairs = [pair for each in table.comparisons for pair in needed(table, each, difference, file)]
    if not pairs:
        raise UserError(f"{folder}: no rows that are compared have two seeds; run it with --seeds 0,1,2")
    told = {"experiment": table.experiment, "budget": table.budget, "unit": table.unit, "difference": difference}
    return {"folder": str(folder), **told, "pairs": pairs}


def needed(table: TableShape, pair: PairShape, difference: float, file: Path) -> list[dict[str, Any]]:
    """What a comparison needs; nothing where its spread is not known."""
    lines = {(line.row, line.measure): line for line in table.lines}
    one, other = (lines.get((row, pair.measure)) for row in pair.rows)
    if one is None or other is None or len(one.ours.values) != len(other.ours.values):
        raise Damaged(f"{file}: the rows of {pair.rows} are not there, or not of the same seeds; it was altered")
    found = apart(one.ours.values, other.ours.values)
    if len(found) < 2 or max(found) - min(found) <= SAME:
        return []
    deviation = stdev(found)
    upper = upper_deviation(deviation, len(found))
    return [
        {
            "rows": list(pair.rows),
            "measure": pair.measure,
            "n": len(found),
            "deviation": deviation,
            "upper": upper,
            "seeds": seeds_for(difference, deviation),
            "at_upper": seeds_for(difference, upper),
            "seconds": None if one.seconds is None or other.seconds is None else one.seconds + other.seconds,
        }
    ]


def seeds_text(found: dict[str, Any]) -> str:
    """A line or two for every pair."""
    head = f"{found['experiment']}, {found['budget']}: seeds that tell {found['difference']:g} ({found['unit']})"
    return "\n".join([head, *(line for pair in found["pairs"] for line in pair_lines(pair))])


def pair_lines(pair: dict[str, Any]) -> list[str]:
    one, other = pair["rows"]
    seeds, more = (count_text(pair[key]) for key in ("seeds", "at_upper"))
    cost = f", {duration(pair['seconds'] * pair['seeds'])} in all" if pair["seeds"] and pair["seconds"] else ""
    return [
        f"{one} against {other} ({pair['measure']})",
        f"  {seeds} by the deviation of {pair['n']} ({pair['deviation']:.2f}){cost};",
        f"  {more} if it is {pair['upper']:.2f}, which it is below (80 % sure)",
    ]


def count_text(seeds: int | None) -> str:
    return "more than 10,000" if seeds is None else f"{seeds:,}"
