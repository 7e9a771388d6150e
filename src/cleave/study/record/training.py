"""One supernet while it is trained, and what is seen of its children on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import cos, isfinite, pi
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cleave.data.images import Images
from cleave.data.stream import Batch
from cleave.engine.stop import NEVER, Stop
from cleave.errors import UserError
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.net import Gates, Network
from cleave.run.generations import Record
from cleave.study.record.judge import Judge, Kind
from cleave.study.record.order import make_order
from cleave.study.record.problem import Passes, Study
from cleave.study.record.seen import Look
from cleave.study.record.settings import TrainingSettings
from cleave.study.record.supernet import Blueprint, Supernet

CHECK_EVERY = 50
"""Steps between looks at the loss on a device that would have to be waited for; on the CPU every step is checked."""


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """The cosine from the highest to the lowest, constant within an epoch (counted from 0)."""
    highest, lowest = settings.learning_rate, settings.learning_rate_min
    return lowest + (highest - lowest) * (1 + cos(pi * epoch / settings.epochs)) / 2


def sgd(parameters: list[nn.Parameter], settings: TrainingSettings, rate: float) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum, weight_decay=settings.weight_decay)


def make_supernet(study: Study, instance: int, group: int) -> Supernet:
    """A supernet of an instance with its initial values."""
    blueprint = Blueprint(study.layout, study.classes, study.norm, study.recipe.device)
    return Supernet(study.space, blueprint, study.archs(group), study.weights(instance).number("weights"), study.shared)


class Training:
    """Everything that changes while a supernet is trained. Equal states go on equally, anywhere."""

    def __init__(self, study: Study, instance: int, group: int) -> None:
        """New weights, drawn from (seed, instance)."""
        self.study, self.instance, self.group = study, instance, group
        self.settings = study.recipe.training
        self.names = study.divided[group]
        self.supernet = make_supernet(study, instance, group)
        self.parameters = self.supernet.parameters()
        self.optimizer = sgd(list(self.parameters.values()), self.settings, self.settings.learning_rate)
        self.order = make_order(self.settings.order, len(self.names), study.order(instance, group))
        self.batches = study.stream(study.weights(instance), f"train {group}")
        self.calibration = study.stream(study.weights(instance), "recalibrate")
        self.step, self.steps = 0, study.steps(group)
        self.judges = [Judge(self.supernet, Kind.of(name, study.norm)) for name in study.recipe.looks.statistics]
        self.looks: list[Look] = []

    @property
    def epoch(self) -> int:
        """Epochs begun by the mini-batch done last, from 1."""
        return max(0, self.step - 1) // self.study.steps_per_epoch + 1

    @property
    def ends_epoch(self) -> bool:
        return self.step == self.steps or self.step % self.study.steps_per_epoch == 0

    @property
    def rate(self) -> float:
        """The learning rate of the next mini-batch: a shorter training walks down all the stairs of a whole one."""
        whole = self.settings.epochs * self.study.steps_per_epoch
        return learning_rate(self.settings, self.step * whole // self.steps // self.study.steps_per_epoch)

    @property
    def owes_look(self) -> bool:
        """Whether one is due after the mini-batch done last that was not taken yet."""
        return (self._looks_at_epoch or self._looks_densely) and not (self.looks and self.looks[-1].step == self.step)

    @property
    def _looks_at_epoch(self) -> bool:
        every = self.study.recipe.looks.every
        return self.step > 0 and self.ends_epoch and (self.epoch % every == 0 or self.step == self.steps)

    @property
    def _looks_densely(self) -> bool:
        return self.step > max(0, self.steps - self.study.recipe.looks.dense)

    @property
    def done(self) -> bool:
        return self.step == self.steps and not self.owes_look

    def advance(self, stop: Stop = NEVER) -> None:
        """One mini-batch for one child, unless a look is owed; then a look at all children where one is due.

        Interrupted when `stop` asks for it in the middle of a look, which is owed then.
        """
        if not self.owes_look:
            self._train()
        if self.owes_look:
            self.looks += self._taken(stop)

    def _train(self) -> None:
        explain = partial(batch_too_large, self.study, self.batches, self._step)
        within_memory(lambda: self._step(self.batches.batch(self.step)), explain)

    def _step(self, batch: Batch) -> None:
        child = self.order(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.zero_grad()
        loss = loss_of(self.supernet.networks[child], self.supernet.gates[child], batch)
        self._check(loss)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.idle == "drift":
            for parameter in self.supernet.idle(child):
                parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.step += 1

    def _check(self, loss: Tensor) -> None:
        if loss.device.type == "cpu" or self.step % CHECK_EVERY == 0 or self.step == self.steps - 1:
            check_loss(loss, f"instance {self.instance}, supernet {self.group}, step {self.step}")

    def _taken(self, stop: Stop) -> list[Look]:
        """All children under every kind of statistics."""
        found, names = list[Look](), self.study.recipe.looks.statistics
        for judge, name in zip(self.judges, names, strict=True):
            accuracy = self._accuracies(judge, self.study.judged, stop)
            for dense in [False] * self._looks_at_epoch + [True] * self._looks_densely:
                found.append(self._look(name, dense, self.study.judged_on, accuracy))
        if self.step == self.steps and self.study.reported is not None:
            accuracy = self._accuracies(self.judges[0], self.study.reported, stop)
            found.append(self._look(names[0], False, "test", accuracy))
        return found

    def _accuracies(self, judge: Judge, images: Images, stop: Stop) -> list[float]:
        calibration = list(self._calibration()) if judge.kind.calibrated else []
        return [100 * hits / len(images) for hits in judge.hits(self.study.exam(images), calibration, stop)]

    def _calibration(self) -> Iterator[Batch]:
        return map(self.calibration.batch, range(self.study.recipe.looks.calibration))

    def _look(self, statistics: str, dense: bool, images: str, accuracy: list[float]) -> Look:
        kind, trained = self.study.tracked if statistics == "tracked" else statistics, self.order(self.step - 1)
        return Look(self.epoch, self.step, self.names[trained], dense, kind, 0, images, self.names, accuracy)

    def snapshot(self) -> Record:
        """The weights of now."""
        return Record(self.supernet.state(), {}, {"step": self.step, "epoch": self.epoch, "rate": self.rate})

    def record(self) -> Record:
        """All of it, to be saved."""
        momentum = {
            name: self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.parameters.items()
            if self.optimizer.state[parameter].get("momentum_buffer") is not None
        }
        state: dict[str, Any] = {"momentum": momentum, "looks": [look.to_list() for look in self.looks]}
        return Record(self.supernet.state(), state, {"step": self.step})

    def restore(self, record: Record) -> None:
        """Goes back to what was saved of this very supernet."""
        self.supernet.load(record.weights)
        for name, buffer in record.state["momentum"].items():
            parameter = self.parameters[name]
            self.optimizer.state[parameter]["momentum_buffer"] = buffer.to(parameter.device).clone()
        self.looks = [Look(*values) for values in record.state["looks"]]
        self.step = record.meta["step"]


def batch_too_large(study: Study, batches: Passes, work: Callable[[Batch], object]) -> OutOfMemory:
    """What to say where work on a mini-batch does not fit into memory. What it changed is spoilt by it."""

    def attempt(size: int) -> None:
        work(batches.of_size(size).batch(0))  # the last one of a pass is smaller

    recipe = study.recipe
    return too_large("a mini-batch", "training.batch_size", recipe.training.batch_size, attempt, recipe.device)


def check_loss(loss: Tensor, where: str) -> None:
    if not isfinite(value := loss.item()):
        raise UserError(f"{where}: the loss is {value}; try a smaller training.learning_rate")


def loss_of(network: Network, gates: Gates, batch: Batch) -> Tensor:
    images, labels = batch
    return cross_entropy(network(images, gates), labels)
