"""A log as it is looked at: what was seen by one kind of statistics, and how accuracies go together there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleave.errors import UserError, unknown
from cleave.stats.clusters import correlation, varying
from cleave.stats.ties import level
from cleave.study.record.log import Log, Looks, Numbers


@dataclass(frozen=True)
class Seen:
    """What was seen with one kind of statistics: per instance the looks at all its supernets together.

    An instance that has no looks of a kind is left out there.
    """

    statistics: str
    dense: tuple[Looks, ...]
    epochs: tuple[Looks, ...]
    tuned: dict[int, tuple[Looks, ...]]  # by the number of mini-batches that children were trained on alone

    @property
    def latest(self) -> tuple[Looks, ...]:
        """The looks at ends of epochs, or the dense looks where there are none; an instance's last is among them."""
        return self.epochs or self.dense


def see(log: Log, statistics: str | None = None) -> Seen:
    """The looks with these statistics (default: the first that the log has), at the log's images (`images_of`).

    UserError for statistics that the log does not have, or where a child is missing.
    """
    kind = log.statistics[0] if statistics is None else statistics
    if kind not in log.statistics:
        raise unknown(f"{log.name}: --statistics", kind, log.statistics)
    part = log.where(statistics=kind, images=images_of(log))
    plain, tuned = part.where(tuned=0), sorted({int(count) for count in np.unique(part.rows["tuned"])} - {0})
    return Seen(
        kind,
        dense=each_instance(plain.where(dense=True), dense=True),
        epochs=each_instance(plain.where(dense=False), dense=False),
        tuned={count: each_instance(untuned(part.where(tuned=count)), dense=False) for count in tuned},
    )


def images_of(log: Log) -> str:
    """held-out, or test where nothing else was looked at."""
    kinds = set(log.rows["images"].tolist())
    return "held-out" if "held-out" in kinds or not kinds else "test"


def each_instance(log: Log, dense: bool) -> tuple[Looks, ...]:
    """The looks at each instance; every row of the log is of that kind."""
    images = images_of(log)
    return tuple(log.looks(instance, dense=dense, images=images) for instance in log.instances)


def untuned(log: Log) -> Log:
    """Looks at tuned children as if they were looks at supernets at ends of epochs."""
    count = len(log.rows["step"])
    plain = {"tuned": np.zeros(count, dtype=np.int32), "dense": np.zeros(count, dtype=bool)}
    return Log(log.name, log.meta, {**log.rows, **plain})


def groups_seen(log: Log, statistics: str | None = None, *, dense: bool) -> dict[int, tuple[Looks, ...]]:
    """The looks at each supernet by itself: by its number, one entry per instance."""
    kind, images = statistics or log.statistics[0], images_of(log)
    part = log.where(statistics=kind, images=images, dense=dense, tuned=0)
    found: dict[int, tuple[Looks, ...]] = {}
    for instance in part.instances:
        one = part.where(instance=instance)
        for number in one.groups(instance):
            looks = one.looks(instance, dense=dense, group=number, images=images)
            found[number] = (*found.get(number, ()), looks)
    return found


def average(accuracy: Numbers) -> Numbers:
    """The mean over looks, in which equal sums that were added up in another order are equal."""
    return level(accuracy.mean(axis=0))


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
