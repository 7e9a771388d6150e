"""Figures 5 and 6, and beyond: what happens from one mini-batch to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cleave.stats.clusters import clusters
from cleave.study.analysis.interference import by_statistics
from cleave.study.analysis.metrics import gt_taus, spread, taus
from cleave.study.analysis.rankings import cycle_averages
from cleave.study.record.log import Looks, Numbers
from cleave.study.record.views import average, log_correlation, never_vary, nothing_varies, see
from cleave.study.telling.figures.drawing import (
    LINES,
    RANKS,
    WIDTH,
    Drawn,
    Lacking,
    Subject,
    by_rank,
    canvas,
    children_of,
    colour_bar,
    defined_in,
    evenly,
    explain,
    number_of,
)
from cleave.study.telling.figures.stability import MOST
from cleave.study.telling.metrics_text import plus_minus

LAST = 128
"""Looks that are shown, as in the paper."""
READABLE, SHORT = 80, 8
"""How many names can be read along an axis, and of how many letters."""
GROUPS = 8


def all_curves(subject: Subject) -> Drawn:
    """The accuracy of every child after each of the last mini-batches (Figure 5)."""
    looks = subject.dense()[0].last(LAST)
    order, label = subject.ranks(average(looks.accuracy))
    shown = by_rank(-order)[evenly(len(order), MOST)].tolist()
    figure, panel = canvas(4.6)
    norm = colour_bar(figure, panel, len(order), label)
    for child in shown:
        draw_curve(panel, looks, child, 4, color=RANKS(norm(order[child])), linewidth=0.6, alpha=0.8)
    panel.set(xlabel="mini-batches trained", ylabel="accuracy under shared weights, %")
    return Drawn(
        figure,
        f"Accuracy of {children_of(subject.log, len(shown))} after each of the last {len(looks)} mini-batches, "
        f"first instance{diamonds(looks)}.",
    )


def some_curves(subject: Subject) -> Drawn:
    """The same of the best, the median and the worst child, before the range of all (Figure 6)."""
    looks = subject.dense()[0].last(LAST)
    order, label = subject.ranks(average(looks.accuracy))
    best_first = by_rank(order).tolist()
    figure, panel = canvas(4.0)
    low, high = looks.accuracy.min(axis=1), looks.accuracy.max(axis=1)
    panel.fill_between(looks.steps, low, high, color="0.9", label="all children")
    panel.plot(looks.steps, looks.accuracy.mean(axis=1), color="0.4", linestyle="--", label="their mean")
    places = {"best": 0, "median": len(best_first) // 2, "worst": -1}
    chosen = {name: best_first[place] for name, place in places.items()}
    for (name, child), colour in zip(chosen.items(), LINES, strict=False):
        draw_curve(panel, looks, child, 7, color=colour, linewidth=1.4, label=name)
    panel.set(xlabel="mini-batches trained", ylabel="accuracy under shared weights, %")
    explain(figure)
    names = ", ".join(f"{name} {looks.children[child]}" for name, child in chosen.items())
    return Drawn(
        figure,
        f"Three of {children_of(subject.log)} by {label.split(' (')[0]} ({names}) over the last {len(looks)} "
        f"mini-batches, first instance{diamonds(looks)}.",
    )


def draw_curve(panel: Axes, looks: Looks, child: int, size: int, **style: Any) -> None:  # noqa: ANN401
    """A child's accuracies; diamonds of that size at the looks after its own mini-batches."""
    panel.plot(looks.steps, looks.accuracy[:, child], **style)
    own = [number for number, name in enumerate(looks.trained) if name == looks.children[child]]
    mark = {"color": style["color"], "markersize": size, "markeredgecolor": "k"}
    panel.plot(looks.steps[own], looks.accuracy[own, child], "D", **mark)


def diamonds(looks: Looks) -> str:
    known = any(name in looks.children for name in looks.trained)
    return (
        "; a diamond where the child itself was trained"
        if known
        else "; which child each mini-batch was for is not known, or differs between supernets"
    )


def tau_by_look(subject: Subject) -> Drawn:
    """GT-Tau after each mini-batch and of the average over one cycle, by kind of statistics.

    If the jumps come from the normalisations' statistics, GT-Tau is steady under recalibrated ones.
    """
    kinds = [kind for kind in subject.log.statistics if see(subject.log, kind).dense]
    if not kinds:
        raise Lacking("needs looks after each of the last mini-batches (looks.dense)")
    figure, panel = canvas(3.8)
    said = [draw_taus(panel, subject, kind, colour) for kind, colour in zip(kinds, LINES * 9, strict=False)]
    panel.set(xlabel="mini-batches trained", ylabel="GT-Tau")
    explain(figure)
    return Drawn(
        figure,
        f"GT-Tau of {children_of(subject.log)} after each of the last mini-batches, first instance, mean ± deviation "
        f"over looks: {'; '.join(said)}. Thick, where there are looks enough: averaged over one cycle.",
    )


