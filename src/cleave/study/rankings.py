"""Where a ranking of children can come from: the last look, averages over looks, children tuned alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleave.errors import unknown
from cleave.stats.ties import level
from cleave.study.log import Log, Looks, Numbers

EPOCHS = 10
"""Looks at ends of epochs that are averaged, as many as the paper looks at together."""


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
        """The looks whose last is the last of an instance: at ends of epochs where there are such, else dense ones."""
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


def rankings(seen: Seen) -> dict[str, Numbers]:
    """Scores [instances, children] by where they come from; higher is better. Only what the log offers.

    snapshot: the last look (`Seen.latest`); cycle average: the mean accuracy over as many of the last dense looks as
    there are children (where all share and take turns, each was trained once in these); dense average: over all dense
    looks; epoch average: over the last 10 epochs; tuned n: after n mini-batches alone, from the last snapshot of which
    there are such.
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
    """Mean accuracies [windows, children] over each run of so many looks (default: one cycle, as many as children)."""
    cycle = length or len(looks.children)
    windows = [looks.accuracy[first : first + cycle] for first in range(len(looks) - cycle + 1)]
    return np.array([average(window) for window in windows]).reshape(len(windows), len(looks.children))


def average(accuracy: Numbers) -> Numbers:
    """The mean over looks, in which equal sums that were added up in another order are equal."""
    return level(accuracy.mean(axis=0))
