"""Where a ranking of children can come from: the last look, averages over looks, children tuned alone."""

from __future__ import annotations

import numpy as np

from cleave.study.record.log import Looks, Numbers
from cleave.study.record.views import Seen, average

EPOCHS = 10
"""Looks at ends of epochs that are averaged, as many as the paper looks at together."""


def rankings(seen: Seen) -> dict[str, Numbers]:
    """Scores [instances, children] by where they come from; higher is better. Only what the log offers.

    snapshot: the last look (`Seen.latest`); cycle average: the mean accuracy over as many of the last dense looks as
    there are children (where all share and take turns, each was trained once in these); dense average: over all dense
    looks; epoch average: over the last 10 epochs; tuned n: after n mini-batches alone, from the last snapshot that was
    tuned.
    """
    sources = {
        "snapshot": [looks.last(1) for looks in seen.latest],
        "cycle average": [looks.last(len(looks.children)) for looks in seen.dense if len(looks) >= len(looks.children)],
        "dense average": list(seen.dense),
        "epoch average": [looks.last(EPOCHS) for looks in seen.epochs],
        **{f"tuned {count}": [looks.last(1) for looks in tuned] for count, tuned in seen.tuned.items()},
    }
    return {name: np.stack([average(looks.accuracy) for looks in each]) for name, each in sources.items() if each}


def cycle_averages(looks: Looks, length: int | None = None) -> Numbers:
    """Mean accuracies [windows, children] of `length` looks in a row (default: one cycle, as many as children)."""
    cycle = length or len(looks.children)
    windows = [looks.accuracy[first : first + cycle] for first in range(len(looks) - cycle + 1)]
    return np.array([average(window) for window in windows]).reshape(len(windows), len(looks.children))
