"""The experiments that are searches: what varies, and what the paper found (GM-NAS, arXiv 2203.15207)."""

from __future__ import annotations

from cleave.reproduce.budgets import SIZES, Changes, Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow, Published
from cleave.reproduce.measures import BEST_LEAF, accuracy

FOUR = {"space.ops": 4}
EXHAUSTIVE = {"split.splitter": "exhaustive", "split.splits": 1}
RANDOM = {"split.splitter": "random", "split.splits": 2, "split.branch": 2}
GRADIENT = {"split.splitter": "gradient", "split.splits": 2, "split.branch": 2}
METHOD_NAMES = {"darts": "DARTS", "darts2": "DARTS (2nd)", "snas": "SNAS", "rsps": "RSPS"}


def best(mean: float, sd: float | None = None) -> dict[str, Published]:
    """The paper's rule is the best leaf by the benchmark."""
    return {BEST_LEAF: Published(mean, sd)}


def one_shot(sizes: Sizes, method: str) -> Changes:
    """No split, and as many epochs as the split search has in all."""
    return {"split.splitter": "none", "search.epochs": sizes.total_epochs(method)}


def table1(sizes: Sizes) -> list[ExperimentRow]:
    published = {"darts": (88.55, 70.47, 93.95), "rsps": (88.96, 88.83, 92.52)}
    rows = []
    for method, (exhaustive, random, gradient) in published.items():
        name = METHOD_NAMES[method]
        rows += [
            ExperimentRow(f"{name}, exhaustive", method, EXHAUSTIVE, best(exhaustive)),
            ExperimentRow(f"{name}, random", method, RANDOM, best(random)),
            ExperimentRow(f"{name}, gradient", method, GRADIENT, best(gradient)),
            ExperimentRow(f"{name}, no split, as many epochs", method, one_shot(sizes, method)),
        ]
    return [*rows, random_search(sizes)]


def random_search(sizes: Sizes) -> ExperimentRow:
    """As many epochs as DARTS has with its four leaves, spent on architectures that are trained alone."""
    length = sizes.lengths["darts"]
    epochs = {"search.epochs": sizes.total_epochs("darts"), "method.epochs_each": length.epochs}
    return ExperimentRow("random search, as many epochs", "random", {"split.splitter": "none", **epochs})


TABLE3 = {  # test accuracy on CIFAR-10, CIFAR-100, ImageNet16-120
    ("darts2", "none"): ((54.30, 0.0), (38.97, 0.0), (18.41, 0.0)),
    ("darts2", "exhaustive"): ((88.55, 0.02), (70.16, 2.87), (30.09, 4.43)),
    ("darts2", "gradient"): ((93.72, 0.12), (71.83, 0.97), (42.60, 0.0)),
    ("snas", "none"): ((92.77, 0.83), (69.34, 1.98), (43.16, 2.64)),
    ("snas", "exhaustive"): ((93.88, 0.25), (71.49, 1.41), (46.43, 0.19)),
    ("snas", "gradient"): ((94.36, 0.0), (73.51, 0.0), (46.34, 0.0)),
    ("rsps", "none"): ((87.66, 1.69), (46.60, 6.57), (30.78, 6.12)),
    ("rsps", "exhaustive"): ((89.11, 1.37), (58.69, 3.75), (33.85, 2.33)),
    ("rsps", "gradient"): ((92.70, 0.53), (68.81, 1.28), (43.47, 1.02)),
    ("gdas", "none"): ((93.23, 0.23), (24.20, 8.08), (41.02, 0.0)),
    ("drnas", "none"): ((94.36, 0.0), (73.51, 0.0), (46.34, 0.0)),
    ("random", "none"): ((93.70, 0.36), (70.65, 1.38), (42.96, 2.15)),
}
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
NAMES = {"gdas": "GDAS", "drnas": "DrNAS", "random": "random search", **METHOD_NAMES}
SPLITS = {"none": "no split", "exhaustive": "few-shot", "gradient": "gradient"}


FEW_OPERATIONS = SIZES["tiny"].changed({"space.ops": ["none", "skip_connect", "nor_conv_3x3"]})
SHORTER = SIZES["small"].changed({"data.limit": 1000, "space.channels": 4, "split.batches": 2})
"""With 36 rows there is less for each."""


def table3(sizes: Sizes) -> list[ExperimentRow]:
    """Unsplit rows get as many epochs as split ones; the published ones ran by the protocols of their own papers."""
    rows = []
    for place, dataset in enumerate(DATASETS):
        for (method, splitter), figures in TABLE3.items():
            unsplit = random_search(sizes).changes if method == "random" else one_shot(sizes, method)
            changes = {"exhaustive": EXHAUSTIVE, "gradient": GRADIENT, "none": unsplit}[splitter]
            name = f"{NAMES[method]}, {SPLITS[splitter]}, {dataset}"
            rows.append(ExperimentRow(name, method, changes, best(*figures[place]), dataset))
    return rows


