"""What a run writes, as points of curves. Needs no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cleave.run.events import EVENTS, Events
from cleave.run.reading import Damaged, read_json

SHORT = 80
"""Letters of a list that is taken for a text."""
OUTCOMES = ("result.json", "metrics.json")
"""What a finished run found: a search or training, a study."""
NOT_IN_NAMES = re.compile(r"[^\w./ -]")
"""What some tracker takes in no name."""


class Point(NamedTuple):
    """What is known of a leaf (or network, or supernet) and phase after an epoch; 0: what has no epoch."""

    series: str
    epoch: int
    values: Mapping[str, float]


class Following:
    """The points of a run folder, each once, also where they are read from another file later."""

    def __init__(self, run: Path, told: dict[str, int]) -> None:
        """`told`: by series the last epoch that is known already; it is kept up to date."""
        self.run, self.told = run, told
        self.sizes: dict[Path, int] = {}

    def new(self) -> Iterator[Point]:
        """Those that were not there before. What is finished is read first: from there on it moves nowhere."""
        for file in (self.run / EVENTS, *sorted(self.run.glob(f"parts/*/{EVENTS}"))):
            for event in self._grown(file):
                point = point_of(event)
                if point.values and point.epoch > self.told.get(point.series, -1):
                    self.told[point.series] = point.epoch
                    yield point

    def _grown(self, file: Path) -> list[dict[str, Any]]:
        """All events of a file that is not as it was; nothing of one that was moved away meanwhile."""
        try:
            size = file.stat().st_size
            if self.sizes.get(file) == size:
                return []
            events = Events.read(file)
        except (FileNotFoundError, Damaged):
            return []
        self.sizes[file] = size
        return events


def point_of(event: Mapping[str, Any]) -> Point:
    """The numbers of an event."""
    place = (event.get("leaf", ""), event.get("phase", event["kind"]))
    numbers = {key: value for key, value in event.items() if is_number(value) and key != "epoch"}
    return Point(name_of("/".join(map(str, place))), event.get("epoch", 0), numbers)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def name_of(text: str) -> str:
    """Text as every tracker takes it for a name."""
    return NOT_IN_NAMES.sub("_", text)


def outcome_of(run: Path) -> dict[str, Any] | None:
    """What a run found, flat; None where it is not finished."""
    file = next((run / name for name in OUTCOMES if (run / name).is_file()), None)
    return None if file is None else flat(read_json(file))


def flat(content: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The numbers and texts of nested objects under dotted names; of lists only short ones, as text."""
    found = dict[str, Any]()
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        elif isinstance(value, str | int | float):
            found[name_of(f"{before}{key}")] = value
        elif isinstance(value, list) and len(text := json.dumps(value)) <= SHORT:
            found[name_of(f"{before}{key}")] = text
    return found
