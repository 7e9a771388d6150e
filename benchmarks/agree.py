"""Whether two ways to do the same work found the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

TOLERANCE = 1e-8
"""In float64, finite differences included."""


class Disagreement(Exception):
    """The numbers of the two ways differ, so that their times mean nothing."""


def agree(what: str, fast: Mapping[str, Tensor], naive: Mapping[str, Tensor]) -> None:
    """Raises Disagreement unless the difference is small beside the whole, all tensors taken together."""
    if fast.keys() != naive.keys():
        raise Disagreement(f"{what}: not of the same names")
    whole = torch.cat([fast[name].double().flatten() for name in fast])
    other = torch.cat([naive[name].double().flatten() for name in fast])
    apart = ((whole - other).norm() / whole.norm().clamp(min=1e-300)).item()
    if not apart <= TOLERANCE:  # not a number is no agreement
        raise Disagreement(f"{what}: the two ways are {apart:.1e} apart, of which {TOLERANCE:.0e} is allowed")
