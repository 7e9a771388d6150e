"""How the accuracies of children go together over a log's dense looks: what children are clustered by."""

from __future__ import annotations

import numpy as np

from cleave.errors import UserError
from cleave.stats.correlation import correlation, varying
from cleave.study.record.log import Log, Numbers
from cleave.study.record.views import see


def curves(log: Log, statistics: str | None = None) -> list[Numbers]:
    """The accuracies [looks, children] at dense looks of each instance that has two or more."""
    return [looks.accuracy for looks in see(log, statistics).dense if len(looks) > 1]


def log_correlation(log: Log, statistics: str | None = None) -> Numbers | None:
    """Correlations [children, children] of a log's dense looks; None for fewer than two.

    The mean over the instances in which both children vary; 0 where there are none (see `never_vary`).
    """
    each = curves(log, statistics)
    if not each:
        return None
    defined = np.sum([np.outer(varying(accuracy), varying(accuracy)) for accuracy in each], axis=0)
    matrix = np.asarray(np.sum([correlation(accuracy) for accuracy in each], axis=0) / np.maximum(defined, 1))
    np.fill_diagonal(matrix, 1)
    return matrix


def never_vary(log: Log, statistics: str | None = None) -> tuple[str, ...]:
    """The children whose accuracy is the same at all dense looks of every instance: they correlate with no other."""
    changes = np.any([varying(accuracy) for accuracy in curves(log, statistics)], axis=0)
    return tuple(child for child, changing in zip(log.children, changes, strict=True) if not changing)


def correlation_to_cluster(log: Log, name: str) -> Numbers:
    """What the log's children are clustered by; UserError, which begins with `name`, where nothing can be."""
    matrix = log_correlation(log)
    if matrix is None:
        raise UserError(f"{name}: has no dense looks to cluster by; use a study with looks.dense above 1")
    if still := nothing_varies(log):
        raise UserError(f"{name}: {still}; use a study in which more children's accuracies change")
    return matrix


def nothing_varies(log: Log) -> str:
    """Why the curves of a log that has dense looks cannot be clustered; empty where they can."""
    count, constant = len(log.children), len(never_vary(log))
    if not constant or count - constant > 1:
        return ""
    return f"nothing varies together: {constant} of {count} children have the same accuracy at all looks"
