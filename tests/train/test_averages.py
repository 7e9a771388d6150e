"""Averages of weights, against the formula."""

from __future__ import annotations

import torch
from torch import nn

from cleave.train import Averages


def test_averages_forget_by_their_decay_and_can_take_the_weights_place() -> None:
    module = nn.Linear(3, 2).double()
    averages = Averages(dict(module.named_parameters()), decay=0.8)
    expected = module.weight.detach().clone()
    for _ in range(5):
        with torch.no_grad():
            module.weight.normal_()
        averages.update()
        expected = 0.8 * expected + 0.2 * module.weight.detach()
    now = module.weight.detach().clone()
    torch.testing.assert_close(averages.values["weight"], expected)
    with averages.applied():
        torch.testing.assert_close(module.weight.detach(), expected)
    assert torch.equal(module.weight, now)
    torch.testing.assert_close(averages.values["weight"], expected)
    again = Averages(dict(module.named_parameters()), decay=0.8)
    again.load(averages.values)
    assert torch.equal(again.values["weight"], averages.values["weight"])
