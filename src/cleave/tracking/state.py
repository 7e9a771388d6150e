"""What is kept of a tracker in a run folder, so that a run that goes on goes on there too. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleave.run.durable import saving, write_json
from cleave.run.reading import Shape, is_there, read_json

TRACKERS = "trackers"
"""The folder of them in a run folder."""


class Kept(Shape):
    """trackers/NAME.json: the settings of the run, its name there (null before it has one), and by series the last
    epoch that was told."""

    settings: dict[str, Any]
    id: str | None
    told: dict[str, int]


def file_of(run: Path, name: str) -> Path:
    return run / TRACKERS / f"{name}.json"


def begin(run: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Writes it for a tracker that knows nothing of the run yet; raises as `write_json` does."""
    with saving(run / TRACKERS):
        (run / TRACKERS).mkdir(exist_ok=True)
    if not is_there(file_of(run, name)):
        write_json(file_of(run, name), {"settings": dict(settings), "id": None, "told": {}})


def read(run: Path, name: str) -> Kept:
    """Damaged where it is not what was written."""
    return Kept(**read_json(file_of(run, name), Kept))


def keep(run: Path, name: str, kept: Kept) -> None:
    write_json(file_of(run, name), kept.model_dump(mode="json"))


def known(run: Path) -> list[str]:
    """The trackers that a run was told to before."""
    return sorted(path.stem for path in (run / TRACKERS).glob("*.json"))
