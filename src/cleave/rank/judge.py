"""Architectures judged by the leaves that hold them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from cleave.data.chance import Chance
from cleave.data.stream import Batch, InOrder
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.net import Gates, only_live
from cleave.rank.columns import Numbers
from cleave.rank.evaluate import Exam, accuracies
from cleave.rank.question import RankQuestion
from cleave.search.finished import FinishedRun
from cleave.search.problem import Problem
from cleave.space import Arch, Layout
from cleave.split import Node


def judge(
    run: FinishedRun,
    archs: Sequence[Arch],
    holders: Sequence[Node],
    question: RankQuestion,
    stop: Stop,
    callback: Callback,
) -> Numbers:
    """Held-out accuracy (percent) of each architecture under its leaf's weights; Interrupted when asked to stop."""
    found = np.empty(len(archs))
    done = 0
    for leaf in {leaf.label: leaf for leaf in holders}.values():
        inside = [position for position, holder in enumerate(holders) if holder is leaf]
        tell = teller(callback, leaf, done, len(archs))
        found[inside] = judge_leaf(run, leaf, [archs[position] for position in inside], question, stop, tell)
        done += len(inside)
    return found


def teller(callback: Callback, leaf: Node, before: int, total: int) -> Callable[[int], None]:
    """Tells the callback how many architectures are done, those of other leaves before this one included."""
    return lambda done: callback.see(Progress(before + done, total, leaf.label, "rank"))


def judge_leaf(
    run: FinishedRun,
    leaf: Node,
    archs: Sequence[Arch],
    question: RankQuestion,
    stop: Stop,
    tell: Callable[[int], None],
) -> list[float]:
    """The same for architectures of one leaf; those that compute the same are evaluated once."""
    networks = run.networks(leaf, question.average)
    threads, recipe = question.threads or os.cpu_count() or 1, run.problem.recipe
    judging = question.judging(recipe.search)
    exam = Exam(
        held_out_batches(run.problem, question.images),
        threads,
        stop,
        judging.statistics,
        run.problem.calibration(Chance(recipe.seed, leaf.label), judging),
    )

    def work(some: Sequence[Gates]) -> list[float]:
        return accuracies(networks, some, exam, lambda done: tell(done * len(archs) // len(some)))

    return once_each(run.problem.layout, archs, work)


def once_each(layout: Layout, archs: Sequence[Arch], work: Callable[[Sequence[Gates]], list[float]]) -> list[float]:
    """What some work finds of each architecture, where those that compute the same are given to it once."""
    first = same_outputs(layout, archs)
    distinct = sorted(set(first))
    found = work([only_live(layout, archs[position]) for position in distinct])
    by_first = dict(zip(distinct, found, strict=True))
    return [by_first[position] for position in first]


def same_outputs(layout: Layout, archs: Sequence[Arch]) -> list[int]:
    """For each architecture the position of the first one whose network gives the same outputs under shared weights.

    Such architectures differ only on edges that lead nowhere, or come from nowhere.
    """
    essences = [frozenset((choice, arch[choice]) for choice in layout.live(arch)) for arch in archs]
    first: dict[frozenset[tuple[str, str]], int] = {}
    return [first.setdefault(essence, position) for position, essence in enumerate(essences)]


def held_out_batches(problem: Problem, images: int) -> list[Batch]:
    """The first held-out images, not augmented, normalised once for all architectures."""
    return batches_of(problem, torch.arange(min(images, len(problem.valid))))


def batches_of(problem: Problem, places: Tensor) -> list[Batch]:
    """The held-out images of these places [n], as they are judged."""
    some = problem.valid.take(places.to(problem.valid.labels.device))
    return list(InOrder(some, problem.recipe.search.eval_batch_size, problem.normalise))
