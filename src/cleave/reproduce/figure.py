"""Findings as a picture: our figures seed by seed, and the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, PAPER = "tab:blue", "tab:orange"


def draw(report: dict[str, Any], file: BytesIO) -> None:
    """One panel per measure, one row per row; PNG."""
    measures = list(dict.fromkeys(line["measure"] for line in report["lines"]))
    rows = list(dict.fromkeys(line["row"] for line in report["lines"]))
    figure = Figure(figsize=(3.5 + 3.5 * len(measures), 1.5 + 0.35 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for panel, measure in zip(panels, measures, strict=True):
        draw_panel(panel, measure, {line["row"]: line for line in report["lines"] if line["measure"] == measure}, rows)
        panel.set_xlabel(report["unit"])
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    figure.suptitle(f"{report['title']} ({report['source']}), budget {report['budget']}", wrap=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(file, format="png", dpi=150)


def draw_panel(panel: Axes, measure: str, lines: Mapping[str, dict[str, Any]], rows: Sequence[str]) -> None:
    """Dots for the runs, a bar for their mean, a cross with its spread for the paper."""
    panel.set_title(measure)
    panel.grid(axis="x", alpha=0.3)
    for place, line in enumerate(lines[row] for row in rows):
        ours = [value for value in line["ours"]["values"] if value is not None]
        panel.plot(
            ours, [place] * len(ours), "o", color=OURS, markersize=4, label="" if place else "ours, one dot per run"
        )
        if line["ours"]["mean"] is not None:
            panel.plot(line["ours"]["mean"], place, "|", color=OURS, markersize=18)
    known = [(place, lines[row]["published"]) for place, row in enumerate(rows) if lines[row]["published"] is not None]
    panel.errorbar(
        [published["mean"] for _, published in known],
        [place for place, _ in known],
        xerr=[published["sd"] or 0.0 for _, published in known],
        fmt="x",
        color=PAPER,
        label="paper",
    )
