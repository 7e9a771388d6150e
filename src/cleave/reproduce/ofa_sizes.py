"""The three sizes of searches in the space of Once-for-All whose architectures are trained from scratch.

paper   as published (GM-NAS, Table 5, and its released code): ImageNet, width 1.2, 224 x 224, 40 and 40 epochs,
        10,000 held-out images, statistics of 500, 500 generations; batches of 512 at .65, which is 2.6 for 2,048
small   two CPU cores, about 45 minutes with all rows and seeds, if two rows run at the same time: CIFAR-10 at 32 x 32,
        width .25. A network of a weight step takes about .2 s of a core; a search trains some 700, a training 250
tiny    a minute or two, on the bundled images: that all of it runs, and nothing else
"""

from __future__ import annotations

from typing import Any

from cleave.reproduce.budgets import UNTOUCHED, Length, Sizes
from cleave.reproduce.mobile_sizes import IMAGENET
from cleave.reproduce.mobile_sizes import TRAINED as PROXYLESS_TRAINED

FULL = 0.75
"""Share of the epochs before a split in which the largest network is trained alone: leaves begin with its weights."""

TRAINED: dict[str, dict[str, Any]] = {
    **PROXYLESS_TRAINED,
    "paper": {**PROXYLESS_TRAINED["paper"], "space": {"name": "mobilenet-ofa", "width": 1.2, "stem": "imagenet"}},
}
"""How what was found is trained, as a recipe of `cleave train`: as networks of the other MobileNet space."""

SEARCHED = {
    "space.name": "mobilenet-ofa", "split.rule": "exact", "selection.by": "mixture-loss",
    "method.derive": "evolution", "search.statistics": "mean", **UNTOUCHED,
}  # fmt: skip

OFA_SIZES: dict[str, Sizes] = {
    "tiny": Sizes(
        "tiny",
        {
            "data.name": "bundled", "data.limit": 48, "data.image_size": 16, "space.width": 0.1,
            "space.depths": [1, 2], "limits.macs": 1_247_000, "search.batch_size": 24,
            "search.calibration_images": 24, "split.batches": 1, "method.population": 4, "method.generations": 1,
            **SEARCHED,
        },
        {"shrinking": Length(4, 6)},
        {},
    ),
    "small": Sizes(
        "small",
        {
            "data.image_size": 32, "data.limit": 360, "data.train_fraction": 0.6, "space.width": 0.25,
            "limits.macs": 16_440_000, "search.batch_size": 32, "search.calibration_images": 96, "split.batches": 1,
            "method.population": 8, "method.generations": 2, **SEARCHED,
        },
        {"shrinking": Length(4, 6)},
        {},
    ),
    "paper": Sizes(
        "paper",
        {
            **IMAGENET, "space.width": 1.2, "space.stem": "imagenet", "limits.macs": 600_000_000,
            "search.batch_size": 512, "search.calibration_images": 500, "split.batches": 100, "method.clip": None,
            "method.learning_rate": 0.65, "method.population": 100, "method.generations": 500, **SEARCHED,
        },
        {"shrinking": Length(40, 40)},
        {},
    ),
}  # fmt: skip
"""Half of all architectures are within the limit at tiny and small; that of paper is the published one."""
