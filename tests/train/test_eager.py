"""Optimisers without torch's compiler move weights as torch's own."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch

from cleave.train.eager import SGD, Adam, eager

LOADS = """
import sys, torch
from cleave.train.eager import SGD, Adam
for kind in (SGD, Adam):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = kind([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
from cleave.net.cost import costs
from cleave.space import find_space
for name in ("nasbench201", "mobilenet-ofa"):
    space = find_space(name)
    costs(space, space.usual_size)
print(*{"torch._dynamo", "sympy"} & set(sys.modules))
"""


@pytest.mark.parametrize(
    ("ours", "torchs", "settings"),
    [
        (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
        (SGD, torch.optim.SGD, {}),
        (Adam, torch.optim.Adam, {"betas": (0.5, 0.999), "weight_decay": 0.01}),
        (eager(torch.optim.RMSprop), torch.optim.RMSprop, {"momentum": 0.9}),
    ],
)
def test_steps_are_torchs_to_the_bit_also_after_a_pause(ours: Any, torchs: Any, settings: dict[str, Any]) -> None:  # noqa: ANN401
    start = [torch.randn(3, 2), torch.randn(4)]
    moved = []
    for kind in (ours, torchs):
        weights = [torch.nn.Parameter(each.clone()) for each in start]
        optimizer = kind(weights, lr=0.1, **settings)
        for step in range(6):
            optimizer.zero_grad()
            sum((weight**3).sum() for weight in weights).backward()
            optimizer.step()
            if step == 2:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = kind(weights, lr=0.5, **settings)
                optimizer.load_state_dict(state)
        moved.append(weights)
    assert all(map(torch.equal, *moved))
    assert not any(map(torch.equal, start, moved[0]))


def test_neither_training_nor_counting_loads_the_compiler() -> None:
    ended = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
