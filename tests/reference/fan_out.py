"""The slow, obvious twin of running operations together: each by itself, its output times its weight."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cleave.net.fan_out import Use


def outputs(x: Tensor, uses: Sequence[Use]) -> list[Tensor]:
    """Each use's operation on `x`, times its weight."""
    return [use.operation(x) * (1 if use.weight is None else use.weight) for use in uses]
