"""Whether the fast steps learn what the published ones do: both search the same leaf on the same mini-batches.

`python -m benchmarks.guard --seeds 5` follows the held-out loss of both after every epoch. Roundings differ, so the
curves part; they must do so by less than seeds do.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

import torch
from torch.nn.functional import cross_entropy

from benchmarks.naive import Batch
from benchmarks.naive_steps import Trainer
from benchmarks.pairs import trainer_of
from benchmarks.works import batches_of_step, searching
from cleave.config import load_recipe
from cleave.resolve import resolve
from cleave.search.evaluator import LeafEvaluator
from cleave.search.problem import open_problem
from cleave.search.trainer import NodeTrainer
from cleave.space import find_space

SETTINGS = [
    "method.name=darts", "split.splits=1", "data.image_size=8", "data.limit=4000", "search.batch_size=32",
    "space.channels=4", "space.cells=1", "threads=1",
    "method.learning_rate=0.025", "method.learning_rate_min=0.025",
]  # fmt: skip

Curve = list[float]


def curves(seed: int, epochs: int) -> tuple[Curve, Curve]:
    """The held-out losses after each epoch, cleave's and the published way's."""
    node = leaf_of(seed, epochs)
    naive_trainer, fast, naive = trainer_of(node), Curve(), Curve()
    while node.step < node.steps:
        step(node, naive_trainer)
        if node.step % node.problem.steps_per_epoch == 0:
            one, other = losses(node, naive_trainer)
            fast.append(one)
            naive.append(other)
    return fast, naive


def leaf_of(seed: int, epochs: int) -> NodeTrainer:
    """The leaf that both search."""
    changes = [f"seed={seed}", f"search.epochs={epochs}"]
    recipe, _ = resolve(load_recipe(None, [*SETTINGS, *changes], {}), find_space("nasbench201"))
    return searching(open_problem(recipe))


def step(node: NodeTrainer, naive_trainer: Trainer) -> None:
    """One of both, on the same mini-batches."""
    batches = batches_of_step(node)
    node.advance()
    naive_trainer.first_order_step(*batches)


def losses(node: NodeTrainer, naive_trainer: Trainer) -> tuple[float, float]:
    """On all held-out images, cleave's and the published way's."""
    batches = list(LeafEvaluator(node).images)
    return mean(fast_loss(node, batch) for batch in batches), mean(
        naive_loss(naive_trainer, batch) for batch in batches
    )


@torch.no_grad()
def fast_loss(node: NodeTrainer, batch: Batch) -> float:
    gates = node.method.gates(node.context("guard", 0))
    return float(cross_entropy(node.logits(batch[0], gates), batch[1]))


@torch.no_grad()
def naive_loss(naive_trainer: Trainer, batch: Batch) -> float:
    return float(naive_trainer.network.loss(batch, naive_trainer.network.softmax()))


def report(found: list[tuple[Curve, Curve]]) -> list[dict[str, float]]:
    """After each epoch: the mean losses, their mean difference, and the standard deviations of difference and seeds."""
    rows = []
    for fast, naive in zip(*(zip(*side, strict=True) for side in zip(*found, strict=True)), strict=True):
        apart = [one - other for one, other in zip(fast, naive, strict=True)]
        rows.append(
            {
                "fast": mean(fast),
                "naive": mean(naive),
                "difference": mean(apart),
                "sd_of_difference": stdev(apart),
                "sd_of_seeds": stdev(naive),
            }
        )
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="0, 1, ...; at least 2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--json", type=Path, help="where the report is written")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = report([curves(seed, given.epochs) for seed in range(given.seeds)])
    print(json.dumps(rows, indent=1))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
