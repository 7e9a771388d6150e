"""Which operations does gradient matching put apart? (GM-NAS, appendix B.1)

    python -m experiments.operations_apart --data-root DIR [--methods darts,rsps] [--seeds 0] [--out FILE.json]

At the root of NAS-Bench-201, full size (C=16, N=5), CIFAR-10 at 32x32, random weights: on how many of the 6 edges
does the balanced cut put {nor_conv_1x1, nor_conv_3x3} apart from {none, skip_connect, avg_pool_3x3}?
Every mini-batch count M uses the first M of the same mini-batches.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor

from cleave.config import load_recipe
from cleave.resolve import resolve
from cleave.search.learner import Learner
from cleave.search.problem import open_problem
from cleave.search.schedule import schedule
from cleave.space import find_space
from cleave.split import Node, shared_parameters
from cleave.split.gradient import gradients
from cleave.split.similarity import cosine
from cleave.split.splitters import best_groups

COUNTS = (1, 4, 16)
PARAMETRIC = ("nor_conv_1x1", "nor_conv_3x3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--methods", default="darts,rsps")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("operations_apart.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = []
    for method in options.methods.split(","):
        for seed in map(int, options.seeds.split(",")):
            found += measure(root_learner(method, seed, options.data_root), method, seed)
            options.out.write_text(json.dumps(found, indent=1))
    for row in summary(found):
        print(row)


def root_learner(method: str, seed: int, data_root: Path) -> Learner:
    """The root's supernet with new weights."""
    changes = [
        "space.channels=16", "space.cells=5", "data.name=cifar10", "data.image_size=32", "data.limit=null",
        f"method.name={method}", f"split.batches={max(COUNTS)}", f"seed={seed}",
    ]  # fmt: skip
    recipe, _ = resolve(load_recipe(None, changes, {"data.root": str(data_root)}), find_space("nasbench201"))
    problem = open_problem(recipe)
    return Learner(problem, Node((), problem.space.region), schedule(recipe, 0))


def measure(learner: Learner, method: str, seed: int) -> list[dict[str, Any]]:
    """One row per edge and M: the groups under the mean of gradients and under the mean of cosines."""
    rows = []
    for choice, candidates in learner.node.region.allowed.items():
        began = time.perf_counter()
        for count, by_gradient, by_cosine in growing(learner, choice, candidates):
            for average, similarities in (("gradients", by_gradient), ("similarities", by_cosine)):
                score = best_groups(candidates, similarities, 2)
                row = {"method": method, "seed": seed, "choice": choice, "batches": count, "average": average}
                rows.append({**row, "apart": PARAMETRIC in score.groups, "cut": score.cut, "groups": score.groups})
        print(f"{method} seed {seed} {choice}: {time.perf_counter() - began:.0f} s", flush=True)
    return rows


def growing(learner: Learner, choice: str, candidates: tuple[str, ...]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(M, cosines of mean gradients, mean of cosines) for each M of COUNTS."""
    parameters = shared_parameters(learner.network, choice)
    total, cosines = [torch.zeros(1)] * len(parameters), []
    for count, probe in enumerate(learner.probes(), start=1):
        batch = gradients(probe, choice, candidates, parameters, own_weight=False)
        total = [before + now for before, now in zip(total, batch, strict=True)]
        cosines.append(cosine(batch))
        if count in COUNTS:
            yield count, cosine(total), torch.stack(cosines).mean(dim=0)


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """On how many of the 6 edges, per method, seed, average and M."""
    keys = sorted({(row["method"], row["seed"], row["average"], row["batches"]) for row in rows})
    return [
        f"{' '.join(map(str, key))}: {sum(row['apart'] for row in rows if key == place(row))} of 6" for key in keys
    ]


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["method"], row["seed"], row["average"], row["batches"]


if __name__ == "__main__":
    main()
