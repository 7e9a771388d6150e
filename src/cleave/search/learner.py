"""One node of the tree while it is trained: its network, its method, its optimiser, its place in the schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.stream import Batch, InOrder
from cleave.errors import UserError
from cleave.memory import OutOfMemory, too_large, within_memory
from cleave.method import Method, SgdStep, StepContext, ValidationLoss, Weights
from cleave.net import Gates, Network, build, only_live
from cleave.run.generations import Record
from cleave.search.accuracy import Accuracy
from cleave.search.problem import Problem
from cleave.search.schedule import Schedule
from cleave.space import Arch, Region
from cleave.space.sample import distinct
from cleave.split import Matching, Probe, match, shared_parameters
from cleave.split.gradient import gradients
from cleave.split.similarity import SIMILARITIES, Gradients

CHECK_EVERY = 50
"""Steps between looks at the loss on a device that would have to be waited for; on the CPU every step is checked."""


BACKEND = "inductor"
"""Of torch.compile."""

VERSIONS = 64
"""Of a block's code at most: one for each of its sizes, with and without gradients of what goes in."""


@dataclass(frozen=True)
class Standalone:
    """One architecture that is trained by itself: what random search does, and what results are measured against."""

    label: str
    arch: Arch

    @property
    def region(self) -> Region:
        return Region.of(self.arch)


class Scope(Protocol):
    """What weights are trained for: a region of the space, and the label that its random numbers go by."""

    @property
    def label(self) -> str: ...

    @property
    def region(self) -> Region: ...


def make_method(problem: Problem, place: Scope, chance: Chance) -> Method:
    """The recipe's method for a place, in its initial state."""
    return problem.method(problem.recipe.method, problem.space, place.region, chance.generator("architecture"))


def compile_blocks(network: Network) -> None:
    """Block by block: those of one kind and size are compiled once. What was compiled before is given up."""
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = VERSIONS
    for block in network.blocks.values():
        block.compile(fullgraph=True, backend=BACKEND)