def draw_taus(panel: Axes, subject: Subject, kind: str, colour: str) -> str:
    """The lines of one kind of statistics; what the caption says of them."""
    looks = subject.dense(kind)[0]
    values = gt_taus(looks, subject.true)
    panel.plot(looks.steps, values, color=colour, linewidth=0.8, alpha=0.8, label=f"{kind} statistics")
    averaged = taus(cycle_averages(looks), subject.true.mean)
    if len(averaged):
        panel.plot(looks.steps[-len(averaged) :], averaged, color=colour, linewidth=2.5, label=f"{kind}, cycle average")
    averages = f", {mean_of(averaged)} averaged" if len(averaged) else ""
    return f"{kind} statistics {mean_of(values)}{averages}"


def mean_of(values: Numbers) -> str:
    found = spread(values)
    some = defined_in(values, "look")
    return plus_minus(found["mean"], found["std"]) + (f" ({some})" if some else "")


def heat_map(subject: Subject) -> Drawn:
    """Correlations of the children's curves; children that move together stand side by side."""
    matrix = log_correlation(subject.log)
    if matrix is None:
        raise Lacking("needs two or more looks after each of the last mini-batches (looks.dense)")
    if still := nothing_varies(subject.log):
        raise Lacking(still)
    groups, constant = clusters(matrix, min(GROUPS, len(matrix))), never_vary(subject.log)
    order = [child for group in groups for child in group]
    figure, panel = canvas(7.0)
    image = panel.imshow(matrix[np.ix_(order, order)], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=panel, label="correlation", aspect=40, pad=0.01)
    for edge in np.cumsum([len(group) for group in groups])[:-1]:
        panel.axhline(edge - 0.5, color="k", linewidth=0.6)
        panel.axvline(edge - 0.5, color="k", linewidth=0.6)
    names = [subject.log.children[child] for child in order]
    places = evenly(len(order), READABLE) if max(map(len, names)) <= SHORT else []
    panel.set_xticks(places, [names[place] for place in places], rotation=90, fontsize=6)
    panel.set_yticks(places, [names[place] for place in places], fontsize=6)
    return Drawn(
        figure,
        f"Correlation of the accuracies of {children_of(subject.log)} over the last mini-batches, mean of "
        f"{number_of(len(subject.dense()), 'instance')}; lines: {len(groups)} average-linkage clusters."
        + (f" Never vary, and count as uncorrelated: {len(constant)}." if constant else ""),
    )


def interference_bars(subject: Subject) -> Drawn:
    """What a child gains by its own mini-batch, and by those of children that share a choice with it."""
    found = by_statistics(subject.log, subject.seed)
    if not found:
        raise Lacking("needs looks after each of the last mini-batches that say which child it was for")
    figure = Figure(figsize=(WIDTH, 3.2))
    left, right = figure.subplots(1, 2, sharey=True)
    for number, (kind, report) in enumerate(found.items()):
        for panel, part, key in ((left, "since", "steps"), (right, "shared", "choice")):
            draw_intervals(panel, report[part], number, f"{kind} statistics" if panel is left else "")
            panel.set_xticks(range(len(report[part])), [str(row[key]) for row in report[part]])
    for panel in (left, right):
        panel.axhline(0, color="0.6", linewidth=0.8)
    left.set(xlabel="mini-batches since the child's own", ylabel="gain, percentage points")
    right.set(xlabel="choice shared with the child just trained")
    explain(figure)
    first = next(iter(found.values()))
    return Drawn(
        figure,
        f"What training does to accuracy, with 95 % intervals over {number_of(first['looks'], 'look')} at "
        f"{number_of(first['supernets'], 'supernet')} of {children_of(subject.log)}.",
    )


def draw_intervals(panel: Axes, rows: list[dict[str, Any]], number: int, label: str) -> None:
    """Dots with their intervals, where known, a little to the right of those of the kinds before."""
    known = [(place, row) for place, row in enumerate(rows) if row["low"] is not None]
    values = np.array([row["value"] for _, row in known])
    ends = np.array([[row["low"] for _, row in known], [row["high"] for _, row in known]])
    panel.errorbar(
        [place + 0.15 * number for place, _ in known], values, np.abs(ends - values), fmt="o", color=LINES[number],
        capsize=3, label=label,
    )  # fmt: skip
