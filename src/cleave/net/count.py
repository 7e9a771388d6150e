"""Multiply-adds, counted as they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from cleave.net.shapes import shaped


class MultiplyAdds(TorchFunctionMode):
    """Counts those of convolutions and linear layers while it is entered; `total` is of all images together.

    Poolings, normalisations and sums count as none, as usual.
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
        output = shaped(function, args, kwargs or {})
        if output is None:
            output = function(*args, **(kwargs or {}))
        if function in (torch.conv2d, linear):
            weight: Tensor = args[1] if len(args) > 1 else kwargs["weight"]
            self.total += output.numel() * weight[0].numel()
        return output
