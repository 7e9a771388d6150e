"""Weights in training: an optimiser, the learning rates, what is known of every weight. It knows no networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from cleave.data.stream import Batch
from cleave.train.averages import Averages
from cleave.train.losses import Pass, Path
from cleave.train.optimisers import Optimiser

MOMENTUM = "momentum_buffer"
"""What optimisers call it."""
CHECK_EVERY = 50
"""Steps between looks at the loss on a device that would have to be waited for; on the CPU every step is checked."""


class StepWatch(Protocol):
    """What is told how a step goes, and may change gradients and momentum meanwhile."""

    def passed(self) -> None:
        """Behind the backward pass of each path: gradients are those of the paths so far."""

    def ready(self) -> None:
        """Behind all of them, in front of clipping and of the step itself."""

    def moved(self) -> None:
        """Behind the step."""


class Trainer:
    """Trains weights, of one network or of several that share them. Equal states go on equally, anywhere.

    A step is `begin`, whatever is to happen in front of it, and `update`.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        optimiser: Optimiser,
        rate: Callable[[int], float],
        explain: Callable[[float], Exception],
        averages: Averages | None = None,
        scaler: GradScaler | None = None,
        reduce: Callable[[Iterable[nn.Parameter]], None] = lambda parameters: None,
    ) -> None:
        """`rate`: the learning rate of each step. `explain`: the error for a loss that is not finite. `averages`:
        of what is trained. `scaler`: of losses in float16, whose gradients would be too small. `reduce` makes
        gradients those of all processes that train the weights together.
        """
        self.parameters, self.rate, self.explain = dict(parameters), rate, explain
        self.clip, self.optimizer = optimiser.clip, optimiser.optimizer(self.parameters.values(), rate(0))
        self.averages, self.scaler, self.reduce = averages, scaler or GradScaler(enabled=False), reduce
        self.step = 0
        self.last_loss = torch.tensor(0.0)
        """Of the first path of the last step, a scalar, on the device that it was computed on."""

    def begin(self) -> None:
        """Sets the learning rate of the step that comes."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.step)

    def update(
        self,
        batch: Batch,
        paths: Sequence[Path],
        idle: Iterable[nn.Parameter] = (),
        watch: StepWatch | None = None,
        summed: bool = False,
    ) -> Pass:
        """One step down the mean loss of the paths, or their sum; returns what the first of them came to.

        A weight that no path runs has no gradient and stands still, unless it is `idle`, which is asked after the
        backward passes: then its gradient is zero, and momentum and decay move it.
        """
        self.optimizer.zero_grad()
        passes = []
        for path in paths:
            passes.append(self._passed(path, batch, 1 if summed else len(paths)))
            if watch is not None:
                watch.passed()
        for parameter in idle:
            parameter.grad = torch.zeros_like(parameter)
        self.reduce(self.parameters.values())
        self.scaler.unscale_(self.optimizer)
        if watch is not None:
            watch.ready()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters.values(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        if self.averages is not None:
            self.averages.update()
        if watch is not None:
            watch.moved()
        self.last_loss = passes[0].loss
        return passes[0]

    def _passed(self, path: Path, batch: Batch, divisor: int) -> Pass:
        """A path forwards and backwards, one after the other: the memory is that of one."""
        loss, logits = path(batch)
        if loss.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self.check(loss.item())
        self.scaler.scale(loss / divisor).backward()  # type: ignore[no-untyped-call]
        return Pass(loss.detach(), logits.detach())

    def check(self, loss: float) -> None:
        """The error that `explain` gives for a loss that is not finite."""
        if not isfinite(loss):
            raise self.explain(loss)

    @property
    def momentum(self) -> dict[str, Tensor]:
        """By name; weights that never ran have none."""
        buffers = {name: self.optimizer.state[each].get(MOMENTUM) for name, each in self.parameters.items()}
        return {name: buffer for name, buffer in buffers.items() if buffer is not None}

    @property
    def moments(self) -> dict[str, dict[str, Any]]:
        """What an optimiser knows of weights beside their momentum; SGD knows nothing."""
        known = {name: self.optimizer.state.get(each, {}) for name, each in self.parameters.items()}
        found = {name: {key: kept for key, kept in each.items() if key != MOMENTUM} for name, each in known.items()}
        return {name: kept for name, kept in found.items() if kept}

    def load_momentum(self, saved: Mapping[str, Tensor]) -> None:
        """Copies of it, of those weights that are here too."""
        for name, parameter in self.parameters.items():
            if name in saved:
                self.optimizer.state[parameter][MOMENTUM] = laid_out(saved[name], parameter)

    def hold_momentum(self, buffers: Mapping[str, Tensor]) -> None:
        """Goes on with these, not copies of them; a weight that is not among them has none."""
        for name, parameter in self.parameters.items():
            if name in buffers:
                self.optimizer.state[parameter][MOMENTUM] = buffers[name]
            else:
                self.optimizer.state[parameter].pop(MOMENTUM, None)

    def forget(self) -> None:
        """Momentum and whatever else the optimiser knows of the weights."""
        self.optimizer.state.clear()

    def state(self) -> dict[str, Any]:
        """What changes beside the weights and `step`."""
        averages = {} if self.averages is None else {"averages": self.averages.values}
        scaler = {"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {}
        moments = {"moments": found} if (found := self.moments) else {}
        return {"momentum": self.momentum, **moments, **averages, **scaler}

    def load(self, state: Mapping[str, Any], step: int) -> None:
        """Goes back to what was saved of these very weights."""
        self.load_momentum(state["momentum"])
        for name, kept in state.get("moments", {}).items():
            like = self.parameters[name]
            for key, each in kept.items():
                whole = isinstance(each, Tensor) and each.shape == like.shape
                self.optimizer.state[like][key] = laid_out(each, like) if whole else deepcopy(each)
        if self.averages is not None:
            self.averages.load(state["averages"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.step = step
        self.begin()


def laid_out(saved: Tensor, parameter: nn.Parameter) -> Tensor:
    """A copy that lies in memory as the parameter does: how it lies may decide the last digit of what is added up."""
    return torch.empty_like(parameter, requires_grad=False).copy_(saved)
