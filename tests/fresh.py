"""Random numbers of numpy that follow the seed of the test, as those of torch do."""

from __future__ import annotations

import numpy as np
import torch


def fresh() -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**62, ())))
