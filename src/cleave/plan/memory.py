"""How much memory a training step needs, and how much there is, in bytes."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from cleave.data.chance import Chance
from cleave.free_memory import free_bytes
from cleave.method import StepContext
from cleave.net import Gates, Network, one_hot
from cleave.search.hooks.weight_steps import more_copies
from cleave.search.problem import Problem
from cleave.search.retraining import retraining
from cleave.search.scope import Standalone, make_method
from cleave.split import Node

COPIES = 3
"""Of every weight: itself, its gradient, its momentum. Hooks may hold more (`more_copies`)."""


@dataclass(frozen=True)
class StepMemory:
    """The bytes of a weight step of the whole supernet: of its weights with gradients and momentum, of what the
    backward pass reads whatever the images, and of what it reads per image. Work space of single operations is not in
    it."""

    weights: int
    fixed: int
    per_image: int

    def of(self, batch_size: int) -> int:
        return self.weights + self.fixed + batch_size * self.per_image


def step_memory(problem: Problem) -> StepMemory:
    """Counted on torch's meta device, which has shapes but no memory: safe to ask where the step would not fit."""
    root = Node((), problem.space.region)
    with torch.device("meta"):
        network = Network(problem.layout, root.region, problem.classes, problem.layout.shared)
    chance = Chance(problem.recipe.seed, root.label)
    gates = make_method(problem, root, chance).gates(StepContext(0, 0, chance.generator("memory")))
    return counted(network, gates, problem, COPIES + more_copies(problem.recipe, problem.space))


def retraining_memory(problem: Problem, scopes: Sequence[Standalone]) -> int:
    """The bytes of a step in which the largest of these architectures is retrained; counted as those of a search."""
    found = []
    for scope in scopes:
        task = retraining(problem, scope, 1)
        with torch.device("meta"):
            norm = replace(task.layout.norm, running=True)
            network = Network(task.layout, scope.region, problem.classes, norm)
        memory = counted(network, one_hot(scope.arch), problem)
        found.append(memory.of(task.settings.batch_size // task.settings.accumulate))
    return max(found)


def counted(network: Network, gates: Gates, problem: Problem, copies: int = COPIES) -> StepMemory:
    """Of a network on the meta device, for images of a problem; weights are held so many times."""
    with torch.device("meta"):
        pixels = torch.empty(4, *problem.image)
    stored = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    on_meta = {
        choice: gate if gate.weight is None else replace(gate, weight=gate.weight.to("meta"))
        for choice, gate in gates.items()
    }
    two, four = (saved_bytes(network, pixels[:count], on_meta) for count in (2, 4))
    return StepMemory(copies * stored, fixed=2 * two - four, per_image=(four - two) // 2)


def saved_bytes(network: Network, images: Tensor, gates: Gates) -> int:
    """The bytes that autograd keeps of a forward pass, each storage once, without those of the weights."""
    weights = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network(images, gates)  # keeps the graph, and with it every storage, until all are counted
    assert output is not None
    return sum(kept.values())


def available_bytes(device: str) -> int | None:
    """The memory that is free on the device; None where the system does not tell."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    return free_bytes()


LONGER = 1.1
"""A whole search holds 8 to 16 % more on the CPU than a plan that timed a few of its steps: six settings of
scripts/check_plan.py, 2026-11-26, torch 2.14.1."""


def peak_bytes(device: str) -> int:
    """The most that a search will hold, once this process did all kinds of its steps: on a GPU in tensors."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(LONGER * unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
