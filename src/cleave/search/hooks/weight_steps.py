"""The hooks of a node in its weight steps: what each network of a step gave, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cleave.method import METHODS, Lesson
from cleave.method.rsps import sampler_of
from cleave.net import Gates
from cleave.search.hooks.base import HOOKS, Gradients, Hook, WeightStep
from cleave.search.hooks.gradient_projection import added
from cleave.settings import Recipe
from cleave.space import Arch, Region, Space

if TYPE_CHECKING:
    from cleave.search.trainer import NodeTrainer


class WeightSteps:
    """Asks the hooks of a recipe, in their order, and the method, if that goes by gradients."""

    def __init__(self, node: NodeTrainer) -> None:
        self.node = node
        names = () if node.scope.region.alone else node.problem.recipe.search.hooks
        self.hooks: dict[str, Hook] = {name: HOOKS[name](node) for name in names}

    def begin(self, number: int, lessons: Sequence[Lesson]) -> Watched | None:
        """A step at its beginning, with its learning rate; None where nobody has a say in it."""
        if not (self.hooks or self.node.method.watches):
            return None
        taught = any(lesson.taught and lesson.teacher is None for lesson in lessons)
        gates = [lesson.gates for lesson in lessons]
        watched = Watched(self, WeightStep(number, [chosen(each) for each in gates], taught), gates)
        if self.hooks:
            self._set_rate(watched.step)
        return watched

    def _set_rate(self, step: WeightStep) -> None:
        for group in self.node.weights.optimizer.param_groups:
            for hook in self.hooks.values():
                group["lr"] = hook.rate(step, group["lr"])

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of the hooks; nothing without any."""
        return {"hooks": {name: hook.state() for name, hook in self.hooks.items()}} if self.hooks else {}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, hook in self.hooks.items():
            hook.load(state["hooks"][name])

    def inherit(self, parent: Mapping[str, Any], parent_region: Region) -> None:
        """From a parent's checkpoint."""
        for name, hook in self.hooks.items():
            hook.inherit(parent["hooks"][name], parent_region)


class Watched:
    """One weight step (`cleave.train.StepWatch`)."""

    def __init__(self, steps: WeightSteps, step: WeightStep, gates: Sequence[Gates]) -> None:
        self.node, self.hooks, self.step, self.gates = steps.node, steps.hooks.values(), step, gates
        self.each: list[Gradients] = []

    def passed(self) -> None:
        """Puts the gradients of a network aside, so that those of the next are its own."""
        weights = self.node.weights.parameters
        self.each.append({name: weight.grad for name, weight in weights.items() if weight.grad is not None})
        for weight in weights.values():
            weight.grad = None

    def ready(self) -> None:
        weights = self.node.weights.parameters
        if self.node.method.watches:
            for gates, gradients in zip(self.gates, self.each, strict=True):
                by_weight = {weights[name]: gradient for name, gradient in gradients.items()}
                self.node.method.watch(self.node.network, gates, by_weight)
        each: Sequence[Gradients] = self.each
        for hook in self.hooks:
            each = hook.gradients(self.step, each)
        for name, gradient in added(each).items():
            weights[name].grad = gradient
        for hook in self.hooks:
            hook.before(self.step)

    def moved(self) -> None:
        for hook in self.hooks:
            hook.after(self.step)


def chosen(gates: Gates) -> Arch:
    """The architecture that runs under the gates of a single path."""
    return {choice: gate.active[0] for choice, gate in gates.items() if gate.active}


def refused(recipe: Recipe, space: Space) -> str | None:
    """The first of a recipe's hooks that cannot be had, and why, for people."""
    names = recipe.search.hooks
    for at, name in enumerate(names):
        if name in names[:at]:
            return f"search.hooks: lists {name} twice; list it once"
        if reason := HOOKS[name].refuses(recipe, space):
            return f"search.hooks: {name} {reason}; leave it out"
    return None


def more_copies(recipe: Recipe, space: Space) -> int:
    """How often a weight step holds what is as large as all weights, beside what every one holds."""
    method, names = METHODS[recipe.method.name], recipe.search.hooks
    networks = method.networks_each(recipe.method, space)
    candidates = max(len(choice.candidates) for choice in space.choices)
    watched = bool(names) or sampler_of(method, recipe.method)[1].watches
    apart = networks if networks > 1 and watched else 0  # gradients network by network
    return apart + sum(HOOKS[name].copies(networks, candidates) for name in names)
