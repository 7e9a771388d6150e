"""Phases of a node's training: what is made of the network in front of one, and by whose answers networks learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cleave.method import Lesson, Method, Phase, Weights
from cleave.net import Gates, Network, places
from cleave.run.generations import Record
from cleave.train import Pass, taught

Answer = Callable[[Tensor, Gates, Weights], Tensor]
"""(images, gates, weights) -> logits [n, classes] of a network under these weights."""


class Teacher:
    """Weights by whose answers networks learn, once there are some; `given`: by a node above.

    They lie where the networks do, wherever a checkpoint was read to.
    """

    def __init__(self, answer: Answer, device: torch.device) -> None:
        self.answer, self.device = answer, device
        self.weights: dict[str, Tensor] | None = None
        self.given = False

    def become(self, weights: Mapping[str, Tensor], given: bool) -> None:
        """A copy of them."""
        self.weights = {name: each.detach().to(self.device, copy=True) for name, each in weights.items()}
        self.given = given

    def learn_from(self, parent: Record) -> None:
        """Becomes the teacher that a parent has kept, if it has."""
        if (weights := parent.state.get("teacher")) is not None:
            self.become(weights, given=True)

    def corrected(self, lesson: Lesson, found: Pass, images: Tensor, answers: list[Tensor]) -> Pass:
        """A pass with the loss of its lesson. `answers`: those that it goes by, which are added once they are known."""
        if not lesson.taught:
            answers[:] = answers or [found.logits.detach()]
            return found
        if not answers:
            assert self.weights is not None
            assert lesson.teacher is not None
            with torch.no_grad():
                answers.append(self.answer(images, lesson.teacher, self.weights))
        loss = lesson.labels * found.loss + lesson.taught * taught(found.logits, answers[0], temperature=1.0)
        return Pass(loss, found.logits)

    def record(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a node saves of it: its state, and its meta."""
        return ({}, {}) if self.weights is None else ({"teacher": self.weights}, {"taught": self.given})

    def restore(self, record: Record) -> None:
        if "teacher" in record.state:
            self.become(record.state["teacher"], record.meta["taught"])


def enter(phases: Sequence[Phase], number: int, method: Method, network: Network, teacher: Teacher) -> None:
    """What happens to a network in front of a phase: a copy is kept as the teacher, channels are sorted."""
    phase = phases[number]
    if phase.keeps and teacher.weights is None:
        teacher.become(dict(network.named_parameters()), given=False)
    if phase.sorts:
        trained = method.within(phases[number - 1]).allowed
        for placed in places(network).values():
            placed.sort_channels({name for choice in placed.choices for name in trained.get(choice, ())})
