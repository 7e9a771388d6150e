"""Everything that is computed from a log, as one object for JSON, text, page and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cleave.stats.ranking import defined
from cleave.stats.ties import shared_first
from cleave.study.analysis.ceiling import Ceiling, ceiling
from cleave.study.analysis.estimates import (
    across,
    gt_tau_estimate,
    known_of,
    s_tau_estimate,
    series_estimate,
    simulated_estimate,
)
from cleave.study.analysis.jumps import jumps
from cleave.study.analysis.metrics import gt_taus, mean, own_places, s_tau, spread, tau_pairs, taus, tnr
from cleave.study.analysis.metrics_table import TOP, table
from cleave.study.analysis.rankings import EPOCHS
from cleave.study.record.log import Log, Looks, Numbers
from cleave.study.record.truth import Truth
from cleave.study.record.views import Seen, groups_seen, images_of, see

Part = dict[str, Any]
LOOKS = (64, 10)
"""Windows of dense looks in addition to the one asked for: those of the paper."""
SPREAD = ("mean", "std", "max", "min")


def report(
    log: Log, truth: Truth | None, statistics: str | None = None, last: int | None = None, seed: int = 0
) -> Part:
    """Every metric of a log; None for what it does not offer, or what needs a truth where there is none.

    gt_tau_mean, _std, _max and _min are over the last `last` dense looks (default: all), averaged over instances; the
    parts say of what they are. All are of one kind of statistics (default: the log's first) but "rankings", the table
    (see `metrics_table.table`), which has all kinds. UserError where a child is missing, or the statistics.
    """
    seen = see(log, statistics)
    top = ceiling(truth, seed) if truth else None
    windows = window_parts(seen, truth, last, seed) if truth else []
    return {
        **{f"gt_tau_{name}": windows[0]["gt_tau"][name]["mean"] if windows else None for name in SPREAD},
        "log": log.name,
        "truth": truth_part(truth),
        "space": log.space.name,
        "children": list(log.children),
        "statistics": seen.statistics,
        "images": images_of(log),
        "n": counts(log, seen),
        "looks": windows,
        "instances": instances_part(seen, truth, seed) if truth else None,
        "epochs": window_part(seen.epochs, EPOCHS, truth, seed) if truth and seen.epochs else None,
        "rankings": table(log, truth, top, seed) if truth else [],
        "s_tau": s_tau_parts(seen, top, seed),
        "just_trained": just_trained(log, seen.statistics, seed),
        "jumps": jumps(log, seed),
        "reported": reported(log, seen.statistics, truth, seed) if truth else None,
        "groups": group_parts(log, seen, truth, last) if truth else [],
    }


def reported(log: Log, statistics: str, truth: Truth, seed: int) -> Part | None:
    """GT-Tau of the last looks at the test images, where children are ranked by others."""
    rows = log.where(images="test", statistics=statistics, tuned=0, dense=False)
    if images_of(log) == "test" or not len(rows.rows["step"]):
        return None
    scores = [rows.looks(instance, dense=False, images="test").accuracy[-1:] for instance in rows.instances]
    return {"images": "test", "instances": len(scores), "gt_tau": gt_tau_estimate(scores, truth.mean, seed)}


def counts(log: Log, seen: Seen) -> dict[str, int]:
    """Of what the figures are."""
    return {
        "children": len(log.children),
        "instances": len(seen.latest),
        "dense_looks": max(map(len, seen.dense), default=0),
        "epoch_looks": max(map(len, seen.epochs), default=0),
    }


def truth_part(truth: Truth | None) -> Part | None:
    """Which truth, of how many runs, and its best and mean accuracy (percent)."""
    if truth is None:
        return None
    return {"file": truth.name, "runs": truth.runs, "best": float(truth.mean.max()), "mean": float(truth.mean.mean())}


def window_parts(seen: Seen, truth: Truth, last: int | None, seed: int) -> list[Part]:
    """The window asked for first, then the paper's that the dense looks are enough for."""
    available = min(map(len, seen.dense), default=0)
    lengths = dict.fromkeys(min(length, available) for length in (last or available, *LOOKS))
    return [window_part(seen.dense, length, truth, seed) for length in lengths if length]


def window_part(each: Sequence[Looks], length: int, truth: Truth, seed: int) -> Part:
    """GT-Tau, T1R and T3R over the last `length` looks at each instance.

    {"last", "gt_tau": {"mean", "std", "max", "min"}, "t1r", "t3r"}: {"mean", "std"} across instances of each of these
    figures, those of GT-Tau over the looks in which it is defined; "estimate": of the mean GT-Tau; "looks": at all
    instances, "defined": in how many of them GT-Tau is, "shared_first": in how many several share the highest score.
    """
    windows = [looks.last(length) for looks in each]
    estimate = gt_tau_estimate([looks.accuracy for looks in windows], truth.mean, seed)
    values = [spread(gt_taus(looks, truth)) for looks in windows]
    return {
        "last": max(map(len, windows)),
        "instances": len(windows),
        "gt_tau": {name: across([one[name] for one in values]) for name in SPREAD},
        "estimate": estimate,
        "looks": estimate["of"],
        "defined": estimate["defined"],
        "shared_first": sum(shared_first(row) > 1 for looks in windows for row in looks.accuracy),
        **tnr_parts([looks.accuracy for looks in windows], truth),
    }


def tnr_parts(sets: Sequence[Numbers] | Numbers, truth: Truth) -> Part:
    """t1r and t3r over instances, each the mean over its rankings [n, children]."""
    every = [np.array([[tnr(one, truth.mean, n) for n in TOP] for one in scores]) for scores in sets]
    each = [found.mean(axis=0) for found in every]
    return {f"t{n}r": across([float(one[column]) for one in each]) for column, n in enumerate(TOP)}


def last_scores(seen: Seen) -> Numbers:
    """The last look at each instance [instances, children]."""
    return np.array([looks.accuracy[-1] for looks in seen.latest])


def instances_part(seen: Seen, truth: Truth, seed: int) -> Part | None:
    """Each instance by its last look: GT-Tau with its single values, T1R and T3R; "shared_first" as of a window."""
    scores = last_scores(seen)
    if not len(scores):
        return None
    gt_tau = gt_tau_estimate(list(scores[:, np.newaxis]), truth.mean, seed)
    values = [defined(value) for value in taus(scores, truth.mean).tolist()]
    tied = sum(shared_first(one) > 1 for one in scores)
    return {"gt_tau": {**gt_tau, "values": values}, **tnr_parts(scores[:, np.newaxis], truth), "shared_first": tied}


def s_tau_parts(seen: Seen, top: Ceiling | None, seed: int) -> dict[str, Part | None]:
    """S-Tau between instances; within one, between its last epochs or dense looks; between runs of the truth.

    Each is an `Estimate` with "pairs", the number of pairs of rankings, and the "max" and "min" of those in which it is
    "defined".
    """
    return {
        "instances": s_tau_part([last_scores(seen)], seed),
        "epochs": s_tau_part([looks.last(EPOCHS).accuracy for looks in seen.epochs], seed),
        "looks": s_tau_part([looks.last(EPOCHS).accuracy for looks in seen.dense], seed),
        "truth": truth_s_tau(top, seed) if top else None,
    }


def s_tau_part(each: Sequence[Numbers], seed: int) -> Part | None:
    """S-Tau within each set of rankings [n, children], averaged over those of more than one."""
    sets = [scores for scores in each if len(scores) > 1]
    return {**s_tau_estimate(sets, seed), **pairs_part(sets)} if sets else None


def truth_s_tau(top: Ceiling, seed: int) -> Part:
    """S-Tau between runs of the truth."""
    if not top.simulated:
        return {**s_tau_estimate(list(top.runs), seed), **pairs_part(top.runs), "simulated": False}
    values = np.array([s_tau(runs) for runs in top.runs])
    return {**simulated_estimate(values), **pairs_part(top.runs), "simulated": True}


def pairs_part(sets: Sequence[Numbers] | Numbers) -> Part:
    """The extremes of the pairs within sets of rankings."""
    every = np.concatenate([tau_pairs(scores) for scores in sets])
    pairs = spread(every)
    return {"max": pairs["max"], "min": pairs["min"], "pairs": len(every), **known_of([every])}


def just_trained(log: Log, statistics: str, seed: int) -> Part | None:
    """How the child that was just trained ranks among those of its supernet, over all dense looks where it is known.

    "rank": its mean rank, an `Estimate`, and "mean_rank", its value; "first": how often it is first, 0 to 1, a place
    that k children share counting 1 / k; "chance_rank", "chance_first": the same of a child drawn at random.
    """
    every = [looks for each in groups_seen(log, statistics, dense=True).values() for looks in each]
    found = [(*own_places(looks), len(looks.children)) for looks in every]
    own, first = (np.concatenate([np.zeros(0), *(each[part] for each in found)]) for part in (0, 1))
    if not len(own):
        return None
    among = np.concatenate([np.full(len(ranks), children) for ranks, _, children in found])
    rank = series_estimate(own, seed)
    chance = {"chance_rank": mean((among + 1) / 2), "chance_first": mean(1 / among)}
    return {"rank": rank, "mean_rank": rank["value"], "first": mean(first), **chance, "looks": len(own)}


def group_parts(log: Log, seen: Seen, truth: Truth, last: int | None) -> list[Part]:
    """GT-Tau among each supernet's own children, mean over the last looks and instances; none where all share one.

    "defined": in how many of the "looks" it is.
    """
    dense = bool(seen.dense)
    length = (last or max(map(len, seen.dense))) if dense else EPOCHS
    accuracies = dict(zip(log.children, truth.mean, strict=True))

    def own_taus(looks: Looks) -> Numbers:
        return taus(looks.last(length).accuracy, np.array([accuracies[child] for child in looks.children]))

    found = groups_seen(log, seen.statistics, dense=dense)
    parts = []
    for number, each in found.items():
        values = np.concatenate([own_taus(looks) for looks in each])
        known = {"gt_tau": defined(mean(values)), "defined": int(np.isfinite(values).sum()), "looks": len(values)}
        parts.append({"group": number, "children": list(each[0].children), **known})
    return parts if len(parts) > 1 else []
