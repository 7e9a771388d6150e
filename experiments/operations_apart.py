"""Which operations does gradient matching put apart? (GM-NAS, appendix B.1)

    python -m experiments.operations_apart --data-root DIR [--methods darts,rsps] [--seeds 0] [--warmup STEPS]
        [--channels 16] [--cells 5] [--image-size 32] [--out FILE.json]

At the root of NAS-Bench-201, by default at full size (C=16, N=5) on CIFAR-10 at 32x32 with random weights: on how many
of the 6 edges does the balanced cut put {nor_conv_1x1, nor_conv_3x3} apart from {none, skip_connect, avg_pool_3x3}?
Every mini-batch count M uses the first M of the same mini-batches.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import compress
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor

from cleave.config import load_recipe
from cleave.errors import refuse_repeats
from cleave.resolve import resolve
from cleave.search.matching import Matcher
from cleave.search.problem import open_problem
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
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
    parser.add_argument("--warmup", type=int, default=0, help="training steps before the measurement")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("operations_apart.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    methods, seeds = options.methods.split(","), [int(seed) for seed in options.seeds.split(",")]
    refuse_repeats("--methods", methods)
    refuse_repeats("--seeds", seeds)
    found = []
    for method in methods:
        for seed in seeds:
            found += measure(root_trainer(method, seed, options), method, seed)
            options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    for row in summary(found):
        print(row)


def root_trainer(method: str, seed: int, options: argparse.Namespace) -> NodeTrainer:
    """The root's supernet after `options.warmup` steps of weights only."""
    changes = [
        f"space.channels={options.channels}", f"space.cells={options.cells}", f"method.name={method}",
        "data.name=cifar10", f"data.image_size={options.image_size}", "data.limit=null",
        f"split.batches={max(COUNTS)}", f"seed={seed}",
    ]  # fmt: skip
    flags = {"data.root": str(options.data_root)}
    recipe, _ = resolve(load_recipe(None, changes, flags), find_space("nasbench201"))
    problem = open_problem(recipe)
    trainer = NodeTrainer(problem, Node((), problem.space.region), schedule(recipe, 0))
    for _ in range(options.warmup):
        trainer.advance()
    return trainer


def measure(trainer: NodeTrainer, method: str, seed: int) -> list[dict[str, Any]]:
    """One row per edge, M, average (of gradients or of cosines) and set of parameters (all shared, or the body)."""
    rows = []
    for choice, candidates in trainer.scope.region.allowed.items():
        began = time.perf_counter()
        for count, shared, average, similarities in growing(trainer, choice, candidates):
            score = best_groups(candidates, similarities, 2)
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "shared": shared,
                    "average": average,
                    "batches": count,
                    "choice": choice,
                    "apart": PARAMETRIC in score.groups,
                    **asdict(score),
                }
            )
        print(f"{method} seed {seed} {choice}: {time.perf_counter() - began:.0f} s", flush=True)
    return rows


def growing(trainer: NodeTrainer, choice: str, candidates: tuple[str, ...]) -> Iterator[tuple[int, str, str, Tensor]]:
    """(M, parameters, average, similarities) for each M of COUNTS."""
    parameters = shared_parameters(trainer.network, choice)
    body = shared_parameters(trainer.network, choice, trainer.problem.layout.ends)
    kept = {"all": [True] * len(parameters), "body": [name in body for name in parameters]}
    total = [torch.zeros(1)] * len(parameters)
    cosines: dict[str, list[Tensor]] = {shared: [] for shared in kept}
    for count, probe in enumerate(Matcher(trainer).probes(), start=1):
        batch = gradients(probe, choice, candidates, parameters, own_weight=False)
        total = [before + now for before, now in zip(total, batch, strict=True)]
        for shared, mask in kept.items():
            cosines[shared].append(cosine(list(compress(batch, mask))))
            if count in COUNTS:
                yield count, shared, "gradients", cosine(list(compress(total, mask)))
                yield count, shared, "similarities", torch.stack(cosines[shared]).mean(dim=0)


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """On how many of the 6 edges, per method, seed, parameters, average and M."""
    counts = Counter({place(row): 0 for row in rows})
    counts.update(place(row) for row in rows if row["apart"])
    return [f"{' '.join(map(str, key))}: {counts[key]} of 6" for key in sorted(counts)]


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in ("method", "seed", "shared", "average", "batches"))


if __name__ == "__main__":
    main()
