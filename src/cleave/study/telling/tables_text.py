"""A table of studies for people: in the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from cleave.reproduce.table import table_row
from cleave.study.telling.metrics_text import points

NAMES = {
    "s_tau": "S-Tau", "s_tau_max": "S-Tau max", "s_tau_min": "S-Tau min", "gt_tau_last": "GT-Tau, last look",
    "t1r": "T1R", "t3r": "T3R", "gt_tau_mean": "GT-Tau, dense looks", "gt_tau_std": "its deviation",
    "gt_tau_max": "its maximum", "gt_tau_min": "its minimum", "s_tau_epochs": "S-Tau, epochs",
    "s_tau_epochs_max": "its maximum", "s_tau_epochs_min": "its minimum", "gt_tau_epochs": "GT-Tau, epochs",
    "gt_tau_epochs_std": "its deviation", "t1r_epochs": "T1R, epochs", "t3r_epochs": "T3R, epochs",
}  # fmt: skip
RANKS = ("t1r", "t3r", "t1r_epochs", "t3r_epochs")


def markdown(found: dict[str, Any]) -> str:
    """The table with what it is of and where it was made."""
    lines = [
        f"# {found['title']}", "",
        f"Budget {found['budget']}; truth: {found['truth'] or 'none'}. Brackets: 95 % bootstrap interval (see "
        "`cleave study metrics`); ±: deviation over instances.", "",
        "| study | n | mini-batches a child | dense looks | measure | ours | paper | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (*head, ours, paper, difference), part in rows(found):
        value = f"{ours} ({part})" if part else ours
        lines.append(table_row([name, *head, value, paper, difference]))
    made = ", ".join(f"{key} {value}" for key, value in found["environment"].items())
    return "\n".join([*lines, "", f"{found['seconds']:.0f} s of processes; {made}.", ""])


def rows(found: dict[str, Any]) -> Iterator[tuple[str, list[str], str]]:
    """Study and words of every measure, and in how many looks it is defined; of a study's measures only the first says
    how much it was trained."""
    for row in found["rows"]:
        head = [str(row["instances"]), f"{row['per_child']:.0f}", str(row["dense_looks"])]
        for name, measure in row["measures"].items():
            whole = measure.get("defined") == measure.get("of")
            known = "" if whole else f"defined in {measure['defined']} of {measure['of']}"
            yield row["name"], [*head, NAMES[name], *words(name, measure)], known
            head = ["", "", ""]


def words(name: str, measure: dict[str, float | None]) -> tuple[str, str, str]:
    """Our figure, the paper's, the difference."""
    digits = 1 if name in RANKS else 3
    ours = with_deviation(measure["ours"], measure["sd"], digits)
    if measure["low"] is not None:
        ours += f" [{points(measure['low'], digits)} {points(measure['high'], digits)}]"
    paper = with_deviation(measure["published"], measure["published_sd"], digits)
    difference = measure["difference"]
    return ours, paper, "" if difference is None else f"{difference:+.{digits}f}"


def with_deviation(value: float | None, deviation: float | None, digits: int) -> str:
    if value is None:
        return ""
    return points(value, digits) + ("" if deviation is None else f" ± {points(deviation, digits)}")


def print_table(found: dict[str, Any], console: Console | None = None) -> None:
    """On stdout unless another console is given."""
    console = console or Console(highlight=False)
    console.print(f"{found['title']}, budget {found['budget']}", markup=False)
    table = Table(box=None, pad_edge=False)
    for title in ("", "ours", "paper", "difference"):
        table.add_column(title, no_wrap=True)
    last = ""
    for name, (*_, measure, ours, paper, difference), part in rows(found):
        if name != last:
            table.add_row(name)
        table.add_row(f"  {measure}", ours, paper, difference)
        if part:
            table.add_row(f"    {part}")
        last = name
    console.print(table)
    console.print("[]: 95 % bootstrap interval. ±: deviation over instances.", markup=False)
    console.print(f"{found['seconds']:.0f} s of processes; all of it is in {found['folder']}", soft_wrap=True)
