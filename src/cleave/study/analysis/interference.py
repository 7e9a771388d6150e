"""How training one child moves the others (2001.01431, section 4.3): by time, by shared choice, by pairs.

All is computed from looks after each of the last mini-batches. The intervals (95 %) are bootstrapped over blocks of
successive looks, which resemble each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleave.space import Space
from cleave.stats.bootstrap import block_length
from cleave.stats.ranking import Statistic, with_interval
from cleave.study.record.log import Log, Looks, Numbers
from cleave.study.record.views import groups_seen

STEPS = 8
"""The numbers of mini-batches since a child's own that are reported: 0 to 7."""

NONE: dict[str, float | None] = {"value": None, "low": None, "high": None}

SINGULAR = 1e9
"""The condition number from which on effects cannot be told apart."""


def interference(log: Log, seed: int, statistics: str | None = None) -> dict[str, Any] | None:
    """Both effects over all supernets of a log; None where it is not known which child each mini-batch was for.

    {"supernets", "looks": how many, "since": [{"steps", "value", "low", "high", "n"}], "shared": [{"choice", "value",
    "low", "high"}]}; values in percentage points, None where undefined.
    """
    every = [looks for instances in groups_seen(log, statistics, dense=True).values() for looks in instances]
    supernets = [looks for looks in every if None not in looks.trained and min(looks.accuracy.shape) > 1]
    if not supernets:
        return None
    return {
        "supernets": len(supernets),
        "looks": sum(map(len, supernets)),
        "since": gains(supernets, seed),
        "shared": shared_effects(supernets, log.space, seed),
    }


def by_statistics(log: Log, seed: int) -> dict[str, dict[str, Any]]:
    """The same for every kind of statistics that the log has it for: what is left of it without running statistics."""
    found = {kind: interference(log, seed, kind) for kind in log.statistics}
    return {kind: report for kind, report in found.items() if report is not None}


def excess(looks: Looks) -> Numbers:
    """Percentage points [looks, children] above the mean of the look, less the child's own mean of that.

    So neither a look at which all are good counts, nor a child that is always good.
    """
    beside = looks.accuracy - looks.accuracy.mean(axis=1, keepdims=True)
    return np.asarray(beside - beside.mean(axis=0))


def since_trained(looks: Looks) -> Numbers:
    """Mini-batches [looks, children] since the child's last one, from 0; NaN where that was before the looks began."""
    last = np.full(len(looks.children), nan)
    since = np.empty(looks.accuracy.shape)
    for look, (step, child) in enumerate(zip(looks.steps.tolist(), looks.trained, strict=True)):
        last[own(looks, child)] = step
        since[look] = step - last
    return since


def own(looks: Looks, child: str | None) -> NDArray[np.bool_]:
    """Which column [children] is that child's: none where only others are looked at."""
    return np.array([name == child for name in looks.children])


def gains(supernets: Sequence[Looks], seed: int) -> list[dict[str, Any]]:
    """The mean excess of children by mini-batches since their own, with its interval: None for fewer than two."""
    values = [(since_trained(looks), excess(looks)) for looks in supernets]
    found = []
    for steps in range(STEPS):
        gained = np.concatenate([much[since == steps] for since, much in values])
        effect = {**NONE, "value": float(gained[0]) if len(gained) else None}
        if len(gained) > 1:
            effect = with_interval(
                lambda drawn, _: float(drawn.mean()), gained, gained, seed, block_length(len(gained))
            )
        found.append({"steps": steps, **effect, "n": len(gained)})
    return found


def shared_effects(supernets: Sequence[Looks], space: Space, seed: int) -> list[dict[str, Any]]:
    """By choice: how much better off children are that have the candidate of the child just trained.

    Least squares of the excess on "shares the candidate" for all choices at once, with a level per look; the child
    just trained is left out. On the published looks: 4.1, .6 and .7 points for O01, O02 and O12. (Marginal means over
    their last cycle, with the child itself included, are 4.2, .7 and .7.) A choice that all share has no effect.
    """
    parts = [normal_equations(looks, space) for looks in supernets]
    products, moments = (np.concatenate(part) for part in zip(*parts, strict=True))
    varied = np.flatnonzero(products.sum(axis=0).diagonal() > 0).tolist()
    products, moments = products[:, varied][:, :, varied], moments[:, varied]
    block = block_length(len(products))
    effects = {
        number: with_interval(effect_of(place), products, moments, seed, block) for place, number in enumerate(varied)
    }
    return [{"choice": choice.name, **effects.get(number, NONE)} for number, choice in enumerate(space.choices)]


def effect_of(place: int) -> Statistic:
    """The effect of one choice as a function of products [looks, choices, choices] and moments [looks, choices]."""
    return lambda products, moments: float(solved(products, moments)[place])


def solved(products: Numbers, moments: Numbers) -> Numbers:
    """The least-squares solution [choices] of equations that are summed over looks; NaN where there are several."""
    matrix = products.sum(axis=0)
    if not np.linalg.cond(matrix) < SINGULAR:
        return np.full(len(matrix), nan)
    return np.asarray(np.linalg.solve(matrix, moments.sum(axis=0)))


def normal_equations(looks: Looks, space: Space) -> tuple[Numbers, Numbers]:
    """What each look adds to the normal equations: products [looks, choices, choices], moments [looks, choices]."""
    others = np.stack([~own(looks, child) for child in looks.trained])[:, :, None]
    shared = shares(looks, space)
    level = (shared * others).sum(axis=1, keepdims=True) / np.maximum(others.sum(axis=1, keepdims=True), 1)
    centred = (shared - level) * others
    products = np.einsum("lci,lcj->lij", centred, centred)
    return products, np.einsum("lci,lc->li", centred, excess(looks))


def shares(looks: Looks, space: Space) -> NDArray[np.bool_]:
    """Whether [looks, children, choices] a child has the candidate of the child just trained."""
    archs = {name: space.parse(name) for name in {*looks.children, *looks.trained} if name is not None}
    names = [choice.name for choice in space.choices]
    children = np.array([[archs[child][name] for name in names] for child in looks.children])
    trained = np.array([[archs[child][name] for name in names] for child in looks.trained if child is not None])
    return np.asarray(trained[:, None, :] == children[None, :, :])
