"""An experiment for a person."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cleave.plan.text import duration
from cleave.reproduce.table import cells, compared


def report_text(report: dict[str, Any], console: Console | None = None) -> None:
    """The table, the comparisons, and where the files are; on stdout unless another console is given."""
    console = console or Console(highlight=False)
    console.print(report_table(report))
    for pair in report["comparisons"]:
        console.print(Text(compared(pair)))
    for note in report["notes"]:
        console.print(Text(note))
    console.print(Text(f"{duration(report['seconds'])}; table and figure are in {report['folder']}"), soft_wrap=True)


def report_table(report: dict[str, Any]) -> Table:
    """A line for every measure of every row."""
    table = Table(title=f"{report['title']} ({report['source']}), {report['unit']}", title_justify="left")
    for heading in ("row", "measure"):
        table.add_column(heading, overflow="fold")
    for heading in ("paper", "ours", "diff.", "n"):
        table.add_column(heading, justify="right")
    for line in report["lines"]:
        table.add_row(*cells(line))
    return table


def plan_text(plan: dict[str, Any]) -> str:
    """A line for every row, and the sum."""
    width = max(map(len, plan["rows"]))
    rows = [f"{name:{width}}  {duration(seconds):>8}" for name, seconds in plan["rows"].items()]
    runs = f"{plan['runs']} run{'s' * (plan['runs'] > 1)}"
    return "\n".join([*rows, f"{runs}, about {duration(plan['seconds'])} for the searches on this machine"])
