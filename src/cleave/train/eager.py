"""torch's optimisers without its compiler.

Their methods are marked for `torch.compile`, and the first call of a marked one loads the compiler: a second and more
of every process that trains. Here nothing compiles a step.
"""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)
MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(kind: type[Kind]) -> type[Kind]:
    """The same optimiser, its methods without marks: it moves weights by the same sums."""
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in MARKED}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**plain, "step": step})


SGD = eager(torch.optim.SGD)
Adam = eager(torch.optim.Adam)