def table6(sizes: Sizes) -> list[ExperimentRow]:
    figures = {"l2": (92.52, 0.93), "filter-cos": (93.87, 0.11), "cos": (93.95, 0.08)}
    return [
        ExperimentRow(name, "darts", {**GRADIENT, "split.similarity": name}, best(*figure))
        for name, figure in figures.items()
    ]


def section51(sizes: Sizes) -> list[ExperimentRow]:
    return [
        ExperimentRow("lowest cut, restart", "darts", GRADIENT, best(93.95, 0.08)),
        ExperimentRow("random edge, restart", "darts", {**GRADIENT, "split.choice": "random"}, best(93.58, 0.39)),
        ExperimentRow("lowest cut, no restart", "darts", {**GRADIENT, "split.restart": False}, best(91.04)),
    ]


def figure2(sizes: Sizes) -> list[ExperimentRow]:
    """Warm-ups from none to twice the usual; the paper shows a curve, and a figure for the usual one only."""
    usual = sizes.lengths["darts"].warmup
    epochs = sorted({0, usual // 3, 2 * usual // 3, usual, 2 * usual})
    return [
        ExperimentRow(
            f"warm-up epochs: {warmup}",
            "darts",
            {**GRADIENT, "split.warmup_epochs": warmup},
            best(93.95, 0.08) if warmup == usual else {},
        )
        for warmup in epochs
    ]


def figure17(sizes: Sizes) -> list[ExperimentRow]:
    """Splits from none to three, each leaf as long as any; the paper shows a curve, Table 3 has two of its figures."""
    figures = {0: best(54.30, 0.0), 2: best(93.72, 0.12)}
    return [
        ExperimentRow(
            f"splits: {splits}",
            "darts",
            {**GRADIENT, "split.splits": splits, "split.branch": 2},
            figures.get(splits, {}),
        )
        if splits
        else ExperimentRow("splits: 0", "darts", {"split.splitter": "none"}, figures[0])
        for splits in range(4)
    ]


def averages(sizes: Sizes) -> list[ExperimentRow]:
    """The paper's algorithm 2 averages gradients, its released code the cosines of single mini-batches."""
    return [
        ExperimentRow(f"{METHOD_NAMES[method]}, mean of {average}", method, {**GRADIENT, "split.average": average})
        for method in ("darts", "rsps")
        for average in ("gradients", "similarities")
    ]


SEARCHES = [
    Experiment(
        "table1",
        "Splitting schemes",
        "GM-NAS, Table 1",
        "test accuracy, %",
        table1,
        accuracy,
        FOUR,
        compare=(
            ("DARTS, gradient", "DARTS, exhaustive"),
            ("DARTS, gradient", "DARTS, random"),
            ("DARTS, gradient", "DARTS, no split, as many epochs"),
            ("RSPS, gradient", "RSPS, exhaustive"),
            ("RSPS, gradient", "RSPS, random"),
            ("RSPS, gradient", "RSPS, no split, as many epochs"),
        ),
        notes=("Rows without a figure of the paper are controls.",),
    ),
    Experiment(
        "table3",
        "All methods on three data sets",
        "GM-NAS, Table 3",
        "test accuracy, %",
        table3,
        accuracy,
        sizes={**SIZES, "tiny": FEW_OPERATIONS, "small": SHORTER},
        seeds={"tiny": (0,), "small": (0, 1), "paper": (0, 1, 2, 3)},
    ),
    Experiment(
        "table6",
        "Similarity measures",
        "GM-NAS, Table 6",
        "test accuracy, %",
        table6,
        accuracy,
        FOUR,
        compare=(("cos", "l2"), ("cos", "filter-cos")),
    ),
    Experiment(
        "section51",
        "Edge selection and restart",
        "GM-NAS, section 5.1",
        "test accuracy, %",
        section51,
        accuracy,
        FOUR,
        compare=(
            ("lowest cut, restart", "random edge, restart"),
            ("lowest cut, restart", "lowest cut, no restart"),
        ),
    ),
    Experiment("figure2", "Warm-up before each split", "GM-NAS, Figure 2", "test accuracy, %", figure2, accuracy, FOUR),
    Experiment("figure17", "Number of splits", "GM-NAS, Figure 17", "test accuracy, %", figure17, accuracy),
    Experiment(
        "averages",
        "Averaging gradients or cosines",
        "algorithm 2 of GM-NAS against its released code",
        "test accuracy, %",
        averages,
        accuracy,
        FOUR,
        compare=(
            ("DARTS, mean of gradients", "DARTS, mean of similarities"),
            ("RSPS, mean of gradients", "RSPS, mean of similarities"),
        ),
        notes=("The paper leaves the question open; it has no figure.",),
    ),
]
