"""Several processes that train one network together, each on its part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from cleave.errors import UserError
from cleave.retrain.norms import synchronise

Told = TypeVar("Told")
PATIENCE = timedelta(days=1)
"""For which the others are waited for: the first may have to read a large folder of images. One that has ended is
noticed at once, since its connections close; on GPUs torchrun ends the others."""


@dataclass(frozen=True)
class Ranks:
    """This process, number `rank` of `world`. Alone, nothing has to be told to anybody.

    Each holds the same network and takes the same steps: gradients and losses are those of the whole batch.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and tells people."""
        return self.rank == 0

    def parts(self, images: int, passes: int) -> list[slice]:
        """Its pieces of a batch, one for each pass: all processes together see in a pass what one alone would see.

        UserError where a batch cannot be divided like that.
        """
        each, rest = divmod(images, passes * self.world)
        if rest:
            raise UserError(
                f"training.batch_size={images}: cannot be divided among {self.world} processes with "
                f"training.accumulate={passes}; give a multiple of {passes * self.world}"
            )
        begins = [(number * self.world + self.rank) * each for number in range(passes)]
        return [slice(begin, begin + each) for begin in begins]

    def prepare(self, network: nn.Module) -> None:
        """Has normalisations go by the whole batch."""
        if self.world > 1:
            synchronise(network)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients become their mean over the processes."""
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients])) / self.world
        for gradient, part in zip(gradients, torch.split(flat, [each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def sum(self, values: Tensor) -> Tensor:
        """Over the processes."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool, device: str) -> bool:
        """Whether it is set in any process; all get the same answer."""
        return flag if self.world == 1 else bool(self.sum(torch.tensor(int(flag), device=device)))

    def told(self, value: Told) -> Told:
        """What the first process has, in all of them."""
        if self.world == 1:
            return value
        box: list[Any] = [value]
        distributed.broadcast_object_list(box)
        found: Told = box[0]
        return found


ALONE = Ranks()


def device_of(device: str) -> str:
    """The GPU of this process, where each of several has one."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process among those that torchrun started beside it; alone where it started none.

    UserError where another one ends meanwhile.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    except RuntimeError as error:
        if not is_lost(error):
            raise
        raise UserError(
            "another process of this training has ended; with all of them at work again, `cleave resume` goes on "
            "from the last checkpoint"
        ) from error
    finally:
        distributed.destroy_process_group()


def is_lost(error: RuntimeError) -> bool:
    """Whether it says that another process is gone: torch has a class for it, gloo only messages."""
    words = ("connection closed", "connection reset", "broken pipe", "timed out")
    return isinstance(error, distributed.DistError) or any(word in str(error).lower() for word in words)
