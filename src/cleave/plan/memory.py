"""How much memory a training step needs, and how much there is, in bytes."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from cleave.search.learner import Learner

COPIES = 3
"""Of every weight: itself, its gradient, its momentum."""


def step_bytes(learner: Learner, batch_size: int) -> int:
    """What a weight step keeps at once: weights with gradients and momentum, and what the backward pass reads.

    Counted on two images, so that asking is safe where the step itself would not fit; work space of single
    operations is not in it.
    """
    stored = sum(parameter.numel() * parameter.element_size() for parameter in learner.network.parameters())
    return COPIES * stored + saved_bytes(learner, images=2) * batch_size // 2


def saved_bytes(learner: Learner, images: int) -> int:
    """The bytes that autograd keeps of a forward pass, each storage once, without those of the weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in learner.network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    pixels, _ = learner.train.batch(0)
    gates = learner.method.gates(learner.turn("memory", 0))
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = learner.network(pixels[:images], gates)
    del output
    return sum(kept.values())


def available_bytes(device: str) -> int | None:
    """The memory that is free on the device; None where the system does not tell."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return 1024 * int(fields["MemAvailable"].split()[0])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else None


def peak_bytes(device: str) -> int:
    """The most that this process has held so far: on a GPU in tensors, else in all."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def size_text(count: int) -> str:
    """12 MiB, 1.5 GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
