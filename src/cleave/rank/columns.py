"""What a ranking is compared with, one number per architecture: the truth, trivial baselines, others' predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cleave.bench.table import Table
from cleave.data.chance import Chance
from cleave.errors import UserError
from cleave.net.cost import costs
from cleave.space import Arch, Space

Numbers = NDArray[np.float64]

RANDOM, PARAMETERS, MULTIPLY_ADDS, EARLY = "random", "parameters", "flops", "epoch12"
BASELINES = (RANDOM, PARAMETERS, MULTIPLY_ADDS, EARLY)


def place(table: Table, name: str) -> int:
    """An architecture's index in the table; UserError where it lacks it."""
    try:
        return table.index(name)
    except UserError as error:
        raise UserError(
            f"{table.name}: lacks architecture {name}, which is to be ranked; give --benchmark a whole table"
        ) from error


def baselines(
    space: Space, archs: Sequence[Arch], table: Table, dataset: str, rows: Sequence[int], seed: int
) -> dict[str, Numbers]:
    """What takes no supernet: chance, parameters and multiply-adds of the published network, 12 epochs of training.

    Parameters and multiply-adds are those for 10 classes and 32 x 32 pixels; other numbers give the same order. The
    accuracies after 12 epochs (test, percent) are there where the table has them.
    """
    cost = costs(space)
    each = [cost.of(arch) for arch in archs]
    found = {
        RANDOM: torch.rand(len(archs), generator=Chance(seed, "rank").generator(RANDOM), dtype=torch.float64).numpy(),
        PARAMETERS: np.array([one.parameters for one in each], dtype=np.float64),
        MULTIPLY_ADDS: np.array([one.multiply_adds for one in each], dtype=np.float64),
    }
    early = table.columns.get(f"e12_{dataset.removesuffix('-120')}_test")
    return found if early is None else {**found, EARLY: early[list(rows)].astype(np.float64)}
