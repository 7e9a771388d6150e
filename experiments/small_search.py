"""One small search per splitter and seed, looked up in the table of trained accuracies.

    python -m experiments.small_search --data-root DIR --benchmark FILE [--seeds 0,1,2] [--out DIR]

All runs follow recipes/nasbench201-small-cifar10.yaml; the last row gives the one-shot search as many leaf epochs as
the four leaves of the splitters have together. Runs that are already in the output folder are resumed or read.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.errors import refuse_repeats
from cleave.search.runner import resume, start

RECIPE = Path(__file__).parents[1] / "recipes" / "nasbench201-small-cifar10.yaml"
ROWS = {
    "none": ["split.splitter=none"],
    "exhaustive": ["split.splitter=exhaustive", "split.splits=1"],
    "random": ["split.splitter=random"],
    "gradient": ["split.splitter=gradient"],
    "none, 4 x epochs": ["split.splitter=none", "search.epochs=12"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--benchmark", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/small-search"))
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    refuse_repeats("--seeds", seeds)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ROWS}
    for seed in seeds:
        for name, changes in ROWS.items():
            found[name].append(search(name, seed, changes, options))
            print(row(f"{name}, seed {seed}", found[name][-1:]), flush=True)
    print("\n| splitter | leaves | chosen: held out | chosen: valid | chosen: test | oracle: test | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, results in found.items():
        print(row(name, results))


def search(name: str, seed: int, changes: list[str], options: argparse.Namespace) -> dict[str, Any]:
    folder: Path = options.out / f"{name.replace(', ', '-').replace(' ', '')}-seed{seed}"
    if (folder / "recipe.yaml").exists():
        return resume(folder, Callback())
    flags = {
        "data.root": str(options.data_root),
        "benchmark": str(options.benchmark),
        "threads": options.threads,
        "seed": seed,
    }
    return start(load_recipe(RECIPE, changes, flags), folder, Callback())


def row(name: str, results: list[dict[str, Any]]) -> str:
    """Mean and population standard deviation over seeds, CIFAR-10, percent."""
    chosen = [result["chosen"] for result in results]
    columns = [
        [leaf["valid_accuracy"] for leaf in chosen],
        [leaf["benchmark"]["cifar10"]["valid"] for leaf in chosen],
        [leaf["benchmark"]["cifar10"]["test"] for leaf in chosen],
        [result["oracle"]["benchmark"]["cifar10"]["test"] for result in results],
    ]
    cells = [f"{mean(column):.2f} ± {pstdev(column):.2f}" for column in columns]
    seconds = f"{mean(result['seconds'] for result in results):.0f}"
    return f"| {' | '.join([name, str(len(results[0]['leaves'])), *cells, seconds])} |"


if __name__ == "__main__":
    main()
