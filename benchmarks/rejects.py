"""What successive rejects cost and are worth, against showing every architecture all held-out images.

`python -m benchmarks.rejects --cases 40` trains a small RSPS supernet for each seed, evaluates 200 architectures on all
held-out images, batch by batch, and replays the choice on what was found.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from benchmarks.regret import mean_difference
from benchmarks.works import searching
from cleave.config import load_recipe
from cleave.method.rejects import batches_seen, survivor
from cleave.resolve import resolve
from cleave.search.evaluator import LeafEvaluator
from cleave.search.problem import open_problem
from cleave.space import Arch, find_space
from cleave.space.sample import distinct
from cleave.stats.bootstrap import interval
from cleave.stats.ranking import defined

SAMPLES = 200
SETTINGS = [
    "method.name=rsps", "split.splits=1", "data.image_size=8", "data.limit=8000", "search.batch_size=32",
    "space.channels=4", "space.cells=1", "search.eval_batch_size=250", "search.epochs=4", "threads=1",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Accuracies in percent, on all held-out images: the best architecture's, the mean, that of the one left."""

    best: float
    average: float
    chosen: float
    batches: int


def measure(seed: int, samples: int = SAMPLES, changes: Sequence[str] = ()) -> Case:
    recipe, _ = resolve(load_recipe(None, [*SETTINGS, *changes, f"seed={seed}"], {}), find_space("nasbench201"))
    trainer = searching(open_problem(recipe))
    while trainer.step < trainer.steps:
        trainer.advance()
    space, region = trainer.problem.space, trainer.scope.region
    archs = distinct(space, region, samples, trainer.chance.generator("derive"))
    exam = LeafEvaluator(trainer)
    accuracies = [exam(arch) for arch in archs]
    chosen: Arch = survivor(archs, exam)
    return Case(max(accuracies), mean(accuracies), exam(chosen), exam.batches)


def report(cases: Sequence[Case]) -> dict[str, float | list[float | None]]:
    """Regrets in percentage points: what the chosen architecture's accuracy lacks to the best one's."""
    best, chosen = (np.array([getattr(case, name) for case in cases]) for name in ("best", "chosen"))
    batches = cases[0].batches
    return {
        "cases": len(cases),
        "regret": float((best - chosen).mean()),
        "interval": [defined(end) for end in interval(mean_difference, best, chosen, seed=0)],
        "worst": float((best - chosen).max()),
        "same": float((best == chosen).mean()),
        "best_over_average": mean(case.best - case.average for case in cases),
        "passes": batches_seen(SAMPLES, batches) / (SAMPLES * batches),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rejects", description=__doc__)
    parser.add_argument("--cases", type=int, default=40, help="seeds 0, 1, ...")
    parser.add_argument("--json", type=Path, help="where the report is written")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = report([measure(seed) for seed in range(given.cases)])
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
