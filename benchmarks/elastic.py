"""The steps of Once-for-All's trainers by cleave and plainly."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import torch

from benchmarks import works
from benchmarks.agree import agree
from benchmarks.naive_data import fresh, training_loader
from benchmarks.naive_ofa import ElasticTrainer, OfaSupernet
from benchmarks.pairs import Pair
from benchmarks.problems import Scale, problem_of
from cleave.method import Lesson, OnceForAllSettings
from cleave.search.trainer import NodeTrainer


def elastic_step(scale: Scale, method: str) -> Pair:
    """A weight step of a trainer; of progressive shrinking one of its last phase, with a teacher and four networks."""
    node = ready(works.searching(problem_of(scale, f"method.name={method}", "search.epochs=6")))
    plain, train, steps = plain_of(node), training_loader(node.problem, node.problem.train), count(node.step)

    def check() -> None:
        twin = ready(works.in_float64(node))
        other = plain_of(twin)
        other.step(twin.train.batch(twin.step), lessons_of(twin, twin.step))
        twin.advance()
        momentum = other.sgd.state
        found = {theirs: momentum[weight] for theirs, weight in named(other).items()}
        agree(
            "gradients", works.momentum(twin), {name: found[name]["momentum_buffer"] for name in works.momentum(twin)}
        )

    return Pair(node.advance, lambda: plain.step(fresh(train), lessons_of(node, next(steps))), check)


def ready(node: NodeTrainer) -> NodeTrainer:
    """In its last phase, if it has any; without dropout, which is drawn."""
    layout = node.setup.layout
    node.setup = replace(node.setup, layout=replace(layout, head=replace(layout.head, dropout=0.0)))
    if node.phases:
        node.teacher.become(dict(node.network.named_parameters()), given=False)
        node.weights.step = node.steps - 1
    return node


def lessons_of(node: NodeTrainer, step: int) -> list[Lesson]:
    return list(node.method.lessons(node.context("gates", step)))


def plain_of(node: NodeTrainer) -> ElasticTrainer:
    """The plain way to train, from the node's weights."""
    size, settings = node.problem.recipe.space.size, node.problem.recipe.method
    assert isinstance(settings, OnceForAllSettings)
    network = OfaSupernet(size.width, size.stem, node.problem.classes, node.problem.image[0])
    network.to(node.network.classifier.weight.dtype)
    weights = dict(node.network.named_parameters())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(weights[network.theirs()[name]])
    assert set(network.theirs().values()) == set(weights)
    return ElasticTrainer(network, settings)


def named(trainer: ElasticTrainer) -> dict[str, torch.nn.Parameter]:
    """The plain network's weights by the names that they have in cleave's."""
    names = trainer.network.theirs()
    return {names[name]: parameter for name, parameter in trainer.network.named_parameters()}
