"""What subnets cost to judge, and what is lost on the way: recalibrated by forgetting, together, against one by one.

`python -m benchmarks.subnets --subnets 1000` trains a small supernet, judges random subnets by forgetting as a search
does, and by the mean over 2,000 images as Once-for-All does; `--naive` of them one by one, each with a copy of its own.
Seconds are those of the processor: run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.naive_subnets import BATCH, IMAGES, accuracy
from benchmarks.works import searching
from cleave.config import load_recipe
from cleave.net import only_live
from cleave.resolve import resolve
from cleave.search.evaluator import LeafEvaluator
from cleave.search.problem import open_problem
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch, find_space
from cleave.space.sample import distinct
from cleave.stats.kendall import kendall

SETTINGS = [
    "space.name=mobilenet-proxyless", "space.width=0.25", "space.stem=cifar", "data.image_size=32", "data.limit=4000",
    "data.train_fraction=0.75", "method.name=rsps", "method.learning_rate=0.05", "split.splitter=none",
    "search.batch_size=64", "search.epochs=8", "threads=1",
]  # fmt: skip
MEAN = ["search.statistics=mean", f"search.calibration_images={IMAGES}", f"search.calibration_batch_size={BATCH}"]
FORGETTING = ["search.statistics=forgetting"]


def trainer_of(seed: int, changes: Sequence[str]) -> NodeTrainer:
    """A supernet before its first step."""
    asked = load_recipe(None, [*SETTINGS, *changes, f"seed={seed}"], {})
    return searching(open_problem(resolve(asked, find_space(asked.space))[0]))


def measure(subnets: int, naive: int, seed: int = 0, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Accuracies in percent of the held-out images, seconds for each subnet."""
    trainer = trainer_of(seed, [*changes, *FORGETTING])
    while trainer.step < trainer.steps:
        trainer.advance()
    by_the_mean = trainer_of(seed, [*changes, *MEAN])
    by_the_mean.restore(trainer.record())
    archs = distinct(trainer.problem.space, trainer.scope.region, subnets, trainer.chance.generator("derive"))
    some = archs[:naive]
    forgetting, fast = timed(lambda: LeafEvaluator(trainer).many(archs))
    mean, other = timed(lambda: LeafEvaluator(by_the_mean).many(archs))
    one_by_one, slow = timed(lambda: naively(by_the_mean, some))
    assert np.allclose(mean[:naive], one_by_one, atol=100 * 1.01 / len(trainer.problem.valid)), "another rule"
    seconds = {"forgetting": fast / len(archs), "mean": other / len(archs), "one_by_one": slow / len(some)}
    held_out, judging = len(trainer.problem.valid), trainer.problem.judging
    about = {"subnets": len(archs), "held_out": held_out, "calibration": judging.images, "one_by_one": len(some)}
    return {**about, "seconds": seconds, "cheaper": seconds["one_by_one"] / fast * len(archs), **lost(forgetting, mean)}


def naively(trainer: NodeTrainer, archs: Sequence[Arch]) -> list[float]:
    held = list(LeafEvaluator(trainer).images)
    gates = (only_live(trainer.problem.layout, arch) for arch in archs)
    return [accuracy(trainer.network, each, trainer.calibration, held) for each in gates]


def timed(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """What comes out, and the processor's seconds."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def lost(forgetting: Sequence[float], mean: Sequence[float]) -> dict[str, float]:
    """How far accuracies by forgetting are from those by the mean, in percentage points, and tau of both."""
    apart = np.array(forgetting) - np.array(mean)
    return {
        "accuracy": float(np.mean(mean)),
        "difference": float(apart.mean()),
        "apart": float(np.abs(apart).mean()),
        "worst": float(np.abs(apart).max()),
        "tau": kendall(np.array(forgetting), np.array(mean)),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.subnets", description=__doc__)
    parser.add_argument("--subnets", type=int, default=1000)
    parser.add_argument("--naive", type=int, default=20, help="of them are judged one by one too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes a key of the recipe")
    parser.add_argument("--json", type=Path, help="where the report is written")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = json.dumps(measure(given.subnets, given.naive, given.seed, given.set), indent=1)
    print(found)
    if given.json:
        given.json.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
