"""One supernet while it is trained, and what is seen of its children on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from cleave.data.images import Images
from cleave.data.stream import Batch
from cleave.engine.stop import NEVER, Stop
from cleave.errors import UserError
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.run.generations import Record
from cleave.study.record.order import make_order
from cleave.study.record.problem import Passes, Study
from cleave.study.record.seen import Look
from cleave.study.record.settings import TrainingSettings
from cleave.study.record.supernet import Blueprint, Supernet
from cleave.train import BATCH, RECALIBRATED, TRACKED, Child, Evaluator, Path, Sgd, Trainer, supervised
from cleave.train.rates import cosine

Where = Callable[[], str]

STATISTICS = {"tracked": TRACKED, "batch": BATCH, "recalibrated": RECALIBRATED}
"""By which children are judged, as a recipe names them."""


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """The cosine from the highest to the lowest, constant within an epoch (counted from 0)."""
    return cosine(epoch, settings.epochs, settings.learning_rate, settings.learning_rate_min)


def trainer_of(
    parameters: Mapping[str, nn.Parameter], settings: TrainingSettings, rate: Callable[[int], float], where: Where
) -> Trainer:
    """Plain SGD, as published; `where` says for people which step it is."""

    def explain(loss: float) -> UserError:
        return UserError(f"{where()}: the loss is {loss}; try a smaller training.learning_rate")

    return Trainer(parameters, Sgd(settings.momentum, settings.weight_decay), rate, explain)


def path_of(child: Child) -> Path:
    """A forward pass of one child."""
    return supervised(partial(child.network, gates=child.gates))


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
        self.names, self.steps = study.divided[group], study.steps(group)
        self.supernet = make_supernet(study, instance, group)
        where = f"instance {instance}, supernet {group}"
        parameters = self.supernet.parameters()
        self.weights = trainer_of(parameters, self.settings, self.rate, lambda: f"{where}, step {self.step}")
        self.order = make_order(self.settings.order, len(self.names), study.order(instance, group))
        self.batches = study.stream(study.weights(instance), f"train {group}")
        self.calibration = study.stream(study.weights(instance), "recalibrate")
        kinds: list[str] = list(study.recipe.looks.statistics)
        self.evaluators = {name: Evaluator(STATISTICS[name]) for name in kinds}
        self.looks: list[Look] = []

    @property
    def step(self) -> int:
        """The mini-batches that are done."""
        return self.weights.step

    @property
    def epoch(self) -> int:
        """Epochs begun by the mini-batch done last, from 1."""
        return max(0, self.step - 1) // self.study.steps_per_epoch + 1

    @property
    def ends_epoch(self) -> bool:
        return self.step == self.steps or self.step % self.study.steps_per_epoch == 0

    def rate(self, step: int) -> float:
        """The learning rate of a mini-batch: a shorter training walks down all the stairs of a whole one."""
        whole = self.settings.epochs * self.study.steps_per_epoch
        return learning_rate(self.settings, step * whole // self.steps // self.study.steps_per_epoch)

    @property
    def owes_look(self) -> bool:
        """Whether one is due after the mini-batch done last that was not taken yet."""
        return bool(self._due) and not (self.looks and self.looks[-1].step == self.step)

    @property
    def _due(self) -> list[bool]:
        """The looks that follow the mini-batch done last: of each whether it is a dense one."""
        looks, last = self.study.recipe.looks, self.step == self.steps
        at_epoch = self.step > 0 and self.ends_epoch and (self.epoch % looks.every == 0 or last)
        return [False] * at_epoch + [True] * (self.step > max(0, self.steps - looks.dense))

    @property
    def done(self) -> bool:
        return self.step == self.steps and not self.owes_look

    def advance(self, stop: Stop = NEVER) -> None:
        """One mini-batch for one child, unless a look is owed; then a look at all children where one is due.

        Interrupted when `stop` asks for it in the middle of a look, which is owed then.
        """
        if not self.owes_look:
            explain = partial(batch_too_large, self.study, self.batches, self._step)
            within_memory(lambda: self._step(self.batches.batch(self.step)), explain)
        if self.owes_look:
            self.looks += self._taken(stop)

    def _step(self, batch: Batch) -> None:
        child = self.order(self.step)
        idle = self.supernet.idle(child) if self.settings.idle == "drift" else ()
        self.weights.begin()
        done = self.weights.update(batch, [path_of(self.supernet.members[child])], idle)
        if self.step == self.steps:
            self.weights.check(done.loss.item())

    def _taken(self, stop: Stop) -> list[Look]:
        """All children under every kind of statistics."""
        found = list[Look]()
        for name in self.evaluators:
            accuracy = self._accuracies(name, self.study.judged, stop)
            for dense in self._due:
                found.append(self._look(name, dense, self.study.judged_on, accuracy))
        if self.step == self.steps and self.study.reported is not None:
            name = next(iter(self.evaluators))
            found.append(self._look(name, False, "test", self._accuracies(name, self.study.reported, stop)))
        return found

    def _accuracies(self, name: str, images: Images, stop: Stop) -> list[float]:
        evaluator = self.evaluators[name]
        batches = range(self.study.recipe.looks.calibration if evaluator.statistics.calibrated else 0)
        calibration = [self.calibration.batch(number) for number in batches]
        hits = evaluator.hits(self.supernet.members, self.study.exam(images), calibration, stop).sum(dim=1).tolist()
        return [100 * right / len(images) for right in hits]

    def _look(self, statistics: str, dense: bool, images: str, accuracy: list[float]) -> Look:
        kind, trained = self.study.tracked if statistics == "tracked" else statistics, self.order(self.step - 1)
        return Look(self.epoch, self.step, self.names[trained], dense, kind, 0, images, self.names, accuracy)

    def snapshot(self) -> Record:
        """The weights of now."""
        return Record(self.supernet.state(), {}, {"step": self.step, "epoch": self.epoch, "rate": self.rate(self.step)})

    def record(self) -> Record:
        """All of it, to be saved."""
        state: dict[str, Any] = {**self.weights.state(), "looks": [look.to_list() for look in self.looks]}
        return Record(self.supernet.state(), state, {"step": self.step})

    def restore(self, record: Record) -> None:
        """Goes back to what was saved of this very supernet."""
        self.supernet.load(record.weights)
        self.weights.load(record.state, record.meta["step"])
        self.looks = [Look(*values) for values in record.state["looks"]]


def batch_too_large(study: Study, batches: Passes, work: Callable[[Batch], object]) -> OutOfMemory:
    """What to say where work on a mini-batch does not fit into memory. What it changed is spoilt by it."""

    def attempt(size: int) -> None:
        work(batches.of_size(size).batch(0))  # the last one of a pass is smaller

    recipe = study.recipe
    size, others = recipe.training.batch_size, recipe.space.smaller_by
    return too_large("a mini-batch", "training.batch_size", size, others, attempt, recipe.device)
