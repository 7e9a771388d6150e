"""The three sizes of searches in the MobileNet space whose architectures are trained from scratch.

paper   as published (GM-NAS, appendix D.3): ImageNet, width 1, 224 x 224, batches of 512, 40 and 40 epochs, M=100
small   two CPU cores, about 50 minutes with all rows and seeds, if rows with and without a limit run at the same time:
        CIFAR-10 at 32 x 32, width .25. A weight step takes about .2 s of a core, so that a search is some 400 of them
        and a training 250
tiny    a minute or two, on the bundled images: that all of it runs, and nothing else
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from cleave.reproduce.budgets import UNTOUCHED, Length, Sizes
from cleave.retrain.catalogue import RECIPES

TALLER_LENGTH = Length(16, 31)
"""Of a tree of 8 leaves, at the paper's budget alone, by which it has as many epochs in all."""

TRAINED: dict[str, dict[str, Any]] = {
    "tiny": {"data": {"use": "all"}, "training": {"epochs": 2, "batch_size": 24}},
    "small": {
        "data": {"use": "all", "limit": 1600},
        "training": {
            "epochs": 5,
            "batch_size": 32,
            "learning_rate": 0.05,
            "nesterov": True,
            "weight_decay": 4e-5,
            "spare_norms": True,
            "label_smoothing": 0.1,
            "eval_batch_size": 64,  # twice as fast as 250 on a processor
        },
    },
    "paper": deepcopy(RECIPES["gm-imagenet"]),
}
"""How what was found is trained, as a recipe of `cleave train`: on all training images."""

SEARCHED = {
    "space.name": "mobilenet-proxyless", "split.rule": "exact", "split.restart": False,
    "selection.by": "mixture-loss", "method.learning_rate_min": 0.0, **UNTOUCHED,
}  # fmt: skip
"""Leaves go on with the weights of the node above, as in the code behind Table 5."""

IMAGENET = {
    "data.name": "imagenet-1k", "data.limit": None, "data.held_out": 10_000, "data.image_size": 256, "data.view": 224,
    "data.resample": "bicubic", "data.crop": 0.08, "data.brightness": 32 / 255, "data.saturation": 0.5,
}  # fmt: skip
"""The images of searches at the paper's size."""

MOBILE_SIZES: dict[str, Sizes] = {
    "tiny": Sizes(
        "tiny",
        {
            "data.name": "bundled", "data.limit": 48, "data.image_size": 16, "space.width": 0.1,
            "space.ops": ["3x3_e3", "3x3_e6", "5x5_e3"], "search.batch_size": 24, "split.batches": 1, **SEARCHED,
        },
        {"proxyless": Length(1, 1)},
        {},
    ),
    "small": Sizes(
        "small",
        {
            "data.image_size": 32, "data.limit": 768, "data.train_fraction": 2 / 3, "space.width": 0.25,
            "search.batch_size": 32, "split.batches": 1, **SEARCHED,
        },
        {"proxyless": Length(2, 3)},
        {"proxyless": {"method.architecture_learning_rate": 0.1}},
    ),
    "paper": Sizes(
        "paper",
        {
            **IMAGENET, "space.width": 1.0, "space.stem": "imagenet", "search.batch_size": 512, "split.batches": 100,
            "split.warmup_learning_rate": 0.05, "method.clip": None, **SEARCHED,
        },
        {"proxyless": Length(40, 40)},
        {"proxyless": {"method.architecture_learning_rate": 1e-3}},
    ),
}  # fmt: skip

LIMITS: dict[str, dict[str, dict[str, Any]]] = {
    "without limit": {"tiny": {}, "small": {}, "paper": {}},
    "with limit": {
        "tiny": {"limits.macs": 1_860_000},
        "small": {"limits.macs": 16_900_000},
        "paper": {"limits.macs": 374_000_000},
    },
}
"""What is added to the names of rows, and by budget to their recipes: half of all architectures are within a limit."""
