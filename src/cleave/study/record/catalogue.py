"""Every study of the paper by name, and the three budgets that it can be run at.

paper   as published and released: C=16, 4 cells, 32 x 32, 200 epochs of 50,000 images, ranked by the test images
small   two CPU cores, at most 40 minutes with all instances
tiny    seconds, 8 children, bundled images: that all of it runs, and nothing else
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cleave.config import Raw, put
from cleave.errors import UserError, brief, named

Changes = Mapping[str, Any]

BUDGETS: dict[str, Changes] = {
    "paper": {
        "space.channels": 16, "space.cells": 4, "data.name": "cifar10", "data.image_size": None, "data.limit": None,
        "data.padding": 4, "data.judge": "test", "training.epochs": 200, "training.batch_size": 256,
        "training.idle": "drift", "looks.dense": 128, "looks.images": None, "looks.batch_size": 500, "instances": 10,
    },
    "small": {
        "space.channels": 8, "space.cells": 4, "data.name": "cifar10", "data.image_size": 16, "data.limit": 4000,
        "data.train_fraction": 0.8, "training.epochs": 16, "training.batch_size": 32, "looks.dense": 64,
        "looks.images": 250, "instances": 2,
    },
    "tiny": {
        "space.ops": ["max_pool_3x3", "sep_conv_3x3"], "space.channels": 2, "space.cells": 4, "data.name": "bundled",
        "data.image_size": 8, "data.limit": 120, "training.epochs": 2, "training.batch_size": 16, "looks.dense": 10,
        "looks.images": 24, "instances": 2,
    },
}  # fmt: skip
"""What all studies have in common at a budget."""


@dataclass(frozen=True)
class StudyEntry:
    """A study: what it changes in a budget's recipe, and in that of one budget only; what the paper found.

    `published`: by measure (see `cleave.study.tables`) a mean and, where given, a standard deviation.
    """

    name: str
    title: str
    changes: Changes = field(default_factory=dict)
    at: Mapping[str, Changes] = field(default_factory=dict)
    published: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return self.name.partition("/")[0]

    def recipe(self, budget: str) -> Raw:
        """The recipe, as it could stand in a file."""
        raw: Raw = {}
        for key, value in {**BUDGETS[budget], **self.changes, **self.at.get(budget, {})}.items():
            put(raw, key, value)
        return raw


def ranking(stability: tuple[float, float, float], gt_tau: Any, t1r: Any, t3r: Any) -> dict[str, Any]:  # noqa: ANN401
    """A row of Tables 1 and 2."""
    s_tau = {name: (value, None) for name, value in zip(("s_tau", "s_tau_max", "s_tau_min"), stability, strict=True)}
    return {**s_tau, "gt_tau_last": gt_tau, "t1r": t1r, "t3r": t3r}


SEEDS, ORDERS = {"vary": "weights"}, {"vary": "order"}
EPOCHS = {
    "s_tau_epochs": 0.5310, "s_tau_epochs_max": 0.8752, "s_tau_epochs_min": 0.0918,
    "gt_tau_epochs": 0.5053, "gt_tau_epochs_std": 0.1399, "t1r_epochs": 15.2, "t3r_epochs": 13.2,
}  # fmt: skip
"""The rows "different epochs" of Tables 1 and 2."""
TABLE1 = [
    StudyEntry(
        "table1/seeds", "all weights shared, instances of different seeds", {**SEEDS, "training.order": "fixed"},
        {"small": {"instances": 3}},
        {
            **ranking((0.5415, 0.7977, 0.2471), (0.4567, 0.1478), (18.5, 1.20), (17.6, 0.49)),
            **{name: (value, None) for name, value in EPOCHS.items()},
        },
    ),
    StudyEntry(
        "table1/orders", "all shared, one seed, different orders of the children",
        {**ORDERS, "training.order": "shuffled-once"}, {},
        ranking((0.3930, 0.7021, -0.0129), (0.4625, 0.0993), (16.9, 5.70), (11.5, 5.37)),
    ),
    StudyEntry(
        "table1/shuffled", "all shared, one seed, another order in every cycle",
        {**ORDERS, "training.order": "reshuffled"}, {},
        ranking((0.4403, 0.7163, 0.0764), (0.5108, 0.0665), (15.6, 8.48), (11.2, 5.55)),
    ),
    StudyEntry("table1/iid", "all shared, children drawn independently (not in the paper)", {"training.order": "iid"}),
    StudyEntry(
        "table1/alone", "nothing shared: the ground truth",
        {"sharing.policy": "none", "looks.dense": 0, "looks.every": 1000},
        {"small": {"training.epochs": 2}},
        ranking((0.7120, 0.8191, 0.6650), (0.7985, 0.0257), (4.8, 3.84), (1.6, 0.92)),
    ),
]  # fmt: skip

RANDOM = {2: (0.4577, 0.1371), 4: (0.2736, 0.1340), 8: (0.2539, 0.1462), 16: (0.1658, 0.1255), 32: (0.2903, 0.1104)}
SIMILAR = {2: (0.3425, 0.1442), 4: (0.7075, 0.0702), 8: (0.6917, 0.0457), 16: (0.7200, 0.0411), 32: (0.7360, 0.0364)}
LONG = {"training.epochs": 2000, "looks.dense": 64}
"""Of prefix and pattern sharing, as published."""
FEW: dict[str, Changes] = {"small": {"instances": 1, "looks.dense": 24, "looks.every": 4}}


def dense(mean: float, std: float) -> dict[str, tuple[float, float | None]]:
    """A row of Table 3: GT-Tau over the last 64 mini-batches."""
    return {"gt_tau_mean": (mean, None), "gt_tau_std": (std, None)}


def grouped(count: int, by: str, published: tuple[float, float]) -> StudyEntry:
    changes = {"sharing.policy": "groups", "sharing.groups": count, "sharing.by": by}
    at = {"small": {**FEW["small"], "sharing.budget": "matched"}, "paper": {"looks.dense": 64}}
    words = {"shuffled": "at random", "sequential": "by similarity (neighbours in the space's order)"}
    return StudyEntry(f"table3a/{by}-{count}", f"{count} groups, {words[by]}", changes, at, dense(*published))


TABLE3A = [
    *(grouped(count, "shuffled", published) for count, published in RANDOM.items()),
    *(grouped(count, "sequential", published) for count, published in SIMILAR.items()),
]

PREFIX = [(0.6960, 0.0129), (0.4837, 0.0939), (0.4159, 0.1925), (0.4448, 0.1881), (0.5174, 0.1592)]
TABLE3B = [
    StudyEntry(
        f"table3b/prefix-{cells}", f"stem and first {cells} cells shared, the rest and the classifier not",
        {"sharing.policy": "prefix", "sharing.cells": cells}, {**FEW, "paper": LONG}, dense(*published),
    )
    for cells, published in enumerate(PREFIX)
]  # fmt: skip

PATTERNS = {
    "convolutions": ("only convolutions shared", r"Conv2d"),
    "all-but-convolutions": ("all shared but convolutions", r"^(?!.*Conv2d)"),
    "convolutions-and-stem": ("convolutions and stem shared", r"Conv2d|^blocks\.stem"),
    "all-but-normalisations": ("all shared but normalisations and their statistics", r"^(?!.*BatchNorm2d)"),
    "all-but-O12": ("all shared but the operations on the edge O12", r"^(?!.*\.2<-1\.)"),
}
POLICIES = [
    StudyEntry(
        f"policies/{name}", title, {"sharing.policy": "pattern", "sharing.pattern": pattern}, {**FEW, "paper": LONG}
    )
    for name, (title, pattern) in PATTERNS.items()
]

VARIANTS = [
    StudyEntry("variants/norm-momentum-0.1", "running statistics that follow slowly", {"norm.momentum": 0.1}, FEW),
    StudyEntry("variants/norm-momentum-0.9", "running statistics that follow fast", {"norm.momentum": 0.9}, FEW),
    StudyEntry("variants/norm-per-child", "running statistics of every child's own", {"norm.running": "child"}, FEW),
    StudyEntry("variants/no-momentum", "SGD without momentum", {"training.momentum": 0.0}, FEW),
    StudyEntry(
        "variants/idle", "idle weights the other way than at this budget",
        {"training.idle": "drift"}, {**FEW, "paper": {"training.idle": "frozen"}},
    ),
]  # fmt: skip

FIGURES = [
    StudyEntry(
        "figure4/tuned", "every child trained on alone from two snapshots",
        {"tune.batches": 20}, {
            "paper": {"tune.epochs": [100, 200]}, "tiny": {"tune.epochs": [1, 2], "tune.batches": 3},
            "small": {"tune.epochs": [8, 16], "instances": 1, "looks.dense": 24},
        },
    ),
    StudyEntry(
        "figure5/statistics", "every mini-batch seen by three kinds of statistics",
        {**ORDERS, "training.order": "shuffled-once", "looks.statistics": ["tracked", "batch", "recalibrated"]},
        {"small": {"instances": 1, "looks.every": 16, "data.report_test": True}},
    ),
]  # fmt: skip

ENTRIES: dict[str, StudyEntry] = {
    entry.name: entry for entry in (*TABLE1, *TABLE3A, *TABLE3B, *POLICIES, *VARIANTS, *FIGURES)
}
TITLES = {
    "table1": "Stability and ranking (arXiv 2001.01431, Tables 1 and 2, Figures 2 and 3)",
    "table3a": "Children in groups (arXiv 2001.01431, Table 3, left)",
    "table3b": "Sharing the beginning (arXiv 2001.01431, Table 3, right)",
    "policies": "Sharing by names of tensors (released configurations of arXiv 2001.01431)",
    "variants": "Other hyper-parameters (released configurations of arXiv 2001.01431)",
    "figure4": "Going on alone (arXiv 2001.01431, Figure 4)",
    "figure5": "From mini-batch to mini-batch (arXiv 2001.01431, Figures 5 and 6)",
}


def find_entry(name: str) -> StudyEntry:
    """The study of that name; UserError with a suggestion where there is none."""
    return named("study", name, ENTRIES)


def find_table(name: str) -> list[StudyEntry]:
    """The studies of a table."""
    table = named("table", name, {table: table for table in TITLES})
    return [entry for entry in ENTRIES.values() if entry.table == table]


def at_budget(entries: list[StudyEntry], budget: str) -> list[StudyEntry]:
    """Those that can be run: a few children cannot be put into many groups."""
    if budget not in BUDGETS:
        raise UserError(f"--budget {brief(budget)}: is none of {', '.join(reversed(BUDGETS))}")
    children = 8 if budget == "tiny" else 64
    return [entry for entry in entries if entry.changes.get("sharing.groups", 1) <= children]


def listing() -> str:
    """A line for each study."""
    width = max(map(len, ENTRIES))
    return "\n".join(f"{name:{width}}  {entry.title}" for name, entry in ENTRIES.items())
