"""One node of the tree in training: its network, its method, its weights, its place in the schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import TypeVar

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from cleave.data.chance import Chance
from cleave.data.stream import Batch
from cleave.errors import UserError
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.method import Lesson, Phase, SgdStep, StepContext, ValidationLoss, Weights, phase_at
from cleave.net import Gates, Network, build, noisy
from cleave.pretrained.mobilenetv3 import embed
from cleave.run.generations import Record
from cleave.search.compiling import compile_blocks
from cleave.search.hooks.weight_steps import WeightSteps
from cleave.search.problem import Problem, Setup
from cleave.search.schedule import Schedule
from cleave.search.scope import Scope, make_method
from cleave.search.state import SearchCost
from cleave.search.teaching import Teacher, enter
from cleave.space import Arch, Region
from cleave.space.sample import distinct
from cleave.split import Probe
from cleave.train import Evaluator, Loss, Pass, Sgd, Trainer, smoothed, whole

Outcome = TypeVar("Outcome")


@contextmanager
def frozen(network: Network) -> Iterator[None]:
    """What is computed meanwhile is not differentiable in the network's weights, for which nothing is then kept."""
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        for weight in learning:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in learning:
            weight.requires_grad_(True)


class NodeTrainer:
    """Everything that changes while a node is trained. Equal states go on equally, anywhere."""

    def __init__(self, problem: Problem, scope: Scope, schedule: Schedule, setup: Setup | None = None) -> None:
        """New weights, drawn from (seed, label of the scope). `setup`: the search's own unless given."""
        self.scope, self.schedule, self.setup = scope, schedule, setup or problem.setup
        recipe, settings = problem.recipe, self.setup.settings
        self.chance = Chance(recipe.seed, scope.label)
        self._draw_from(problem)
        seed = self.chance.number("weights")
        self.network = build(self.setup.layout, scope.region, problem.classes, seed, device=recipe.device)
        if recipe.compile:
            compile_blocks(self.network)
        self.method = make_method(problem, scope, self.chance).to(recipe.device)
        self.teacher = Teacher(self.logits, torch.device(recipe.device))
        sgd = Sgd(settings.momentum, settings.weight_decay, settings.momentum > 0, settings.clip, settings.spare_norms)
        self.weights = Trainer(dict(self.network.named_parameters()), sgd, self._rate, self._not_finite)
        self.hooks = WeightSteps(self)
        self.loss = smoothed(settings.label_smoothing)
        self.sums = torch.zeros(2, dtype=torch.float64, device=recipe.device)  # of loss and of hits, this epoch

    def _draw_from(self, problem: Problem) -> None:
        """The batches of a problem, which differs from the node's own at most in their size."""
        self.problem = problem
        self.train = problem.stream(problem.train, self.chance, "train")
        self.held = problem.stream(problem.valid, self.chance, "held")
        self.probed = problem.stream(problem.train, self.chance, "probe")

    def _rate(self, step: int) -> float:
        epoch = step // self.problem.steps_per_epoch
        if phases := self.phases:
            place = phase_at(phases, epoch)
            return phases[place.number].rate(place.epoch)
        return self.schedule.learning_rate(epoch, self.setup.settings)

    @property
    def phases(self) -> Sequence[Phase]:
        """Those of the method, if it has such."""
        return self.method.phases(self.schedule.epochs, self.schedule.searching, self.teacher.given)

    def _not_finite(self, loss: float) -> UserError:
        return UserError(
            f"leaf {self.scope.label}, step {self.step}: the loss is {loss}; "
            "try a smaller method.learning_rate or method.clip"
        )

    @cached_property
    def panel(self) -> list[Arch]:
        """The architectures by whose ranking a leaf is followed."""
        generator, count = self.chance.generator("panel"), self.problem.recipe.trust.panel
        return distinct(self.problem.space, self.scope.region, count, generator)

    @cached_property
    def evaluator(self) -> Evaluator:
        """What judges its architectures. It makes a copy of the network's modules once, since that takes a while."""
        statistics = self.problem.judging.statistics
        return Evaluator(statistics, chunk=1, half=self.problem.recipe.precision == "bfloat16")

    @cached_property
    def calibration(self) -> list[Batch]:
        """Training batches on which the statistics of each architecture are measured; none where they are not."""
        return self.problem.calibration(self.chance, self.problem.judging)

    @property
    def step(self) -> int:
        """The training steps that are done."""
        return self.weights.step

    @property
    def last_loss(self) -> Tensor:
        """The training loss of the last step, a scalar; of the first of several paths."""
        return self.weights.last_loss

    @property
    def steps(self) -> int:
        """All training steps of this node."""
        return self.schedule.epochs * self.problem.steps_per_epoch

    @property
    def epoch(self) -> int:
        return self.step // self.problem.steps_per_epoch

    def context(self, purpose: str, step: int) -> StepContext:
        """What a method is told when it is asked for this purpose and step."""
        epoch = max(0, self.epoch - self.schedule.warmup) if self.schedule.searching else 0
        phases = self.phases
        phase = phases[phase_at(phases, self.epoch).number] if phases else None
        return StepContext(epoch, self.schedule.searched, self.chance.generator(purpose, step), phase)

    def advance(self) -> SearchCost:
        """One training step: architecture first where there is one (DARTS's order), then the weights. What it cost."""
        return self.within_memory(self._advance, self._advance)

    def within_memory(self, work: Callable[[], Outcome], smaller: Callable[[], object]) -> Outcome:
        """What work on batches comes to. Where it runs out of memory: an OutOfMemory that names a batch size with which
        `smaller` was seen to fit; the trainer is spoilt by that."""
        return within_memory(work, partial(self._too_large, smaller))

    def _too_large(self, work: Callable[[], object]) -> OutOfMemory:
        problem = self.problem

        def attempt(size: int) -> None:
            search = problem.recipe.search.model_copy(update={"batch_size": size})
            self._draw_from(replace(problem, recipe=problem.recipe.model_copy(update={"search": search})))
            with self.uncompiled():
                work()

        recipe, key = problem.recipe, "search.batch_size"
        size, others = recipe.search.batch_size, recipe.space.smaller_by
        return too_large(f"leaf {self.scope.label}", key, size, others, attempt, recipe.device)

    def _advance(self) -> SearchCost:
        step, learns = self.step, self.learns_at(self.step)
        if step % self.problem.steps_per_epoch == 0:
            self.sums.zero_()
        self.weights.begin()
        batch = cache(partial(self.train.batch, step))  # drawn once, when it is first asked for
        if learns:
            held = self.held.batch(step)
            validation = ValidationLoss(
                partial(self._held_loss, held), partial(self._sgd_step, batch), partial(self._accuracy, held)
            )
            self.method.learn(validation, self.context("architecture", step))
        self._turn(step)
        lessons, answers = self.method.lessons(self.context("gates", step)), list[Tensor]()
        watch, summed = self.hooks.begin(step, lessons), self.method.summed
        with self._noise(step):
            paths = [partial(self._learn, lesson, answers) for lesson in lessons]
            loss, logits = self.weights.update(batch(), paths, watch=watch, summed=summed)
        hits = (logits.argmax(dim=1) == batch()[1]).sum()
        self.sums += torch.stack([loss.double() * len(logits), hits.double()])
        return SearchCost(weight_steps=len(lessons), arch_steps=int(learns))

    def _turn(self, step: int) -> None:
        """What happens in front of a phase, at its first step."""
        phases, (epoch, within) = self.phases, divmod(step, self.problem.steps_per_epoch)
        if not phases or within or (place := phase_at(phases, epoch)).epoch:
            return
        enter(phases, place.number, self.method, self.network, self.teacher)
        if place.number:
            self.weights.forget()

    def _learn(self, lesson: Lesson, answers: list[Tensor], batch: Batch) -> Pass:
        """A forward pass with its loss. `answers` are those of the teacher, once they are known."""
        return self.teacher.corrected(lesson, self._path(lesson.gates, batch), batch[0], answers)

    def _noise(self, step: int) -> AbstractContextManager[None]:
        """What is dropped in a step; it follows from the step alone."""
        if not (self.setup.drop_path or self.setup.layout.head.dropout):
            return nullcontext()
        share = self.setup.drop_path * self.epoch / max(1, self.schedule.epochs - 1)
        return noisy(self.network, self.chance.generator("noise", step), share)

    def _path(self, gates: Gates, batch: Batch) -> Pass:
        """A forward pass, with the auxiliary head where there is one."""
        images, labels = batch
        if self.setup.layout.auxiliary is None:
            logits = self.logits(images, gates)
            return Pass(self.loss(logits, labels), logits)
        with self._precision(images):
            logits, other = self.network.heads(images, gates)
        assert other is not None
        logits, other = whole(logits), whole(other)
        return Pass(self.loss(logits, labels) + self.setup.auxiliary * self.loss(other, labels), logits)

    def own_gates(self, number: int) -> Gates:
        """What the method runs in the last epoch of its search, for a batch that is only looked at."""
        epochs = self.schedule.searched
        return self.method.gates(StepContext(epochs - 1, epochs, self.chance.generator("mixture", number)))

    def learns_at(self, step: int) -> bool:
        """Whether there is an architecture step in front of that weight step."""
        epoch, within = divmod(step, self.problem.steps_per_epoch)
        epoch -= self.schedule.warmup
        return self.schedule.searching and epoch >= 0 and self.method.learns_at(epoch, within)

    def _sgd_step(self, batch: Callable[[], Batch]) -> SgdStep:
        """The weight step that is about to be taken on that batch."""
        loss = partial(self._loss, self.loss, batch())
        return SgdStep.of(self.weights.optimizer, loss, self.weights.parameters, self.weights.momentum)

    def _loss(self, loss: Loss, batch: Batch, gates: Gates, weights: Weights | None = None) -> Tensor:
        images, labels = batch
        return loss(self.logits(images, gates, weights), labels)

    def _held_loss(self, batch: Batch, gates: Gates, weights: Weights | None = None) -> Tensor:
        """Differentiable in what gates were made of, and in weights that are given; not in the network's own."""
        own = weights is None and not self.problem.recipe.compile  # else every block would be compiled twice
        with frozen(self.network) if own else nullcontext():
            loss = self._loss(cross_entropy, batch, gates, weights)
        return loss if loss.requires_grad else loss.requires_grad_()  # nothing that ran depends on the gates

    @torch.no_grad()
    def _accuracy(self, batch: Batch, gates: Gates) -> float:
        """The share of a batch that is right."""
        images, labels = batch
        return (self.logits(images, gates).argmax(dim=1) == labels).double().mean().item()

    def logits(self, images: Tensor, gates: Gates, weights: Weights | None = None) -> Tensor:
        """Of the network, or of it under other weights, in the recipe's precision.

        What comes out is float32, and so are weights and their gradients.
        """
        with self._precision(images):
            if weights is None:
                logits: Tensor = self.network(images, gates)
            else:
                logits = functional_call(self.network, dict(weights), (images, gates))
        return whole(logits)

    def _precision(self, images: Tensor) -> AbstractContextManager[None]:
        half = self.problem.recipe.precision == "bfloat16"
        return torch.autocast(images.device.type, torch.bfloat16, enabled=half)

    def uncompiled(self) -> AbstractContextManager[None]:
        """For passes of which there are too few of a kind to be worth compiling."""
        return torch.compiler.set_stance("force_eager") if self.problem.recipe.compile else nullcontext()

    def means(self) -> tuple[float, float]:
        """The mean training loss and accuracy (percent) since the epoch began."""
        done = (self.step - 1) % self.problem.steps_per_epoch + 1
        loss, hits = (self.sums / (done * self.problem.recipe.search.batch_size)).tolist()
        return loss, 100 * hits

    def finite_means(self) -> tuple[float, float]:
        """The same; UserError where the loss has become infinite or not a number."""
        loss, accuracy = self.means()
        self.weights.check(loss)
        return loss, accuracy

    def probe(self, number: int) -> Probe:
        """A mini-batch of the gradient matching score, the same one whenever it is asked for, with the gates that run
        beside the candidates compared."""
        gates = self.method.probe(self.context("probe gates", number))
        return Probe(partial(self._loss, self.loss, self.probed.batch(number)), gates)

    def answers(self, number: int) -> Callable[[Gates], Tensor]:
        """The network's logits on the images of that probe, as a function of gates."""
        images, _ = self.probed.batch(number)
        return partial(self.logits, images)

    def completion(self, number: int) -> Arch:
        """A random valid architecture of the region in which as many choices act as can, so that candidates may be
        compared in it; the same one whenever it is asked for."""
        space, region = self.problem.space, self.scope.region
        return space.completed(space.sample(region, self.chance.generator("completion", number)), region)

    def architecture_weights(self) -> dict[str, list[float]]:
        """Per choice the weights of its candidates, to six digits, where the method has such."""
        return {
            choice: [round(weight, 6) for weight in weights.tolist()]
            for choice, weights in self.method.architecture_weights().items()
        }

    def begin(self) -> None:
        """Takes the weights that supernets begin with, where these are not drawn."""
        if self.problem.begin is not None:
            embed(self.network, self.problem.begin.tensors)

    def inherit(self, parent: Record, region: Region) -> None:
        """Takes over the parent's weights, momentum and architecture weights, by name, where still allowed."""
        self.network.load_state_dict({name: parent.weights[name] for name in self.network.state_dict()})
        self.weights.load_momentum(parent.state["momentum"])
        self.method.inherit(parent.state["method"], region)
        self.hooks.inherit(parent.state, region)
        self.teacher.learn_from(parent)

    def restart(self, parent: Record) -> None:
        """Takes over the teacher that a parent has kept, if it has, and begins with its weights."""
        self.teacher.learn_from(parent)
        if (weights := self.teacher.weights) is not None:
            self.network.load_state_dict({name: weights[name] for name in self.network.state_dict()})

    def record(self) -> Record:
        """All of it, to be saved."""
        (weights, taught), method = self.teacher.record(), dict(self.method.state_dict())
        state = {**self.weights.state(), **self.hooks.state(), "method": method, "sums": self.sums, **weights}
        return Record(dict(self.network.state_dict()), state, {"label": self.scope.label, "step": self.step, **taught})

    def restore(self, record: Record) -> None:
        """Goes back to what was saved of this very node."""
        assert record.meta["label"] == self.scope.label
        self.network.load_state_dict(record.weights)
        self.method.load_state_dict(record.state["method"])
        self.teacher.restore(record)
        self.weights.load(record.state, record.meta["step"])
        self.hooks.load(record.state)
        self.sums.copy_(record.state["sums"])
