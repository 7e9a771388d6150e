"""Figure 4: children trained on alone from a snapshot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cleave.study.analysis.metrics import mean, taus
from cleave.study.record.log import Log, Numbers
from cleave.study.record.views import see
from cleave.study.telling.figures.drawing import (
    LINES,
    RANKS,
    WIDTH,
    Drawn,
    Lacking,
    Subject,
    by_rank,
    children_of,
    colour_bar,
    defined_in,
    evenly,
    number_of,
)
from cleave.study.telling.figures.stability import MOST

Tuned = dict[int, dict[int, Numbers]]
"""Accuracies [instances, children] by the epoch of the snapshot and the mini-batches since, 0 for the snapshot."""


def tuning(subject: Subject) -> Drawn:
    """Accuracy of children and GT-Tau against the mini-batch of fine-tuning, a row for each snapshot (Figure 4)."""
    found, true = tuned(subject.log), subject.true.mean
    if not found:
        raise Lacking("needs children trained on alone from a snapshot (tune.epochs)")
    figure = Figure(figsize=(WIDTH, 0.6 + 2.7 * len(found)))
    panels = figure.subplots(len(found), 2, squeeze=False, sharex=True)
    order, label = subject.ranks(true)
    norm = colour_bar(figure, panels[:, 0].tolist(), len(true), label)
    for (accuracy, tau), (epoch, looks) in zip(panels, found.items(), strict=True):
        batches, values = list(looks), np.stack([each.mean(axis=0) for each in looks.values()])
        for child in by_rank(-order)[evenly(len(true), MOST)]:
            accuracy.plot(batches, values[:, child], color=RANKS(norm(order[child])), linewidth=0.8)
        draw_taus(tau, looks, true)
        accuracy.set(ylabel="accuracy, %", title=f"from epoch {epoch}")
        tau.set(ylabel="GT-Tau", title=f"from epoch {epoch}")
    for panel in panels[-1]:
        panel.set_xlabel("mini-batches alone")
    every = np.concatenate([taus(each, true) for looks in found.values() for each in looks.values()])
    some = f"; GT-Tau is {known}" if (known := defined_in(every, "ranking")) else ""
    instances = number_of(max(len(each) for looks in found.values() for each in looks.values()), "instance")
    return Drawn(
        figure,
        f"{children_of(subject.log)} trained on alone from snapshots: accuracy (mean of {instances}) and GT-Tau "
        f"(dots: each instance, line: their mean){some}.",
    )


def draw_taus(panel: Axes, looks: Mapping[int, Numbers], true: Numbers) -> None:
    """GT-Tau of each instance and their mean."""
    values = [taus(each, true) for each in looks.values()]
    for batches, each in zip(looks, values, strict=True):
        panel.plot([batches] * len(each), each, ".", color=LINES[0], alpha=0.5, markersize=4)
    panel.plot(list(looks), [mean(each) for each in values], color=LINES[1], linewidth=2)


def tuned(log: Log) -> Tuned:
    """What there is, see `Tuned`."""
    kinds = [kind for kind in log.statistics if see(log, kind).tuned]
    seen = see(log, kinds[0] if kinds else None)
    by_batches = {0: seen.epochs, **seen.tuned}
    epochs = sorted({int(epoch) for each in seen.tuned.values() for looks in each for epoch in looks.epochs})
    found: Tuned = {epoch: {} for epoch in epochs}
    for epoch in epochs:
        for batches, each in sorted(by_batches.items()):
            rows = [row for looks in each for row in looks.accuracy[looks.epochs == epoch]]
            if rows:
                found[epoch][batches] = np.stack(rows)
    return found
