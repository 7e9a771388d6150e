"""What ranks children without a supernet: chance, what they are made of, their cost, a model of the truth itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cleave.net.cost import costs, weights
from cleave.space import Arch, Space
from cleave.stats.ties import level
from cleave.study.analysis.metrics import regret, tnr, top_accuracy
from cleave.study.record.log import Log, Numbers
from cleave.study.record.truth import Truth

RANDOM = "random"


def baselines(log: Log, truth: Truth, seed: int) -> dict[str, Numbers]:
    """Scores [children] by name; higher is better.

    Both additive models are least squares on the choices. One was fitted on the truth that it is compared with; the
    other predicts each child from the rest, and shows what the model is worth.
    """
    archs = [log.space.parse(child) for child in log.children]
    return {
        RANDOM: np.random.default_rng(seed).random(len(archs)),
        "fewest weightless operations": -weightless(log.space, archs),
        **sizes(log, archs),
        "additive, fitted on the truth": additive(log.space, archs, truth.mean),
        "additive, each from the others": additive_from_others(log.space, archs, truth.mean),
    }


def weightless(space: Space, archs: Sequence[Arch]) -> Numbers:
    """The number of choices of each architecture at which it has no weights: pools, skips."""
    known = weights(space)
    return np.array([len(arch) - len(known.learning(arch)) for arch in archs], dtype=np.float64)


def sizes(log: Log, archs: Sequence[Arch]) -> dict[str, Numbers]:
    """Parameters and multiply-adds of each, built alone at the log's size."""
    channels, height, width = log.meta["image"]
    cost = costs(log.space, log.size, (channels, height, width), log.meta["classes"])
    each = [cost.of(arch) for arch in archs]
    return {
        "parameters": np.array([one.parameters for one in each], dtype=np.float64),
        "multiply-adds": np.array([one.multiply_adds for one in each], dtype=np.float64),
    }


def additive(space: Space, archs: Sequence[Arch], true: Numbers) -> Numbers:
    """The least-squares fit of `true` by a sum of one number per choice and candidate; equal sums are equal."""
    codes = one_hot(space, archs)
    return level(fitted(codes, true, codes))


def additive_from_others(space: Space, archs: Sequence[Arch], true: Numbers) -> Numbers:
    """The prediction for each of two or more architectures of an additive model of all others."""
    codes, everyone = one_hot(space, archs), np.arange(len(archs))
    others = [everyone != left_out for left_out in everyone]
    return level(np.array([fitted(codes[kept], true[kept], codes[~kept])[0] for kept in others]))


def one_hot(space: Space, archs: Sequence[Arch]) -> Numbers:
    """1 where an architecture has a candidate of a choice: [architectures, candidates of all choices]."""
    has = [[arch[choice.name] == name for choice in space.choices for name in choice.candidates] for arch in archs]
    return np.array(has, dtype=np.float64)


def fitted(codes: Numbers, true: Numbers, asked: Numbers) -> Numbers:
    """Predictions for `asked` of the smallest least-squares fit of `true` by `codes`; what was unseen adds nothing."""
    effects = np.linalg.lstsq(codes, true - true.mean(), rcond=None)[0]
    predicted: Numbers = true.mean() + asked @ effects
    return predicted


def expected(true: Numbers) -> dict[str, float]:
    """What a ranking at random has on average, exactly: gt_tau, and for n = 1, 3 TnR, regret and top accuracy.

    What one score for all has by the same measures.
    """
    alike = np.zeros(len(true))
    measures = {"t{}r": tnr, "regret{}": regret, "top{}": top_accuracy}
    found = {name.format(n): measure(alike, true, n) for n in (1, 3) for name, measure in measures.items()}
    return {"gt_tau": 0.0, **found}
