"""The three sizes of searches in the DARTS space whose architectures are trained from scratch.

paper   as published (GM-NAS, appendix D.2): 8 cells, C=16, batches of 64, 2 and 15 epochs; 20 cells, C=36, 600 epochs
small   two CPU cores, 90 minutes for DARTS of first order with all seeds
tiny    a minute or two, on the bundled images: that all of it runs, and nothing else
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from cleave.reproduce.budgets import UNTOUCHED, Length, Sizes
from cleave.retrain.catalogue import RECIPES

SPLITS, BRANCH = 3, 2

TRAINED: dict[str, dict[str, Any]] = {
    "tiny": {
        "space": {"channels": 2, "cells": 3},
        "data": {"use": "all"},
        "training": {"epochs": 2, "batch_size": 24},
    },
    "small": {
        "space": {"channels": 8, "cells": 5},
        "data": {"use": "all"},
        "training": {"epochs": 12, "batch_size": 64, "cutout": 8, "drop_path": 0.1},
    },
    "paper": deepcopy(RECIPES["darts-cifar"]),
}
"""How the architectures of a search are trained, as a recipe of `cleave train`: on all training images."""
SCHEDULES = {"tiny": [1, 2], "small": [3, 6, 12], "paper": [30, 100, 600]}
"""Of halving; the last epochs are those of the training."""


def halving(budget: str) -> dict[str, Any]:
    """The keys of a search that chooses among its leaves by halving, as its architectures are then trained."""
    trained = TRAINED[budget]
    training = {key: value for key, value in trained["training"].items() if key != "epochs"}
    space = {key: value for key, value in trained["space"].items() if key != "name"}
    keys = {"by": "halving", "schedule": SCHEDULES[budget], "training": training, "space": space}
    return {f"selection.{key}": value for key, value in keys.items()}


SEARCHED = {
    "space.name": "darts", "split.rule": "exact", "method.weight_decay": 3e-4, **UNTOUCHED,
}  # fmt: skip
ARCHITECTURE_STEPS = 15 * 391
"""Of a leaf: 15 epochs of 25,000 images in batches of 64."""

DARTS_SIZES: dict[str, Sizes] = {
    "tiny": Sizes(
        "tiny",
        {
            "data.name": "bundled", "data.limit": 96, "data.image_size": 8, "space.channels": 2, "space.cells": 3,
            "space.ops": ["skip_connect", "sep_conv_3x3", "max_pool_3x3"], "search.batch_size": 24,
            "split.batches": 1, **SEARCHED,
        },
        {"darts": Length(1, 1), "rsps": Length(1, 1)},
        {},
        ARCHITECTURE_STEPS,
    ),
    "small": Sizes(
        "small",
        {
            "data.image_size": 16, "data.limit": 1200, "space.channels": 4, "space.cells": 5,
            "space.split_cells": "normal", "search.batch_size": 64, "split.batches": 1, **SEARCHED,
        },
        {"darts": Length(1, 3), "rsps": Length(1, 3)},
        {},
        ARCHITECTURE_STEPS,
    ),
    "paper": Sizes(
        "paper",
        {
            "data.image_size": 32, "data.limit": None, "data.padding": 4, "space.channels": 16, "space.cells": 8,
            "search.batch_size": 64, "split.batches": 100, **SEARCHED,
        },
        {"darts": Length(2, 15), "rsps": Length(2, 15)},
        {},
        ARCHITECTURE_STEPS,
    ),
}  # fmt: skip
