"""Figures 2 and 3: how much rankings agree with each other and with the truth, epoch by epoch and child by child."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cleave.stats.ties import mid_ranks, shared_first
from cleave.study.analysis.ceiling import ceiling
from cleave.study.analysis.metrics import mean, s_tau, tau_pairs, tnr
from cleave.study.record.log import Log, Looks, Numbers
from cleave.study.record.views import see
from cleave.study.telling.figures.drawing import (
    LINES,
    RANKS,
    Drawn,
    Lacking,
    Subject,
    by_epoch,
    by_rank,
    canvas,
    children_of,
    colour_bar,
    defined_in,
    evenly,
    explain,
    number_of,
)

MOST = 150
"""Children that fit into a figure side by side."""


def s_tau_by_epoch(subject: Subject) -> Drawn:
    """S-Tau between the instances of each study against the epoch (Figure 2)."""
    figure, panel = canvas(3.6)
    drawn, undefined = [], ""
    for (name, log), colour in zip({"this study": subject.log, **subject.beside}.items(), LINES * 9, strict=False):
        found = s_taus(see(log).epochs)
        if found is not None:
            epochs, pairs, instances = found
            values = [mean(each) for each in pairs]
            panel.plot(epochs, values, ".-", color=colour, label=f"{name} ({number_of(instances, 'instance')})")
            drawn.append(name)
            if some := defined_in(np.concatenate(pairs), "pair of rankings", "pairs of rankings"):
                undefined += f" In {name} tau is {some}."
    if not drawn:
        raise Lacking("needs two or more instances that were looked at after the same epochs")
    top = draw_ceiling(panel, subject)
    by_epoch(panel, "S-Tau between instances")
    explain(figure)
    children = children_of(subject.log)
    return Drawn(figure, f"How much instances agree on the ranking of {children}, by epoch.{undefined}{top}")


def s_taus(each: tuple[Looks, ...]) -> tuple[list[int], list[Numbers], int] | None:
    """Epochs at which all instances were looked at, the taus of their pairs at each, the number of instances.

    None for fewer than two.
    """
    if len(each) < 2:
        return None
    rows = [dict(zip(looks.epochs.tolist(), looks.accuracy, strict=True)) for looks in each]
    epochs = sorted(set.intersection(*(set(row) for row in rows)))
    pairs = [tau_pairs(np.stack([row[epoch] for row in rows])) for epoch in epochs]
    return (epochs, pairs, len(each)) if epochs else None


def draw_ceiling(panel: Axes, subject: Subject) -> str:
    """A line for the agreement of runs of the truth, where that is known; what the caption says of it."""
    top = ceiling(subject.truth, subject.seed) if subject.truth else None
    if top is None:
        return ""
    agreed = mean(np.array([s_tau(runs) for runs in top.runs]))
    panel.axhline(agreed, color="0.4", linestyle="--", label="runs of the truth")
    made = "simulated from their means and deviations" if top.simulated else "as they were"
    return f" Dashed: {top.runs.shape[1]} runs of children trained alone, {made}."


def rank_boxes(subject: Subject) -> Drawn:
    """The ranks of each child over instances, or over looks where there is only one instance (Figure 3).

    Equals of the truth stand side by side, equals under shared weights have the mean of their ranks.
    """
    scores, over = several_rankings(subject.log)
    true = mid_ranks(subject.true.mean)
    places = evenly(len(true), MOST)
    shown = by_rank(true)[places]
    figure, panel = canvas(4.2)
    panel.boxplot(
        mid_ranks(scores)[:, shown], positions=[1 + place for place in places], widths=0.6, manage_ticks=False,
        showfliers=True, flierprops={"marker": ".", "markersize": 3}, medianprops={"color": LINES[1], "linewidth": 2},
    )  # fmt: skip
    panel.plot([1, len(true)], [1, len(true)], color="0.6", linestyle=":", label="as in the truth")
    panel.set(xlabel="true rank of the child (1: best)", ylabel="rank under shared weights")
    explain(figure)
    children = children_of(subject.log, len(shown))
    return Drawn(figure, f"Ranks of {children} over {over}; boxes: quartiles, line: median.")


def several_rankings(log: Log) -> tuple[Numbers, str]:
    """Two or more rankings [n, children], and what they are rankings of."""
    seen = see(log)
    each = seen.epochs or seen.dense
    if len(each) > 1:
        return np.stack([looks.accuracy[-1] for looks in each]), f"the last looks at {len(each)} instances"
    longest = max((looks for looks in (*seen.dense, *seen.epochs)), key=len, default=None)
    if longest is None or len(longest) < 2:
        raise Lacking("needs two or more looks")
    return longest.accuracy, f"{len(longest)} looks at one instance"


def tnr_by_epoch(subject: Subject) -> Drawn:
    """T1R and T3R against the epoch, the mean over instances within their extremes."""
    length = min(map(len, subject.epochs()))
    each, true = [looks.last(length) for looks in subject.epochs()], subject.true.mean
    figure, panel = canvas(3.4)
    for n, colour in zip((1, 3), LINES, strict=False):
        values = np.array([[tnr(row, true, n) for row in looks.accuracy] for looks in each])
        epochs = each[0].epochs
        panel.plot(epochs, values.mean(axis=0), ".-", color=colour, label=f"T{n}R")
        panel.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        panel.axhline(tnr(np.zeros(len(true)), true, n), color=colour, linestyle=":", label=f"T{n}R at random")
    by_epoch(panel, "best true rank (1: best)")
    panel.set_yscale("log", base=2)
    panel.yaxis.set_major_formatter("{x:g}")
    explain(figure)
    shade = "; shaded: from the best instance to the worst" if len(each) > 1 else ""
    tied = sum(shared_first(row) > 1 for looks in each for row in looks.accuracy)
    shared = f"; in {tied} of {len(each) * length} looks several share the highest score" if tied else ""
    return Drawn(
        figure,
        f"The best true rank among the one and the three ranked highest of {children_of(subject.log)}, "
        f"mean of {number_of(len(each), 'instance')}{shade}{shared}.",
    )


def accuracy_by_epoch(subject: Subject) -> Drawn:
    """The accuracy of children at the ends of epochs, of the first instance."""
    looks = subject.epochs()[0]
    order, label = subject.ranks(looks.accuracy[-1])
    figure, panel = canvas(3.6)
    norm = colour_bar(figure, panel, len(order), label)
    shown = by_rank(-order)[evenly(len(order), MOST)].tolist()
    for child in shown:
        panel.plot(looks.epochs, looks.accuracy[:, child], ".-", color=RANKS(norm(order[child])), linewidth=0.7)
    by_epoch(panel, "accuracy under shared weights, %")
    children = children_of(subject.log, len(shown))
    return Drawn(figure, f"Accuracy of {children} by epoch, first instance, coloured by {label}.")