class Learner:
    """Everything that changes while a node is trained. Equal states go on equally, anywhere."""

    def __init__(self, problem: Problem, place: Scope, schedule: Schedule) -> None:
        """New weights, drawn from (seed, label of the place)."""
        recipe = problem.recipe
        self.place, self.schedule = place, schedule
        self.chance = Chance(recipe.seed, place.label)
        seed = self.chance.number("weights")
        self.network = build(problem.layout, place.region, problem.classes, seed, device=recipe.device)
        if recipe.compile:
            compile_blocks(self.network)
        self.method = make_method(problem, place, self.chance).to(recipe.device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=recipe.method.learning_rate,
            momentum=recipe.method.momentum,
            weight_decay=recipe.method.weight_decay,
            nesterov=recipe.method.momentum > 0,
        )
        self._draw_from(problem)
        self.step = 0
        self.sums = torch.zeros(2, dtype=torch.float64, device=recipe.device)  # of loss and of hits, this epoch

    def _draw_from(self, problem: Problem) -> None:
        """The batches of a problem, which differs from the node's own at most in their size."""
        self.problem = problem
        self.train = problem.stream(problem.train, self.chance, "train")
        self.held = problem.stream(problem.valid, self.chance, "held")
        self.probed = problem.stream(problem.train, self.chance, "probe")

    @property
    def steps(self) -> int:
        """All training steps of this node."""
        return self.schedule.epochs * self.problem.steps_per_epoch

    @property
    def epoch(self) -> int:
        return self.step // self.problem.steps_per_epoch

    @property
    def architecture_steps(self) -> bool:
        return self.schedule.searching and self.method.learns

    @cached_property
    def panel(self) -> list[Arch]:
        """The architectures whose ranking is followed."""
        count, generator = self.problem.recipe.trust.panel, self.chance.generator("panel")
        return distinct(self.problem.space, self.place.region, count, generator)

    def context(self, purpose: str, step: int) -> StepContext:
        """What a method is told when it is asked for this purpose and step."""
        epoch, epochs = (self.epoch, self.schedule.epochs) if self.schedule.searching else (0, 0)
        return StepContext(epoch, epochs, self.chance.generator(purpose, step))

    def advance(self) -> None:
        """One training step: architecture first where there is one (DARTS's order), then the weights."""
        within_memory(self._advance, partial(self._too_large, self._advance))

    def _too_large(self, work: Callable[[], object]) -> OutOfMemory:
        """What to say where work on a batch does not fit into memory. The learner is spoilt by it."""
        problem = self.problem

        def attempt(size: int) -> None:
            smaller = problem.recipe.search.model_copy(update={"batch_size": size})
            self._draw_from(replace(problem, recipe=problem.recipe.model_copy(update={"search": smaller})))
            with self._uncompiled():
                work()

        size, device = problem.recipe.search.batch_size, problem.recipe.device
        return too_large(f"leaf {self.place.label}", "search.batch_size", size, attempt, device)

    def _advance(self) -> None:
        if self.step % self.problem.steps_per_epoch == 0:
            self.sums.zero_()
            self._set_learning_rate()
        batch = cache(partial(self.train.batch, self.step))  # drawn once, when it is first asked for
        if self.architecture_steps:
            held = ValidationLoss(partial(self._loss, self.held.batch(self.step)), partial(self._sgd_step, batch))
            self.method.learn(held, self.context("architecture", self.step))
        self._weight_step(*batch())
        self.step += 1

    def _set_learning_rate(self) -> None:
        settings = self.problem.recipe.method
        rate = self.schedule.learning_rate(self.epoch, settings.learning_rate, settings.learning_rate_min)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _sgd_step(self, batch: Callable[[], Batch]) -> SgdStep:
        """The weight step that is about to be taken on that batch."""
        weights = dict(self.network.named_parameters())
        return SgdStep.of(self.optimizer, partial(self._loss, batch()), weights, self._momentum())

    def _weight_step(self, images: Tensor, labels: Tensor) -> None:
        """SGD on the active weights; those that did not run have no gradient and stand still."""
        logits = self.logits(images, self.method.gates(self.context("gates", self.step)))
        loss = cross_entropy(logits, labels)
        self._check(loss)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.problem.recipe.method.clip)
        self.optimizer.step()
        hits = (logits.argmax(dim=1) == labels).sum()
        self.sums += torch.stack([loss.detach().double() * len(labels), hits.double()])

    def _check(self, loss: Tensor) -> None:
        if loss.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self._check_value(loss.item())

    def _check_value(self, loss: float) -> None:
        if not isfinite(loss):
            raise UserError(
                f"leaf {self.place.label}, step {self.step}: the loss is {loss}; "
                "try a smaller method.learning_rate or method.clip"
            )

    def _loss(self, batch: Batch, gates: Gates, weights: Weights | None = None) -> Tensor:
        images, labels = batch
        return cross_entropy(self.logits(images, gates, weights), labels)

    def logits(self, images: Tensor, gates: Gates, weights: Weights | None = None) -> Tensor:
        """Of the network, or of it under other weights, in the recipe's precision.

        What comes out is float32, and so are weights and their gradients.
        """
        kind, half = images.device.type, self.problem.recipe.precision == "bfloat16"
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            if weights is None:
                logits: Tensor = self.network(images, gates)
            else:
                logits = functional_call(self.network, dict(weights), (images, gates))
        return logits.float() if half else logits

    def _uncompiled(self) -> AbstractContextManager[None]:
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
        self._check_value(loss)
        return loss, accuracy

    def probes(self) -> Iterator[Probe]:
        """The mini-batches of the gradient matching score; the same ones whenever they are asked for."""
        return map(self.probe, range(self.problem.recipe.split.batches))

    def probe(self, number: int) -> Probe:
        """One of them, with the gates that run beside the candidates compared."""
        gates = self.method.gates(self.context("probe gates", number))
        return Probe(partial(self._loss, self.probed.batch(number)), gates)

    @property
    def matching(self) -> Matching:
        split = self.problem.recipe.split
        return Matching(
            SIMILARITIES[split.similarity],
            own_weight=split.enable == "own",
            mean_gradients=split.average == "gradients",
        )

    def score(self, choice: str, probes: Iterator[Probe]) -> Tensor:
        """Similarities [candidates, candidates] of a choice's gradients; nothing of the node changes."""
        explain = partial(self._too_large, lambda: self._score(choice, iter([self.probe(0)])))
        return within_memory(partial(self._score, choice, probes), explain)

    def _score(self, choice: str, probes: Iterator[Probe]) -> Tensor:
        allowed = self.place.region.allowed[choice]
        with self._uncompiled():
            return self.checked(choice, match(probes, choice, allowed, self._shared(choice), self.matching))

    def gradients(self, choice: str, probe: Probe) -> Gradients:
        """Per shared parameter those under each candidate of the choice, [candidates, *shape]."""
        explain = partial(self._too_large, lambda: self._gradients(choice, self.probe(0)))
        return within_memory(partial(self._gradients, choice, probe), explain)

    def _gradients(self, choice: str, probe: Probe) -> Gradients:
        allowed = self.place.region.allowed[choice]
        with self._uncompiled():
            return gradients(probe, choice, allowed, self._shared(choice), self.matching.own_weight)

    def _shared(self, choice: str) -> Mapping[str, nn.Parameter]:
        body = self.problem.recipe.split.shared == "body"
        return shared_parameters(self.network, choice, self.problem.layout.ends if body else ())

    def checked(self, choice: str, similarities: Tensor) -> Tensor:
        """The same, on the CPU; UserError where they are not numbers."""
        if not torch.isfinite(similarities).all():
            raise UserError(
                f"leaf {self.place.label}: a gradient on choice {choice} is not finite; "
                "try a smaller method.learning_rate"
            )
        return similarities.cpu()

    def architecture_weights(self) -> dict[str, list[float]]:
        """Per choice the weights of its candidates, to six digits, where the method has such."""
        return {
            choice: [round(weight, 6) for weight in weights.tolist()]
            for choice, weights in self.method.architecture_weights().items()
        }

    def exam(self, images: Images | None = None) -> InOrder:
        """Images (default: all held-out ones), not augmented, in the batches that they are judged in."""
        images = self.problem.valid if images is None else images
        return InOrder(images, self.problem.recipe.search.eval_batch_size, self.problem.normalise)

    def hits(self, arch: Arch, batches: Iterable[Batch]) -> list[int]:
        """How many images of each class `arch` gets right under these weights."""
        return within_memory(partial(self._hits, arch, batches), partial(self._exam_too_large, arch))

    def _exam_too_large(self, arch: Arch) -> OutOfMemory:
        """What to say where a batch that is judged does not fit into memory."""
        recipe, valid = self.problem.recipe, self.problem.valid

        def attempt(size: int) -> None:
            self._hits(arch, [InOrder(valid, size, self.problem.normalise)[0]])

        size, key = recipe.search.eval_batch_size, "search.eval_batch_size"
        return too_large(f"leaf {self.place.label}", key, size, attempt, recipe.device)

    @torch.no_grad()
    def _hits(self, arch: Arch, batches: Iterable[Batch]) -> list[int]:
        gates = only_live(self.problem.layout, arch)
        hits = torch.zeros(self.problem.classes, dtype=torch.int64, device=self.problem.recipe.device)
        with self._uncompiled():
            for images, labels in batches:
                hits.index_add_(0, labels, (self.logits(images, gates).argmax(dim=1) == labels).long())
        by_class: list[int] = hits.tolist()
        return by_class

    def accuracy(self, arch: Arch, images: Images | None = None) -> float:
        """Percent of images (default: all held-out ones) that `arch` gets right under these weights."""
        count = len(self.problem.valid if images is None else images)
        return 100 * sum(self.hits(arch, self.exam(images))) / count

    def judge(self, arch: Arch) -> Accuracy:
        """How `arch` does under these weights on all held-out images."""
        return Accuracy.of(self.hits(arch, self.exam()), self.problem.held_out_per_class)

    def inherit(self, parent: Record, region: Region) -> None:
        """Takes over the parent's weights, momentum and architecture weights, by name, where still allowed."""
        own = self.network.state_dict()
        self.network.load_state_dict({name: parent.weights[name] for name in own})
        self._load_momentum(parent.state["momentum"])
        self.method.inherit(parent.state["method"], region)

    def record(self) -> Record:
        """All of it, to be saved."""
        state = {"momentum": self._momentum(), "method": dict(self.method.state_dict()), "sums": self.sums}
        return Record(dict(self.network.state_dict()), state, {"leaf": self.place.label, "step": self.step})

    def restore(self, record: Record) -> None:
        """Goes back to what was saved of this very node."""
        assert record.meta["leaf"] == self.place.label
        self.network.load_state_dict(record.weights)
        self.method.load_state_dict(record.state["method"])
        self._load_momentum(record.state["momentum"])
        self.sums.copy_(record.state["sums"])
        self.step = record.meta["step"]
        self._set_learning_rate()

    def _momentum(self) -> dict[str, Any]:
        """SGD's momentum by parameter name; parameters that never ran have none."""
        return {
            name: self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.network.named_parameters()
            if self.optimizer.state[parameter].get("momentum_buffer") is not None
        }

    def _load_momentum(self, saved: dict[str, Tensor]) -> None:
        for name, parameter in self.network.named_parameters():
            if name in saved:
                self.optimizer.state[parameter]["momentum_buffer"] = saved[name].to(parameter.device).clone()
