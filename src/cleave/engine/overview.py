"""How far a search is as a whole, from the signs of life of its tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cleave.engine.progress import Callback, Progress

NAMED = 2
"""Of several things at once, how many are named before the rest is counted: the bar's line has 80 columns."""


class Overview:
    """Adds up the tasks under way and those that are finished, for one callback."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.finished = 0
        """The passes of all tasks that are finished."""
        self.under_way: dict[str, Progress] = {}

    def of(self, task: str) -> Callback:
        """What watches one task."""
        return TaskCallback(self, task)

    def see(self, task: str, progress: Progress) -> None:
        self.under_way[task] = progress
        self._show(list(self.under_way.values()))

    def finish(self, task: str, finished: int) -> None:
        """A task is over; `finished` counts the passes of all that are. Its last progress is shown once more."""
        self.finished = finished
        if (last := self.under_way.pop(task, None)) is not None:
            self._show([replace(last, done=0), *self.under_way.values()])

    def _show(self, shown: list[Progress]) -> None:
        done = self.finished + sum(progress.done for progress in shown)
        self.callback.see(replace(together(shown), done=done))


class TaskCallback(Callback):
    """Passes on what one task shows."""

    def __init__(self, overview: Overview, task: str) -> None:
        self.overview, self.task = overview, task

    def see(self, progress: Progress) -> None:
        self.overview.see(self.task, progress)

    def say(self, line: str) -> None:
        self.overview.callback.say(line)


def together(shown: list[Progress]) -> Progress:
    """One progress that stands for several: their leaves and what is being done, without loss and accuracy."""
    if len(shown) == 1:
        return shown[0]
    leaves = briefly(progress.leaf for progress in shown)
    doing = briefly(dict.fromkeys(progress.doing.split()[0] for progress in shown))
    return replace(shown[0], leaf=leaves, doing=doing, means=None)


def briefly(names: Iterable[str]) -> str:
    """A few names, and how many there are beside them: "0.0, 0.1 +2"."""
    first, rest = (listed := list(names))[:NAMED], len(listed) - NAMED
    return ", ".join(first) + (f" +{rest}" if rest > 0 else "")
