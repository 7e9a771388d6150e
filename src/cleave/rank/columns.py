"""What predicts accuracies without a supernet, one number per architecture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cleave.bench.table import Table
from cleave.data.chance import Chance
from cleave.net.cost import Costs
from cleave.space import Arch

Numbers = NDArray[np.float64]

RANDOM, PARAMETERS, MULTIPLY_ADDS, EARLY = "random", "parameters", "flops", "epoch12"
BASELINES = (RANDOM, PARAMETERS, MULTIPLY_ADDS, EARLY)


def baselines(archs: Sequence[Arch], costs: Costs, seed: int) -> dict[str, Numbers]:
    """What takes no supernet: chance, parameters, multiply-adds."""
    each = [costs.of(arch) for arch in archs]
    return {
        RANDOM: torch.rand(len(archs), generator=Chance(seed, "rank").generator(RANDOM), dtype=torch.float64).numpy(),
        PARAMETERS: np.array([one.parameters for one in each], dtype=np.float64),
        MULTIPLY_ADDS: np.array([one.multiply_adds for one in each], dtype=np.float64),
    }


def early(table: Table, dataset: str, rows: Sequence[int]) -> dict[str, Numbers]:
    """Accuracies after 12 epochs of training (test, percent) of these rows, where the table has them."""
    found = table.columns.get(f"e12_{dataset.removesuffix('-120')}_test")
    return {} if found is None else {EARLY: found[list(rows)].astype(np.float64)}
