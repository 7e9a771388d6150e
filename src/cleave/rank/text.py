"""A ranking for the eye: one line per predictor, at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cleave.rank.truth import ALONE, FILE, TABLE
from cleave.run.alarm import alarm_lines
from cleave.search.judging import judged_by

LEGEND = """\
tau: Kendall's tau-b, with its 95 % bootstrap interval. rho: Spearman, among all
and among the true best 1 and 5 %. in 100: share of the predicted best 100 that
are among the true best 100. lost: percentage points between the best of all
and the best of the predicted best 1 or 10. Of equal predictions the mean over
all ways to choose."""


def print_ranking(ranking: dict[str, Any], console: Console | None = None) -> None:
    """What `cleave rank` found, on stdout unless another console is given."""
    console = console or Console(highlight=False)
    head = ("tau", "[95 %]", "rho", "rho 1%", "rho 5%", "in 100", "lost 1", "lost 10")
    rows = {name: cells(row) for name, row in ranking["rows"].items()}
    console.print(figures_table(head, rows, title(ranking)))
    console.print(Text(LEGEND))
    for line in alarm_lines(ranking["guards"]):
        console.print(Text(f"Warning: {line}"))
    for source in sorted({row["published"] for row in ranking["rows"].values() if "published" in row}):
        console.print(Text(f"published: {source}"))
    console.print(Text(f"{ranking['seconds']:.0f} s; every architecture is in {ranking['file']}"), soft_wrap=True)
    console.print(Text(f"next: {ranking['next']}"), soft_wrap=True)


def figures_table(head: Iterable[str], rows: Mapping[str, Iterable[str]], title: Text | None = None) -> Table:
    """A line for each row by its name, which is folded where it is long; figures are not."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for column in head:
        table.add_column(column, justify="right", no_wrap=True)
    for name, figures in rows.items():
        table.add_row(Text(name), *figures)
    return table


def title(ranking: dict[str, Any]) -> Text:
    """What was ranked, and how."""
    words = [f"{ranking['architectures']:,} architectures, {TRUTHS[ranking['truth']['from']](ranking)}"]
    words.append(f"{ranking['images']} held-out images")
    words.append(judged_by(ranking["judged_by"]) + ("" if ranking["as_searched"] else ", unlike in the search"))
    if ranking["averaged"] > 1:
        words.append(f"mean of {ranking['averaged']} snapshots")
    return Text("; ".join(words))


def of_table(ranking: dict[str, Any]) -> str:
    return f"{ranking['dataset']} test accuracy"


def of_file(ranking: dict[str, Any]) -> str:
    return f"{ranking['truth']['column']} of {ranking['truth']['file']}"


def of_training(ranking: dict[str, Any]) -> str:
    epochs, images = ranking["truth"]["epochs"], ranking["truth"]["images"]
    return f"held-out accuracy (n = {images:,}) after training alone for {epochs} epoch{'s' * (epochs != 1)}"


TRUTHS = {TABLE: of_table, FILE: of_file, ALONE: of_training}
"""What the truth is, in words, by where it is from."""


def cells(row: dict[str, Any]) -> list[str]:
    tau, top = row["kendall"], row["top"]
    interval = "-" if tau["low"] is None else f"{short(tau['low'])} {short(tau['high'])}"
    shares = [row["spearman"]["value"], top["1"]["spearman"], top["5"]["spearman"], row["precision"]["100"]]
    lost = [row["regret"][n] for n in ("1", "10")]
    return [
        short(tau["value"]),
        interval,
        *(short(share) for share in shares),
        *("-" if points is None else f"{points:.2f}" for points in lost),
    ]


def short(value: float | None) -> str:
    """Three digits without the zero before the point, as tables of correlations have them; "-" for none."""
    return "-" if value is None else f"{value:.3f}".replace("0.", ".", 1)
