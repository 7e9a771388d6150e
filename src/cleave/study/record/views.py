"""A log as it is looked at: what was seen with one kind of statistics, instance by instance or supernet by supernet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleave.errors import unknown
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
