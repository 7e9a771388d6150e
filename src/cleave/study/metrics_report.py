"""Everything that is computed from a log, as one object for JSON, text, page and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cleave.stats.ranking import defined
from cleave.study.ceiling import Ceiling, ceiling
from cleave.study.log import Log, Looks, Numbers
from cleave.study.metrics import (
    across,
    gt_tau_interval,
    gt_taus,
    mean,
    mean_interval,
    own_ranks,
    s_tau,
    s_tau_interval,
    spread,
    tau_pairs,
    taus,
    tnr,
)
from cleave.study.metrics_table import TOP, estimate, gt_tau, table
from cleave.study.rankings import EPOCHS, Seen, groups_seen, images_of, see
from cleave.study.truth import Truth

Part = dict[str, Any]
LOOKS = (64, 10)
"""Windows of dense looks beside the one asked for: a cycle of the published space, and the paper's other one."""


def report(
    log: Log, truth: Truth | None, statistics: str | None = None, last: int | None = None, seed: int = 0
) -> Part:
    """Every metric of a log; None for what it does not offer, or what needs a truth where there is none.

    gt_tau_mean, _std, _max and _min are over the last `last` dense looks (default: all), averaged over instances; the
    parts say of what they are. All are of one kind of statistics (default: the log's first) but "rankings", the table
    (see `metrics_table.table`), which has all kinds.
    """
    seen = see(log, statistics)
    top = ceiling(truth, seed) if truth else None
    windows = window_parts(seen, truth, last, seed)
    return {
        **headline(windows),
        "log": log.name,
        "truth": truth_part(truth),
        "space": log.space.name,
        "children": list(log.children),
        "statistics": seen.statistics,
        "images": images_of(log),
        "n": counts(seen),
        "looks": windows,
        "instances": instances_part(seen, truth, seed) if truth else None,
        "epochs": window_part(seen.epochs, EPOCHS, truth, seed) if truth else None,
        "rankings": table(log, truth, top, seed) if truth else [],
        "s_tau": s_tau_parts(seen, top, seed),
        "just_trained": just_trained(log, seen.statistics, seed),
        "groups": group_parts(log, seen, truth, last),
    }


def counts(seen: Seen) -> dict[str, int]:
    """Of what the figures are."""
    best = seen.best
    return {
        "children": len(best[0].children) if best else 0,
        "instances": len(best),
        "dense_looks": max(map(len, seen.dense), default=0),
        "epoch_looks": max(map(len, seen.epochs), default=0),
    }


def truth_part(truth: Truth | None) -> Part | None:
    if truth is None:
        return None
    return {"file": truth.name, "runs": truth.runs, "best": float(truth.mean.max()), "mean": float(truth.mean.mean())}


def window_parts(seen: Seen, truth: Truth | None, last: int | None, seed: int) -> list[Part]:
    """The window asked for first, then the usual ones that the dense looks are enough for."""
    available = min(map(len, seen.dense), default=0)
    if truth is None or not available:
        return []
    asked = min(last or available, available)
    lengths = dict.fromkeys([asked, *(length for length in LOOKS if length <= available)])
    return [part for length in lengths if (part := window_part(seen.dense, length, truth, seed))]


def window_part(each: Sequence[Looks], length: int, truth: Truth, seed: int) -> Part | None:
    """GT-Tau, T1R and T3R over the last so many looks of each instance.

    {"last", "instances", "gt_tau": {"mean", "std", "max", "min"}, "t1r", "t3r"}: of each {"mean", "std"} across
    instances; "interval" of the mean GT-Tau.
    """
    if not each:
        return None
    windows = [looks.last(length) for looks in each]
    values = [spread(gt_taus(looks, truth)) for looks in windows]
    return {
        "last": max(map(len, windows)),
        "instances": len(windows),
        "gt_tau": {name: across(values, name) for name in ("mean", "std", "max", "min")},
        "interval": window_interval(windows, truth, seed),
        **tnr_parts([np.mean(tnrs(looks.accuracy, truth), axis=0) for looks in windows]),
    }


def window_interval(windows: Sequence[Looks], truth: Truth, seed: int) -> Part:
    """Of the mean GT-Tau: over instances, or of one over children."""
    means = np.array([mean(gt_taus(looks, truth)) for looks in windows])
    if len(windows) > 1:
        return estimate(means, mean_interval(means, seed), "instances")
    return estimate(means, gt_tau_interval(windows[0].accuracy, truth, seed), "children")


def tnrs(scores: Numbers, truth: Truth) -> Numbers:
    """TnR of each ranking [n, children] for each of `TOP`: [n, TOP]."""
    return np.array([[tnr(one, truth.mean, n) for n in TOP] for one in scores], dtype=np.float64)


