"""Findings as a picture: our figures seed by seed, beside the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, PAPER = "tab:blue", "tab:orange"


def draw(report: dict[str, Any], path: Path) -> None:
    """One panel per measure, one row per row; PNG."""
    measures = list(dict.fromkeys(line["measure"] for line in report["lines"]))
    rows = list(dict.fromkeys(line["row"] for line in report["lines"]))
    figure = Figure(figsize=(3.5 + 3.5 * len(measures), 1.5 + 0.35 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for panel, measure in zip(panels, measures, strict=True):
        draw_panel(panel, measure, [line for line in report["lines"] if line["measure"] == measure])
        panel.set_xlabel(report["unit"])
    panels[0].invert_yaxis()
    figure.suptitle(f"{report['title']} ({report['source']}), budget {report['budget']}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=150)


def draw_panel(panel: Axes, measure: str, lines: list[dict[str, Any]]) -> None:
    """Dots for the seeds, a bar for their mean, a cross with its spread for the paper."""
    panel.set_title(measure)
    panel.grid(axis="x", alpha=0.3)
    points = [(value, line["row"]) for line in lines for value in line["ours"]["values"] if value is not None]
    panel.scatter([], [], color=OURS, label="ours, one dot per seed")
    panel.barh([line["row"] for line in lines], 0.0)  # a place for every row, in their order
    means = [(line["ours"]["mean"], line["row"]) for line in lines if line["ours"]["mean"] is not None]
    panel.plot([value for value, _ in means], [name for _, name in means], "|", color=OURS, markersize=18)
    panel.scatter([value for value, _ in points], [name for _, name in points], color=OURS, s=18)
    published = [line for line in lines if line["published"] is not None]
    panel.errorbar(
        [line["published"]["mean"] for line in published],
        [line["row"] for line in published],
        xerr=[line["published"]["sd"] or 0.0 for line in published],
        fmt="x",
        color=PAPER,
        label="paper",
    )
