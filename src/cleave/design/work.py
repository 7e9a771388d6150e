"""A design under way: its folder, its time, and what it has decided and found so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cleave.data.given import Given
from cleave.design.scale import ChosenScale
from cleave.design.settings import DesignRecipe
from cleave.engine.progress import Callback, Progress
from cleave.run.durable import write_json
from cleave.run.folder import TIMING, RunFolder
from cleave.run.generations import Record

Found = TypeVar("Found")

FIRST, SEARCH, EVOLVE, TUNE, LONG = "first", "search", "evolve", "tune", "long"
SHARES = {FIRST: 0.12, SEARCH: 0.27, EVOLVE: 0.04, TUNE: 0.23, LONG: 0.34}
"""Of the time but for the end, in the order in which it is spent: the others get about as much as ours, which are what
is between the first and the last."""
SCALE = "scale"
PACE = "pace of "
"""What the names of paces in `known` begin with."""
FIXED, EXPORTED, END_AT_MOST = 25.0, 6000, 0.4
"""Of the end: seconds that it takes whatever the network, how many images its checks judge (500 in two ways by three
formats and by the network itself, one by one much slower than together), and the share of the time that is kept for it
at most."""


@dataclass
class Work:
    """What the parts of a design have in common.

    `known`: JSON, by the name of what was decided or found. It is kept as soon as it is known, so that a design that
    goes on decides nothing twice: what hangs on the clock is decided once.
    """

    recipe: DesignRecipe
    folder: RunFolder
    callback: Callback
    given: Given | None = None
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def scale(self) -> ChosenScale:
        """Known once it was chosen."""
        return ChosenScale(**self.known[SCALE])

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.recipe.time - self.folder.seconds)

    @property
    def reserve(self) -> float:
        """Seconds that the end takes: all networks judge the test images, one of them is exported and checked."""
        paces = [told["image"] for name, told in self.known.items() if name.startswith(PACE)]
        images: float = self.known.get("test", 0) * sum(paces) + EXPORTED * max(paces, default=0.0)
        return min(END_AT_MOST * self.recipe.time, FIXED + images)

    def share(self, part: str) -> float:
        """The seconds of a part, of those that are left for it and all after it."""
        names = list(SHARES)
        later = sum(SHARES[name] for name in names[names.index(part) :])
        return max(0.0, self.left - self.reserve) * SHARES[part] / later

    def once(self, name: str, find: Callable[[], Found]) -> Found:
        """What is known by a name, or what is now found and kept."""
        if name not in self.known:
            self.callback.stop.check()
            self.known[name] = find()
            self.save()
        found: Found = self.known[name]
        return found

    def record(self) -> Record:
        return Record({}, {}, {"kept": {}, "known": self.known})

    def save(self) -> None:
        self.folder.save(self.record())
        write_json(self.path / TIMING, self.folder.timing)


class Overall(Callback):
    """Tells a part's progress as that of the whole time, and each line once."""

    def __init__(self, callback: Callback, folder: RunFolder, seconds: float, said: Iterable[str] = ()) -> None:
        """`said`: lines that were said before."""
        self.callback, self.folder, self.seconds, self.stop = callback, folder, seconds, callback.stop
        self.part = ""
        """What is being done, for people."""
        self.said = set(said)

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        self.callback.begin_run(run, settings)

    def end_run(self) -> None:
        self.callback.end_run()

    def see(self, progress: Progress) -> None:
        words = " ".join(filter(None, (progress.kind, progress.leaf, progress.doing)))
        done, total = round(min(self.folder.seconds, self.seconds)), max(1, round(self.seconds))
        self.callback.see(Progress(done, total, self.part, words, progress.means, kind=""))

    def say(self, line: str) -> None:
        if line not in self.said and not line.startswith("run folder: "):
            self.said.add(line)
            self.callback.say(line)

    def begin(self, part: str) -> None:
        """From now on another part is under way."""
        self.part = part
        self.callback.say(f"{part} ({self.folder.seconds:.0f} of {self.seconds:.0f} s)")