def tnr_parts(each: Sequence[Numbers] | Numbers) -> Part:
    """t1r and t3r: mean and deviation (ddof 0) of what is [n, TOP]."""
    return {
        f"t{n}r": {"mean": float(np.mean(column)), "std": float(np.std(column))}
        for n, column in zip(TOP, np.array(each).T, strict=True)
    }


def headline(windows: Sequence[Part]) -> dict[str, float | None]:
    """The first window's figures by themselves."""
    names = ("mean", "std", "max", "min")
    return {f"gt_tau_{name}": windows[0]["gt_tau"][name]["mean"] if windows else None for name in names}


def last_scores(seen: Seen) -> tuple[str, Numbers]:
    """The last look at each instance [instances, children]: at the end of an epoch where there are such."""
    return ("last epoch" if seen.epochs else "last look"), np.array(
        [looks.accuracy[-1] for looks in seen.epochs or seen.dense]
    )


def instances_part(seen: Seen, truth: Truth, seed: int) -> Part | None:
    """Each instance by its last look: GT-Tau with its single values, T1R and T3R."""
    of, scores = last_scores(seen)
    if not len(scores):
        return None
    values = [defined(value) for value in taus(scores, truth.mean).tolist()]
    return {"of": of, "gt_tau": {**gt_tau(scores, truth, seed), "values": values}, **tnr_parts(tnrs(scores, truth))}


def s_tau_parts(seen: Seen, top: Ceiling | None, seed: int) -> dict[str, Part | None]:
    """S-Tau between instances, between the last epochs and the last dense looks of one, and between runs of the truth."""
    of, scores = last_scores(seen)
    between = s_tau_part([scores], seed)
    truth = s_tau_part(list(top.runs), seed) if top else None
    return {
        "instances": {**between, "of": of} if between else None,
        "epochs": s_tau_part([looks.last(EPOCHS).accuracy for looks in seen.epochs], seed),
        "looks": s_tau_part([looks.last(EPOCHS).accuracy for looks in seen.dense], seed),
        "truth": {**truth, "simulated": top.simulated} if truth and top else None,
    }


def s_tau_part(each: Sequence[Numbers], seed: int) -> Part | None:
    """S-Tau within each of several sets of rankings [n, children]: {"value", "max", "min", "pairs", "low", ...}."""
    each = [scores for scores in each if len(scores) > 1]
    if not each:
        return None
    pairs, means = (
        spread(np.concatenate([tau_pairs(scores) for scores in each])),
        np.array([s_tau(scores) for scores in each]),
    )
    bounds = mean_interval(means, seed) if len(each) > 1 else s_tau_interval(each[0], seed)
    over = "sets" if len(each) > 1 else "children"
    return {**estimate(means, bounds, over), "max": pairs["max"], "min": pairs["min"], "pairs": pairs["n"]}


def just_trained(log: Log, statistics: str, seed: int) -> Part | None:
    """How the child that was just trained ranks among those of its supernet, over all looks where it is known."""
    found = [(own_ranks(looks), looks) for each in groups_seen(log, statistics, dense=True).values() for looks in each]
    own = np.concatenate([ranks for ranks, _ in found], dtype=np.float64) if found else np.array([])
    if not len(own):
        return None
    chance = sum(len(ranks) * (len(looks.children) + 1) / 2 for ranks, looks in found) / len(own)
    low, high = mean_interval(own, seed)
    return {
        "mean_rank": float(own.mean()), "low": low, "high": high, "chance_rank": chance,
        "first": float((own == 1).mean()), "looks": len(own),
    }  # fmt: skip


def group_parts(log: Log, seen: Seen, truth: Truth | None, last: int | None) -> list[Part]:
    """GT-Tau of each supernet's own children, mean over its looks and instances; empty where all share one."""
    dense = bool(seen.dense)
    found = groups_seen(log, seen.statistics, dense=dense)
    length = (last or max(map(len, seen.dense))) if dense else EPOCHS
    places = {child: place for place, child in enumerate(log.children)}

    def own_tau(each: Sequence[Looks]) -> float | None:
        if truth is None:
            return None
        own = [truth.mean[[places[child] for child in looks.children]] for looks in each]
        values = [taus(looks.last(length).accuracy, true) for looks, true in zip(each, own, strict=True)]
        return defined(mean(np.concatenate(values)))

    if len(found) < 2:
        return []
    return [
        {"group": number, "children": list(each[0].children), "gt_tau": own_tau(each)} for number, each in found.items()
    ]
