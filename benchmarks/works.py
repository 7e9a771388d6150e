"""cleave's side of every piece of work, all in one place, through what the library offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from benchmarks.naive import Batch
from cleave.data.augment import Normalise
from cleave.engine.engine import Engine
from cleave.engine.progress import Callback
from cleave.net import Gates
from cleave.search.evaluator import LeafEvaluator
from cleave.search.matching import Matcher
from cleave.search.problem import Problem
from cleave.search.runner import start
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.settings import Recipe
from cleave.space import Arch
from cleave.split import Node
from cleave.split.splitters import best_groups, first_lowest

PARTS = 2
FEW_IMAGES = 250
"""One batch of an evaluation."""


def warming(problem: Problem) -> NodeTrainer:
    """The root, whose steps (`advance`) are weight steps."""
    return NodeTrainer(problem, Node((), problem.space.region), schedule(problem.recipe, 0))


def searching(problem: Problem) -> NodeTrainer:
    """A leaf that still allows everything; its steps begin with an architecture step."""
    splits = problem.recipe.split.splits
    assert splits is not None, "resolved"
    return NodeTrainer(problem, Node((0,) * splits, problem.space.region), schedule(problem.recipe, splits))


def similarities(trainer: NodeTrainer, edge: str) -> Tensor:
    """Of an edge's operations, by the recipe's number of mini-batches."""
    return Matcher(trainer).score(edge)


def split(trainer: NodeTrainer) -> str:
    """The edge to be split, by the recipe's rule."""
    edges = trainer.problem.space.region.allowed
    if trainer.problem.recipe.split.rule == "race":
        found = Matcher(trainer).race(list(edges), PARTS, lambda edge, candidates: None).similarities
    else:
        found = {edge: similarities(trainer, edge) for edge in edges}
    scores = {edge: best_groups(names, found[edge], PARTS) for edge, names in edges.items()}
    return first_lowest({edge: score.mean_link for edge, score in scores.items()})


def choose(trainer: NodeTrainer) -> Arch:
    """The architecture of a leaf."""
    exam = LeafEvaluator(trainer)
    return trainer.method.derive(exam, trainer.chance.generator("derive"))


def search(recipe: Recipe, workers: int) -> Mapping[str, Any]:
    """From the recipe to the outcome on the disk; this process keeps its number of threads."""
    threads = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        try:
            return start(recipe, Path(folder, "run"), Callback(), Engine(workers))
        finally:
            torch.set_num_threads(threads)


def batches_of_step(trainer: NodeTrainer) -> tuple[Batch, Batch]:
    """Those that the next step trains on and is held against."""
    return trainer.train.batch(trainer.step), trainer.held.batch(trainer.step)


def batches_of_probes(trainer: NodeTrainer) -> list[tuple[Batch, Gates]]:
    """What `similarities` goes by."""
    stream = trainer.problem.stream(trainer.problem.train, trainer.chance, "probe")
    return [(stream.batch(number), probe.gates) for number, probe in enumerate(Matcher(trainer).probes())]


def momentum(trainer: NodeTrainer) -> Mapping[str, Tensor]:
    """SGD's, by name: after one step, the clipped gradient and what weight decay adds to it."""
    found: Mapping[str, Tensor] = trainer.record().state["momentum"]
    return found


def first_moments(trainer: NodeTrainer) -> Mapping[str, Tensor]:
    """Adam's, by edge: after one step, alpha's gradient and weight decay, scaled; none without architecture steps."""
    if not (trainer.schedule.searching and trainer.method.learns):
        return {}
    moments: Mapping[str, Mapping[str, Tensor]] = trainer.method.get_extra_state()
    return {edge: each["exp_avg"] for edge, each in moments.items()}


def in_float64(trainer: NodeTrainer) -> NodeTrainer:
    """The same node before its first step, on a few images, since float64 is slow.

    In float32 the two ways round differently, and where an activation then falls on the other side of a ReLU's
    kink, gradients of a deep network differ by percents.
    """
    problem = trainer.problem
    normalise = Normalise(problem.normalise.mean.double(), problem.normalise.std.double())
    train, valid = (
        images.take(torch.arange(min(FEW_IMAGES, len(images)))) for images in (problem.train, problem.valid)
    )
    changed = replace(problem, recipe=on_few(problem.recipe), train=train, valid=valid, normalise=normalise)
    again = NodeTrainer(changed, trainer.scope, trainer.schedule)
    again.network.double()
    again.method.double()
    return again


def on_few(recipe: Recipe) -> Recipe:
    """The recipe with small batches, two of them for a similarity."""
    split = recipe.split.model_copy(update={"batches": 2})
    search = recipe.search.model_copy(update={"batch_size": min(4, recipe.search.batch_size)})
    return recipe.model_copy(update={"split": split, "search": search})
