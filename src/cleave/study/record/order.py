"""Which child a mini-batch is for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from cleave.data.chance import Chance

Order = Callable[[int], int]
"""The position of the child that step 0, 1, ... is for; a pure function, so that there is nothing to save."""


def make_order(kind: str, children: int, chance: Chance) -> Order:
    """The order policies of arXiv 2001.01431, and independent draws.

    fixed: one after the other, again and again. shuffled-once: the same in a random order. reshuffled: in another
    random order each time. iid: any child any time.
    """

    @cache
    def shuffle(cycle: int) -> list[int]:
        order: list[int] = torch.randperm(children, generator=chance.generator("order", cycle)).tolist()
        return order

    def drawn(step: int) -> int:
        return int(torch.randint(children, (), generator=chance.generator("child", step)))

    orders: dict[str, Order] = {
        "fixed": lambda step: step % children,
        "shuffled-once": lambda step: shuffle(0)[step % children],
        "reshuffled": lambda step: shuffle(step // children)[step % children],
        "iid": drawn,
    }
    return orders[kind]
