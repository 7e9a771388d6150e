"""The kinds of runs that a page is made of, by what their folders say they are. Another kind registers itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cleave.data.given import Given
from cleave.data.images import Images
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.memory import memory_for
from cleave.opening import SMALLER
from cleave.pages.facts import Facts
from cleave.registry import Registry
from cleave.retrain.evaluate import data_settings, test_images
from cleave.retrain.settings import RetrainData
from cleave.run.reading import is_there


@dataclass(frozen=True)
class Asked:
    """What is asked for beside the runs. space: again that of a run, where it is a class in a file. data, data_root,
    given: test images as of `cleave evaluate`, where they are not those of the runs."""

    callback: Callback
    space: str | None = None
    data: str | None = None
    data_root: str | None = None
    given: Given | None = None
    several: bool = False
    """Whether there are other runs on the page, which may call their parts by the same names."""
    seen: dict[str, Images] = field(default_factory=dict)

    def test_images(self, settings: RetrainData) -> tuple[str, Images]:
        """The test images of a training, with their name; read once. UserError where there are none."""
        wanted = data_settings(settings, self.data, self.data_root)
        key = wanted.model_dump_json()
        if key not in self.seen:
            with memory_for("the images", SMALLER):
                self.seen[key], _ = test_images(wanted, self.callback, self.given)
        return wanted.name, self.seen[key]


Tell = Callable[[Path, str, Asked], Sequence[Facts]]
"""What a finished run tells, which the page calls by a name; UserError where it is not finished, or was altered."""


@dataclass(frozen=True)
class Kind:
    """`holds`: whether there is a run of this kind at a path."""

    holds: Callable[[Path], bool]
    tell: Tell


KINDS: Registry[Kind] = Registry("kind of run")


def kind(name: str, holds: Callable[[Path], bool]) -> Callable[[Tell], Tell]:
    """Registers what tells of a kind of run."""

    def register(tell: Tell) -> Tell:
        KINDS.register(name, Kind(holds, tell))
        return tell

    return register


def told_by(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    """What the run at a path tells; UserError where there is none of which a page can be made."""
    if not is_there(path):
        raise UserError(f"{path}: is not there; give the folder of a finished run")
    for each in KINDS.values():
        if each.holds(path):
            return each.tell(path, name, asked)
    raise UserError(f"{path}: is nothing that a page can be made of ({', '.join(KINDS)}); give the folder of a run")
