"""Looks as they are taken, before they are rows of a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cleave.study.record.log import Log, filled, join


@dataclass(frozen=True)
class Look:
    """Accuracies (percent) of some children at one moment; the other fields are columns of the log."""

    epoch: int
    step: int
    trained: str | None
    dense: bool
    statistics: str
    tuned: int
    images: str
    children: Sequence[str]
    accuracy: Sequence[float]

    def to_list(self) -> list[Any]:
        return [getattr(self, name) for name in FIELDS]

    def event(self, label: str) -> dict[str, Any]:
        """What it says of all children together, as a line of a file of events."""
        found = {"accuracy": float(np.mean(self.accuracy)), "best": max(self.accuracy)}
        return {
            "kind": "epoch",
            "leaf": label,
            "phase": f"{self.statistics} {self.images}",
            "epoch": self.epoch,
            **found,
        }

    def log(self, name: str, meta: dict[str, Any], instance: int, group: int) -> Log:
        """As rows."""
        rows = {
            **{field: getattr(self, field) for field in FIELDS[:-2]},
            "instance": instance,
            "group": group,
            "trained": np.full(len(self.children), self.trained, dtype=object),
            "evaluated": np.array(self.children, dtype=object),
            "accuracy": np.array(self.accuracy, dtype=np.float64),
        }
        return Log(name, meta, filled(rows, len(self.children)))


FIELDS = tuple(Look.__dataclass_fields__)


def to_log(looks: Sequence[Look], name: str, meta: dict[str, Any], instance: int, group: int) -> Log:
    """All rows of a part."""
    return join([look.log(name, meta, instance, group) for look in looks], name, meta)
