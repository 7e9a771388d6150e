"""The noise ceiling: how well single runs of the truth rank children. No supernet can be expected to beat that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleave.stats.ties import level
from cleave.study.record.log import Numbers
from cleave.study.record.truth import Truth

SIMULATIONS = 100


@dataclass(frozen=True)
class Ceiling:
    """Single runs [studies, runs, children], percent, and what each can be compared with, of the same shape.

    Against the mean of the other runs they are the honest ceiling; against the mean of all, in which they are
    themselves, they look better than they are. One study where the runs are known.
    """

    runs: Numbers
    simulated: bool

    @property
    def others(self) -> Numbers:
        sums: Numbers = self.runs.sum(axis=1, keepdims=True)
        return level((sums - self.runs) / (self.runs.shape[1] - 1))

    @property
    def everyone(self) -> Numbers:
        return np.broadcast_to(level(self.runs.mean(axis=1, keepdims=True)), self.runs.shape)


def ceiling(truth: Truth, seed: int) -> Ceiling | None:
    """The runs of the truth, or simulated ones; None where there are fewer than two, or their spread is not known.

    Simulated runs are normal and independent, given that their means and deviations are those of the truth, so that
    nothing has to be assumed about what these would be without noise. For the published table of cells64 they give
    S-Tau .702 and GT-Tau .787, where the paper has .7120 and .7985 from the runs themselves (its Tables 1 and 2): those
    are more alike than independent runs would be. So a simulated ceiling is about .01 low.
    """
    if truth.finals is not None:
        return Ceiling(truth.finals[np.newaxis], simulated=False) if len(truth.finals) > 1 else None
    if truth.std is None or truth.runs is None or truth.runs < 2:
        return None
    return Ceiling(simulate(truth.mean, truth.std, truth.runs, seed), simulated=True)


def simulate(mean: Numbers, std: Numbers, runs: int, seed: int) -> Numbers:
    """Normal runs [SIMULATIONS, runs, children] whose means and deviations (ddof 0) over runs are exactly these.

    Standardised normal numbers are, whatever the unknown parameters, distributed as normal runs are given their mean
    and deviation (the two are sufficient).
    """
    drawn = np.random.default_rng(seed).normal(size=(SIMULATIONS, runs, len(mean)))
    centred: Numbers = drawn - drawn.mean(axis=1, keepdims=True)
    standard: Numbers = centred / centred.std(axis=1, keepdims=True)
    return mean + std * standard
