"""What an evolution found, for the eye: at most 80 columns but for architectures, which are in one piece."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from cleave.rank.text import figures_table, short
from cleave.run.alarm import alarm_lines
from cleave.search.judging import judged_by
from cleave.space.limits import amount

LEGEND = """\
tau: Kendall's tau-b with the accuracy on images that the evolution does not go
by, and its 95 % bootstrap interval. Accuracies are those under the weights of
the search; what it reaches by itself is told by training it."""


def print_evolved(found: dict[str, Any], console: Console | None = None) -> None:
    """What `cleave evolve` found, on stdout unless another console is given."""
    console = console or Console(highlight=False)
    rows = {name: cells(row) for name, row in found["evaluators"].items()}
    console.print(figures_table(("tau", "[95 %]"), rows, Text(f"on {found['check']} other architectures")))
    console.print(Text(LEGEND))
    if found["fallback"] is not None:
        why = found["fallback"]
        console.print(Text(f"{why['asked']} was not used: {why['why']}"), soft_wrap=True)
    judged, generations = f"{found['judged']:,} architectures", len(found["history"]) - 1
    console.print(Text(f"leaf {found['leaf']}: {judged} judged by {found['by']}, {generations} generations"))
    console.print(Text(found["arch"]), soft_wrap=True)
    console.print(Text(costs(found)))
    console.print(Text(f"  {judged_by(found['judged_by'])}{'' if found['as_searched'] else ', unlike in the search'}"))
    console.print(Text(accuracies(found)))
    for line in alarm_lines(found["guards"]):
        console.print(Text(f"Warning: {line}"))
    if "shift" in found:
        console.print(Text(shift(found["shift"])))
    console.print(Text(f"{found['seconds']:.0f} s; train it with: {found['next']}"), soft_wrap=True)


def costs(found: dict[str, Any]) -> str:
    """What it costs, and of how much at most."""
    lines = [f"  {found['macs']:,} multiply-adds, {found['params']:,} parameters"]
    for key, each in found["limits"].items():
        lines.append(f"  {key}: {amount(each['found'])} of at most {amount(each['most'])}")
    return "\n".join(lines)


def accuracies(found: dict[str, Any]) -> str:
    (low, high), told = found["interval"], f"{found['accuracy']:.2f} % of {found['images']} held-out images"
    checked = f"{found['checked_accuracy']:.2f} % [{low:.1f}, {high:.1f}] of {found['checked_images']} others"
    return f"  accuracy {told} that it was found by,\n  {checked}"


def shift(told: dict[str, Any]) -> str:
    """By which weights that is, and what it is by those of the search."""
    steps = f"rate {told['rate']:g}, {told['shifts']} x {told['steps']} steps"
    return f"  by shifted weights ({steps}); by those of the search\n{accuracies(told['unshifted'])}"


def cells(row: dict[str, Any]) -> list[str]:
    interval = "-" if row["low"] is None else f"{short(row['low'])} {short(row['high'])}"
    return [short(row["tau"]), interval]
