"""What subnets cost to judge, and what is lost on the way: recalibrated in cheaper ways, together, against one by one.

`python -m benchmarks.subnets --subnets 1000` trains a small supernet and judges random subnets as a search does, in
each of `WAYS`; the others are measured by the first, the mean over 2,000 images, that of Once-for-All. `--naive` of
the subnets are judged in this way one by one, each with a copy of its own. What the choice of the 2,000 images alone
makes of accuracies is told as well ("other_images"). Seconds are those of the processor: run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.naive_subnets import BATCH, IMAGES, accuracy
from benchmarks.works import searching
from cleave.config import load_recipe
from cleave.data.chance import Chance
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


def mean(images: int) -> list[str]:
    return ["search.statistics=mean", f"search.calibration_images={images}", f"search.calibration_batch_size={BATCH}"]


WAYS = {
    "mean": mean(IMAGES), "mean-500": mean(500), "mean-200": mean(200),
    "forgetting": ["search.statistics=forgetting"],
    "forgetting-16": ["search.statistics=forgetting", "search.calibration_batch_size=16"],
}  # fmt: skip
"""Keys of a recipe by the name of the way, as it is told; forgetting with the usual batches, and with smaller ones."""


def trainer_of(seed: int, changes: Sequence[str]) -> NodeTrainer:
    """A supernet before its first step."""
    asked = load_recipe(None, [*SETTINGS, *changes, f"seed={seed}"], {})
    return searching(open_problem(resolve(asked, find_space(asked.space))[0]))


def measure(subnets: int, naive: int, seed: int = 0, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Accuracies in percent of the held-out images, seconds for each subnet."""
    trainers = {way: trainer_of(seed, [*changes, *keys]) for way, keys in WAYS.items()}
    first = trainers["mean"]
    while first.step < first.steps:
        first.advance()
    for trainer in trainers.values():
        trainer.restore(first.record())
    archs = distinct(first.problem.space, first.scope.region, subnets, first.chance.generator("derive"))
    found = {way: timed(partial(LeafEvaluator(trainer).many, archs)) for way, trainer in trainers.items()}
    one_by_one, slow = timed(lambda: naively(first, archs[:naive]))
    true, held_out = found["mean"][0], len(first.problem.valid)
    assert np.allclose(true[:naive], one_by_one, atol=100 * 1.01 / held_out), "another rule"
    each = slow / naive
    ways = {
        way: {
            "images": trainers[way].problem.judging.images,
            **told(seconds / len(archs), each),
            **lost(accuracies, true),
        }
        for way, (accuracies, seconds) in found.items()
    }
    about = {"subnets": len(archs), "held_out": held_out, "one_by_one": naive, "seconds_one_by_one": each}
    return {**about, "ways": ways, "other_images": lost(LeafEvaluator(on_other_images(first)).many(archs), true)}


def on_other_images(trainer: NodeTrainer) -> NodeTrainer:
    """It measures statistics on as many other training images from now on."""
    chance = Chance(trainer.problem.recipe.seed, "other images")
    trainer.calibration = trainer.problem.calibration(chance, trainer.problem.judging)
    return trainer


def told(seconds: float, one_by_one: float) -> dict[str, float]:
    return {"seconds": seconds, "cheaper": one_by_one / seconds}


def naively(trainer: NodeTrainer, archs: Sequence[Arch]) -> list[float]:
    held = list(LeafEvaluator(trainer).images)
    gates = (only_live(trainer.problem.layout, arch) for arch in archs)
    return [accuracy(trainer.network, each, trainer.calibration, held) for each in gates]


def timed(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """What comes out, and the processor's seconds."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def lost(found: Sequence[float], true: Sequence[float]) -> dict[str, float]:
    """How far accuracies are from the true ones, in percentage points, and tau of both."""
    apart = np.array(found) - np.array(true)
    return {
        "accuracy": float(np.mean(found)),
        "difference": float(apart.mean()),
        "apart": float(np.abs(apart).mean()),
        "worst": float(np.abs(apart).max()),
        "tau": kendall(np.array(found), np.array(true)),
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
