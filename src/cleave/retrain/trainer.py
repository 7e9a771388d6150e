"""The network of one architecture in training by itself, from scratch or from the weights of a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.stream import Batch, BatchStream, InOrder
from cleave.errors import UserError
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.net import build_alone, inherit, noisy, one_hot
from cleave.net.noise import Part
from cleave.retrain.batches import TrainingBatches
from cleave.retrain.ranks import ALONE, Ranks
from cleave.retrain.rates import Rates, place, rates
from cleave.retrain.retraining import Inherited, Retraining
from cleave.retrain.settings import RetrainSettings
from cleave.retrain.teacher import Teacher
from cleave.run.generations import Record
from cleave.stats.accuracy import Accuracy
from cleave.train import (
    RECALIBRATED,
    TRACKED,
    Averages,
    Child,
    Evaluator,
    Optimiser,
    Pass,
    RmsProp,
    Sgd,
    Trainer,
    smoothed,
    taught,
    whole,
)
from cleave.train.statistics import Following, normalisations

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Of passes, by `precision`."""
AUXILIARY = "auxiliary."
"""What the names of the auxiliary head's tensors begin with."""


class RetrainTrainer:
    """Everything that changes while an architecture is trained by itself. Equal states go on equally, anywhere."""

    def __init__(self, task: Retraining, ranks: Ranks = ALONE) -> None:
        """New weights, drawn from (seed, label), or inherited ones. `ranks`: the processes that train it together."""
        self.task, self.ranks, settings = task, ranks, task.settings
        self.cuts: list[tuple[int, int]] = []
        """See `place`."""
        self.chance = Chance(task.seed, task.label)
        self.batches = TrainingBatches(task.train, settings, task.augment, task.normalise, self.chance, task.resample)
        self.parts = ranks.parts(settings.batch_size, settings.accumulate)
        classes, seed = len(task.train.classes), self.chance.number("weights")
        self.network = build_alone(task.layout, task.arch, classes, seed, task.device)
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.gates = one_hot(task.arch)
        if task.inherited is not None:
            self.network.load_state_dict(ranks.told(self._inherited(task.inherited) if ranks.first else {}))
        if task.pretrained is not None:
            self.network.load_state_dict({**self.network.state_dict(), **task.pretrained})
        ranks.prepare(self.network)
        new = task.inherited is None and task.pretrained is None
        self.following = Following(self.network) if new else None  # else statistics are there already
        self.loss = smoothed(settings.label_smoothing)
        self.weights = self._trainer(settings)
        self.evaluator = Evaluator(TRACKED)
        self.sums = torch.zeros(2, dtype=torch.float64, device=task.device)  # of loss and of hits, this epoch

    def _inherited(self, inherited: Inherited) -> dict[str, Tensor]:
        """The tensors of the network with a supernet's weights, and statistics of training images, on the CPU."""
        task = self.task
        inherit(self.network, inherited.supernet, task.arch)
        stream = BatchStream(
            task.train, task.settings.batch_size, task.augment, task.normalise, self.chance, "statistics"
        )
        twin = RECALIBRATED.of(self.network)
        with torch.no_grad(), RECALIBRATED.measuring(twin, normalisations(twin)) as count:
            for step in range(-(-inherited.images // stream.batch_size)):
                count(stream.batch_size)
                twin(stream.batch(step)[0], self.gates)
        return {name: tensor.cpu() for name, tensor in twin.state_dict().items()}

    def _trainer(self, settings: RetrainSettings) -> Trainer:
        scaler = GradScaler(enabled=settings.precision == "float16")
        averages = None if settings.ema is None else Averages(averaged(self.network), settings.ema)
        parameters = dict(self.network.named_parameters())
        optimiser, reduce = optimiser_of(settings), self.ranks.average
        return Trainer(parameters, optimiser, self._rate, self._not_finite, averages, scaler, reduce)

    def _rate(self, step: int) -> float:
        return self._rates(step // self.task.steps_per_epoch).learning_rate

    def _rates(self, epoch: int) -> Rates:
        return rates(self.task.settings, place(epoch, self.task.settings.epochs, self.cuts))

    def _not_finite(self, loss: float) -> UserError:
        label, section = self.task.label, self.task.section
        return UserError(
            f"{label}, step {self.step}: the loss is {loss}; try a smaller {section}.learning_rate or {section}.clip"
        )

    @property
    def step(self) -> int:
        """The training steps that are done."""
        return self.weights.step

    @property
    def last_loss(self) -> Tensor:
        """The training loss of the last step, a scalar; of the first part of its batch."""
        return self.weights.last_loss

    @property
    def steps(self) -> int:
        """All of them. The schedule is laid out for these; who stops before has a network that is not finished."""
        return self.epochs * self.task.steps_per_epoch

    @property
    def epochs(self) -> int:
        """All of them: those of the recipe, unless the training was shortened."""
        return self.cuts[-1][1] if self.cuts else self.task.settings.epochs

    def shorten(self, epochs: int) -> None:
        """From now on there are so many epochs in all; what is left of the schedule is gone along faster."""
        assert self.epoch < epochs < self.epochs
        self.cuts.append((self.epoch, epochs))

    @property
    def epoch(self) -> int:
        """The epochs that are done."""
        return self.step // self.task.steps_per_epoch

    def advance(self) -> None:
        """One training step. OutOfMemory names a batch size that was seen to fit; the trainer is spoilt by it."""
        within_memory(self._advance, self._too_large)

    def _advance(self) -> None:
        if self.step % self.task.steps_per_epoch == 0:
            self.sums.zero_()
        self.weights.begin()
        found = torch.zeros_like(self.sums)
        paths = [partial(self._path, number, part, found) for number, part in enumerate(self.parts)]
        self.weights.update(self.batches.batch(self.step), paths)
        self.sums += self.ranks.sum(found)

    def _too_large(self) -> OutOfMemory:
        """What to say where a step does not fit. Several processes try nothing: one could wait for the others."""
        settings, section = self.task.settings, self.task.section

        def attempt(size: int) -> None:
            part = slice(0, max(1, size // settings.accumulate))
            path = partial(self._path, 0, part, torch.zeros_like(self.sums))
            self.weights.update(self.batches.batch(self.step), [path])

        key, others = f"{section}.batch_size", f"network, or a larger {section}.accumulate"
        if self.ranks.world > 1:
            return OutOfMemory(f"{self.task.label}: there is not enough memory; use a smaller {key}, {others}")
        return too_large(self.task.label, key, settings.batch_size, others, attempt, self.task.device)

    def _path(self, number: int, part: slice, found: Tensor, batch: Batch) -> Pass:
        """The forward pass of that number in a step, of a part of a batch, with the auxiliary head where there is one;
        `found` adds up what it came to."""
        images, labels = (each[part] for each in batch)
        now = self._rates(self.epoch)
        if self.following is not None:
            self.following.take(self.step * len(self.parts) + number)
        with self._noise(part, now.drop_path), self._precision():
            logits, other = self.network.heads(images, self.gates)
        logits = whole(logits)
        loss = self.loss(logits, labels)
        if self.task.teacher is not None:
            loss = self._taught(self.task.teacher, images, logits, loss)
        if other is not None:
            loss = loss + now.auxiliary * self.loss(whole(other), labels)
        right = logits.argmax(dim=1) == (labels if labels.ndim == 1 else labels.argmax(dim=1))
        found += torch.stack([loss.detach().double() * len(images), right.sum().double()])
        return Pass(loss, logits)

    def _taught(self, teacher: Teacher, images: Tensor, logits: Tensor, loss: Tensor) -> Tensor:
        """The loss by labels, and by a teacher's answers."""
        share, temperature = self.task.settings.teacher_share, self.task.settings.temperature
        with torch.no_grad(), self._precision():
            answers = teacher(images, self.task.normalise)
        return share * taught(logits, whole(answers), temperature) + (1 - share) * loss

    def _noise(self, part: slice, drop_path: float) -> AbstractContextManager[None]:
        """What is dropped in a step; it follows from the step alone, however its batch is divided."""
        if not (drop_path or self.task.layout.head.dropout):
            return nullcontext()
        whole = Part(part.start, self.task.settings.batch_size)
        return noisy(self.network, self.chance.generator("noise", self.step), drop_path, part=whole)

    def _precision(self) -> AbstractContextManager[None]:
        half = HALF.get(self.task.settings.precision)
        return nullcontext() if half is None else torch.autocast(torch.device(self.task.device).type, half)

    def means(self) -> tuple[float, float]:
        """The mean training loss and accuracy (percent) since the epoch began."""
        done = (self.step - 1) % self.task.steps_per_epoch + 1
        loss, hits = (self.sums / (done * self.task.settings.batch_size)).tolist()
        return loss, 100 * hits

    def finite_means(self) -> tuple[float, float]:
        """The same; UserError where the loss has become infinite or not a number."""
        loss, accuracy = self.means()
        self.weights.check(loss)
        return loss, accuracy

    def judge(self, images: Images) -> Accuracy:
        """How well the network does on images, by its running statistics, in float32."""
        size, key = self.task.settings.eval_batch_size, f"{self.task.section}.eval_batch_size"
        batches = InOrder(images, size, self.task.normalise)
        hits = torch.zeros(len(images.classes), dtype=torch.int64)

        def attempt(smaller: int) -> None:
            self._hits(InOrder(images, smaller, self.task.normalise)[0])

        def explain() -> OutOfMemory:
            return too_large(self.task.label, key, size, "network", attempt, self.task.device)

        with self._averaged():
            for number in range(self.ranks.rank, len(batches), self.ranks.world):
                hits += within_memory(partial(self._hits, batches[number]), explain)
        found = self.ranks.sum(hits.to(self.task.device))
        return Accuracy.of(found.tolist(), images.labels.bincount(minlength=len(hits)).tolist())

    def _hits(self, batch: Batch) -> Tensor:
        """The images of each class that the network gets right, [classes]."""
        return self.evaluator.hits([Child(self.network, self.gates)], [batch])[0]

    def trained(self) -> dict[str, Tensor]:
        """The tensors of the network as it is used: averages where there are such, and no auxiliary head."""
        with self._averaged():
            return {
                name: tensor.detach().clone()
                for name, tensor in self.network.state_dict().items()
                if not name.startswith(AUXILIARY)
            }

    def _averaged(self) -> AbstractContextManager[None]:
        averages = self.weights.averages
        return nullcontext() if averages is None else averages.applied()

    def record(self) -> Record:
        """All of it, to be saved."""
        state = {"averages": {}, **self.weights.state(), "sums": self.sums}
        return Record(dict(self.network.state_dict()), state, {"label": self.task.label, "step": self.step})

    def restore(self, record: Record) -> None:
        """Goes back to what was saved of this very training, with any number of processes."""
        assert record.meta["label"] == self.task.label
        self.network.load_state_dict(record.weights)
        self.weights.load(record.state, record.meta["step"])
        self.sums.copy_(record.state["sums"])


def optimiser_of(settings: RetrainSettings) -> Optimiser:
    """What moves the weights."""
    momentum, decay, clip, spares = settings.momentum, settings.weight_decay, settings.clip, settings.spare_norms
    if settings.optimizer == "rmsprop":
        return RmsProp(momentum, decay, settings.rmsprop_alpha, settings.rmsprop_eps, clip, spares)
    return Sgd(momentum, decay, settings.nesterov, clip, spares)


def averaged(network: nn.Module) -> Mapping[str, Tensor]:
    """What averages are taken of: weights, and the running statistics that belong to them."""
    statistics = {name: buffer for name, buffer in network.named_buffers() if buffer.is_floating_point()}
    return {**dict(network.named_parameters()), **statistics}


def used_weights(record: Record) -> dict[str, Tensor]:
    """Those of `RetrainTrainer.trained`, out of what was saved."""
    weights = {**record.weights, **record.state["averages"]}
    return {name: tensor for name, tensor in weights.items() if not name.startswith(AUXILIARY)}
