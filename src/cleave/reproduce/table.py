"""Findings as a table: the paper's figure, ours, the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, pstdev
from typing import Any

from cleave.reproduce.experiment import ExperimentRow, Published
from cleave.reproduce.grid import Finding
from cleave.stats.intervals import student


@dataclass(frozen=True)
class TableLine:
    """One measure of one row over all its runs. `values` has None where one is not defined."""

    row: str
    measure: str
    published: Published | None
    values: list[float | None]
    seconds: float

    @property
    def known(self) -> list[float]:
        return [value for value in self.values if value is not None]

    def to_json(self) -> dict[str, Any]:
        """Also "difference": ours minus the paper's; "interval": of our mean, 95 %, Student's t; null where unknown."""
        known = self.known
        ours = mean(known) if known else None
        return {
            "row": self.row,
            "measure": self.measure,
            "published": None if self.published is None else {"mean": self.published.mean, "sd": self.published.sd},
            "ours": {
                "mean": ours,
                "sd": pstdev(known) if len(known) > 1 else None,
                "n": len(known),
                "values": self.values,
            },
            "interval": student(known),
            "difference": None if ours is None or self.published is None else ours - self.published.mean,
            "seconds": self.seconds,
        }


def lines(rows: Sequence[ExperimentRow], findings: Sequence[Finding]) -> Iterator[TableLine]:
    """Every measure of every row, in their order."""
    for row in rows:
        own = [finding for finding in findings if finding.row == row]
        seconds = mean(finding.seconds for finding in own)
        for measure in own[0].figures:
            values = [value for finding in own for value in finding.figures[measure]]
            yield TableLine(row.name, measure, row.published.get(measure), values, seconds)


def comparisons(
    pairs: Sequence[tuple[str, str]], table: Sequence[TableLine], compared: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The difference of two rows, each figure against its counterpart, for every measure that both have.

    Where measures are named (`compared`), for these alone.
    "n" is how many differences are defined, "of" how many pairs there are.
    """
    by_place = {(line.row, line.measure): line for line in table}
    measures = compared or list(dict.fromkeys(line.measure for line in table))
    found = []
    for one, other in pairs:
        for measure in measures:
            if (one, measure) in by_place and (other, measure) in by_place:
                a, b = by_place[one, measure].values, by_place[other, measure].values
                differences = apart(a, b)
                found.append(
                    {
                        "rows": [one, other],
                        "measure": measure,
                        "difference": mean(differences) if differences else None,
                        "interval": student(differences),
                        "n": len(differences),
                        "of": len(a),
                    }
                )
    return found


def apart(one: Sequence[float | None], other: Sequence[float | None]) -> list[float]:
    """The differences, seed by seed, where both are defined."""
    return [x - y for x, y in zip(one, other, strict=True) if x is not None and y is not None]


def markdown(report: dict[str, Any]) -> str:
    """The whole report as a page."""
    head = f"# {report['title']} ({report['source']})"
    size = f"Budget: {report['budget']}. Seeds: {', '.join(map(str, report['seeds']))}. Unit: {report['unit']}."
    table = ["| row | measure | paper | ours | difference | n | s per run |", "|---|---|---|---|---|---|---|"]
    rows = [[*cells(line), seconds(line["seconds"])] for line in report["lines"]]
    table += map(table_row, rows)
    pairs = [compared(pair) for pair in report["comparisons"]]
    where = ", ".join(f"{name} {value}" for name, value in report["environment"].items())
    return "\n".join([head, "", size, "", *table, "", *pairs, "", *report["notes"], "", f"Made with {where}.", ""])


def table_row(words: Sequence[str]) -> str:
    """A row of a table in Markdown, in which a bar would begin a cell."""
    escaped = (word.replace("|", r"\|") for word in words)
    return f"| {' | '.join(escaped)} |"


def seconds(each: float | None) -> str:
    """Of a run; not known of every table that is kept."""
    return "" if each is None else f"{each:.0f}"


def cells(line: dict[str, Any]) -> list[str]:
    """ExperimentRow, measure, the paper's figure, ours, the difference, n."""
    published, ours, difference = line["published"], line["ours"], line["difference"]
    return [
        line["row"],
        line["measure"],
        "" if published is None else plus_minus(published["mean"], published["sd"]),
        "undefined" if ours["mean"] is None else plus_minus(ours["mean"], ours["sd"]),
        "" if difference is None else f"{difference:+.2f}",
        of_all(ours["n"], len(ours["values"])),
    ]


def plus_minus(centre: float, spread: float | None) -> str:
    return f"{centre:.2f}" if spread is None else f"{centre:.2f} ± {spread:.2f}"


def compared(pair: dict[str, Any]) -> str:
    """One comparison in a sentence."""
    one, other = pair["rows"]
    if pair["difference"] is None:
        return f"- {one} against {other} ({pair['measure']}): undefined."
    between = "" if pair["interval"] is None else " (95 % interval {:+.2f} to {:+.2f})".format(*pair["interval"])
    count = of_all(pair["n"], pair["of"])
    return f"- {one} against {other} ({pair['measure']}): {pair['difference']:+.2f}{between}, n = {count}."


def of_all(defined: int, count: int) -> str:
    """Of how many a figure is, and of how many it would be if it were defined for all."""
    return str(count) if defined == count else f"{defined} of {count}"
