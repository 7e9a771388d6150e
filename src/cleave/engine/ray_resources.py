"""What a worker takes of a Ray that counts; nothing here needs Ray."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cleave.engine.named import in_words, once
from cleave.errors import UserError, brief, shown

CPU, GPU = "CPU", "GPU"
NOT_OURS = ("memory", "object_store_memory")
"""Ray counts them in another way."""
PARTS, MOST = 10_000, 1_000_000
"""Of one CPU, GPU or whatever else, so small are the parts that Ray gives, and nobody has so many."""
ResourcesLike = Mapping[str, object] | Sequence[str]
"""By name, or in words as in "GPU=0.5"."""


def read_resources(given: ResourcesLike | None) -> dict[str, float]:
    """What was given, checked: UserError for a name or an amount that no Ray has."""
    if not isinstance(given, Mapping):
        words = in_words("--resources", "GPU=0.5", given or ())
        given = {name: once("--resources", name, values) for name, values in words.items()}
    return {name: read_amount(name, str(amount)) for name, amount in given.items()}


def read_amount(name: str, text: str) -> float:
    """An amount as Ray takes it: whole, or a part of one."""
    if re.fullmatch(r"[A-Za-z_][\w.:-]{0,99}", name) is None or name in NOT_OURS:
        raise UserError(
            f"--resources {brief(name)}: is nothing that a worker takes; use CPU, GPU or a name of the Ray's"
        )
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MOST or amount != round(amount, 4 if amount < 1 else 0):
        raise UserError(
            f"--resources {name}={shown(text)}: has to be a whole number, or a part of one with four digits at most"
        )
    return amount


@dataclass(frozen=True)
class Need:
    """What a worker takes of every resource."""

    amounts: Mapping[str, float]

    def fits(self, has: Mapping[str, float]) -> int | None:
        """How many workers a machine has room for; None for any number."""
        counted = [
            round(has.get(name, 0) * PARTS) // round(amount * PARTS) for name, amount in self.amounts.items() if amount
        ]
        return min(counted, default=None)

    @property
    def options(self) -> dict[str, object]:
        """As Ray's options of an actor."""
        own = {name: amount for name, amount in self.amounts.items() if name not in (CPU, GPU) and amount}
        return {"num_cpus": self.amounts[CPU], "num_gpus": self.amounts[GPU], "resources": own}

    @property
    def words(self) -> str:
        return " and ".join(f"{amount:g} {name}" for name, amount in self.amounts.items() if amount)


NOTHING = Need({CPU: 0, GPU: 0})
"""As many workers as are asked for."""


def need(asked: Mapping[str, float], threads: int, on_gpu: bool) -> Need:
    """Unless something else was asked for, of CPUs as many as a worker has threads, and a GPU to compute on."""
    amounts = {CPU: threads, GPU: int(on_gpu), **asked}
    if on_gpu and not amounts[GPU]:
        raise UserError("--resources GPU=0: a worker that computes on a GPU takes at least a part of one")
    return Need(amounts)
