"""The convolutions of a training step alone: what no other cleverness around them can go below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class Convolution:
    """One call of torch.convolution_backward: tensors of the recorded shapes and layouts, and everything else."""

    slope: Tensor
    images: Tensor
    weight: Tensor
    bias_sizes: Sequence[int] | None
    geometry: tuple[Any, ...]  # stride, padding, dilation, transposed, output_padding, groups
    wanted: Sequence[bool]  # the gradients of images, weight and bias

    def run(self) -> None:
        """Forward, then backward for what was wanted."""
        torch.ops.aten.convolution(self.images, self.weight, None, *self.geometry)
        torch.ops.aten.convolution_backward(
            self.slope, self.images, self.weight, self.bias_sizes, *self.geometry, self.wanted
        )


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the convolutions that have a weight gradient, as the backward pass comes by them.

    Pooling that is written as a convolution has none, and is not the network's own work.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Convolution] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        if func is torch.ops.aten.convolution_backward.default and args[-1][1]:
            slope, images, weight, bias_sizes, *geometry, wanted = args
            found = Convolution(like(slope), like(images), like(weight), bias_sizes, tuple(geometry), wanted)
            self.found.append(found)
        return func(*args, **(kwargs or {}))


def like(tensor: Tensor) -> Tensor:
    """Random numbers in the same shape and layout."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype).normal_()


def recorded(step: Callable[[], object]) -> list[Convolution]:
    """The convolutions of one training step."""
    recorder = Recorder()
    with recorder:
        step()
    return recorder.found


@torch.no_grad()
def replay(convolutions: Sequence[Convolution]) -> None:
    for convolution in convolutions:
        convolution.run()
