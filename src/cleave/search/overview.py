"""How far a search is as a whole, from the signs of life of its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cleave.search.watch import Moment, Watcher

NAMED = 2
"""Of several things at once, how many are named before the rest is counted: the bar's line has 80 columns."""


class Overview:
    """Adds up the parts under way and those that are finished, for one watcher."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.finished = 0
        """The passes of all parts that are finished."""
        self.under_way: dict[str, Moment] = {}

    def of(self, part: str) -> Watcher:
        """What watches one part."""
        return PartWatcher(self, part)

    def see(self, part: str, moment: Moment) -> None:
        self.under_way[part] = moment
        self._show(list(self.under_way.values()))

    def finish(self, part: str, finished: int) -> None:
        """A part is over; `finished` counts the passes of all that are. Its last moment is shown once more."""
        self.finished = finished
        if (last := self.under_way.pop(part, None)) is not None:
            self._show([replace(last, done=0), *self.under_way.values()])

    def _show(self, moments: list[Moment]) -> None:
        done = self.finished + sum(moment.done for moment in moments)
        self.watcher.see(replace(together(moments), done=done))


class PartWatcher(Watcher):
    """Passes on what one part shows."""

    def __init__(self, overview: Overview, part: str) -> None:
        self.overview, self.part = overview, part

    def see(self, moment: Moment) -> None:
        self.overview.see(self.part, moment)

    def say(self, line: str) -> None:
        self.overview.watcher.say(line)


def together(moments: list[Moment]) -> Moment:
    """One moment that stands for several: their leaves and what is being done, without loss and accuracy."""
    if len(moments) == 1:
        return moments[0]
    leaves = briefly(moment.leaf for moment in moments)
    doing = briefly(dict.fromkeys(moment.doing.split()[0] for moment in moments))
    return replace(moments[0], leaf=leaves, doing=doing, means=None)


def briefly(names: Iterable[str]) -> str:
    """A few names, and how many there are beside them: "0.0, 0.1 +2"."""
    first, rest = (listed := list(names))[:NAMED], len(listed) - NAMED
    return ", ".join(first) + (f" +{rest}" if rest > 0 else "")
