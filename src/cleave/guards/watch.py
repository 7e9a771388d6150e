"""The guards that watch a run, and what they raise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from typing import Any

from torch import Tensor

from cleave.guards.guard import GUARDS, Guard, LeafEnded, NodeSplit, RunOpened, TrainingBegun
from cleave.run.alarm import Alarm
from cleave.train.trainer import CHECK_EVERY

EVERY = CHECK_EVERY
"""Steps between looks at the loss on a device that has to be waited for: those at which a trainer looks anyway."""


class Watch:
    """Those guards that are not turned off. `tell` is given what they raise, once, with the leaf that is at hand."""

    def __init__(self, off: Collection[str], tell: Callable[[Alarm], None]) -> None:
        self.guards: dict[str, Guard] = {name: kind() for name, kind in GUARDS.items() if name not in off}
        self.stepping = [each for each in self.guards.values() if type(each).at_step is not Guard.at_step]
        self.tell, self.leaf = tell, ""

    def look(self, run: RunOpened) -> None:
        """Before the first step of a run."""
        for each in self.guards.values():
            self._raise(each, each.at_opening(run))

    def begin(self, leaf: str, training: TrainingBegun) -> None:
        """Before the first step of a network; what is known of another one is forgotten."""
        self.leaf = leaf
        for each in self.guards.values():
            each.kept = {}
            each.at_beginning(training)

    def step(self, step: int, loss: Tensor) -> None:
        """After a step of it, with its number from 1 on and its training loss, a scalar."""
        if loss.device.type == "cpu" or step % EVERY == 1:
            value = loss.item()
            for each in self.stepping:
                self._raise(each, each.at_step(step, value))

    def split(self, node: str, found: NodeSplit) -> None:
        """When a node was split."""
        self.leaf = node
        for each in self.guards.values():
            self._raise(each, each.at_split(found))

    def end(self, leaf: str, found: LeafEnded) -> None:
        """When a leaf has its architecture."""
        self.leaf = leaf
        for each in self.guards.values():
            self._raise(each, each.at_end(found))

    def _raise(self, each: Guard, says: str | None) -> None:
        if says is not None:
            self.tell(Alarm(each.name, self.leaf, says))

    @property
    def state(self) -> dict[str, Any]:
        """What guards know of the training at hand, as plain JSON."""
        return {name: deepcopy(each.kept) for name, each in self.guards.items() if each.kept}

    def load(self, leaf: str, state: Mapping[str, Any]) -> None:
        """Goes on with a training of which that was known."""
        self.leaf = leaf
        for name, each in self.guards.items():
            each.kept = deepcopy(state.get(name, {}))
