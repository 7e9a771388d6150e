"""Multiply-adds, counted as they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

SAME_SHAPE = {
    functional.batch_norm, functional.relu, functional.hardtanh, functional.hardswish, functional.hardsigmoid,
    torch.relu, Tensor.relu,
}  # fmt: skip
"""What gives out what it is given, but for the values."""


class MultiplyAdds(TorchFunctionMode):
    """Counts those of convolutions and linear layers while it is entered; `total` is of all images together.

    Poolings, normalisations and sums count as none, as usual. Tensors on the meta device have no values, which torch
    takes a long time to see: there what only changes values is not run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total: int = 0

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if function in SAME_SHAPE and args and args[0].is_meta:
            return args[0]
        output = function(*args, **(kwargs or {}))
        if function in (torch.conv2d, linear):
            weight: Tensor = args[1] if len(args) > 1 else kwargs["weight"]
            self.total += output.numel() * weight[0].numel()
        return output
