"""What a training step minimises. A loss is a function of logits and labels; a path is a forward pass with its loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from cleave.data.stream import Batch

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits [n, classes], labels [n]) -> the mean over the images."""

Forward = Callable[[Tensor], Tensor]
"""Images [n, channels, height, width] -> logits."""


class Pass(NamedTuple):
    """What a forward pass came to on a mini-batch."""

    loss: Tensor
    logits: Tensor


Path = Callable[[Batch], Pass]
"""One of the forward passes of a training step: a supernet may train several of its networks in one."""


def smoothed(smoothing: float) -> Loss:
    """Cross entropy in which the share `smoothing` of each label is spread over all classes (Szegedy et al., 2016)."""
    return partial(cross_entropy, label_smoothing=smoothing) if smoothing else cross_entropy


def whole(logits: Tensor) -> Tensor:
    """In float32 where they are in half of it."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def supervised(forward: Forward, loss: Loss = cross_entropy) -> Path:
    """A path that learns from labels."""

    def path(batch: Batch) -> Pass:
        images, labels = batch
        logits = forward(images)
        return Pass(loss(logits, labels), logits)

    return path


def distilling(
    forward: Forward, teacher: Forward, share: float = 1.0, temperature: float = 1.0, loss: Loss = cross_entropy
) -> Path:
    """A path that learns the share `share` from a teacher's answers, softened by a temperature, the rest from labels.

    The teacher learns nothing.
    """

    def path(batch: Batch) -> Pass:
        images, labels = batch
        with torch.no_grad():
            answers = teacher(images)
        logits = forward(images)
        return Pass(share * taught(logits, answers, temperature) + (1 - share) * loss(logits, labels), logits)

    return path


def taught(logits: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """Cross entropy with a teacher's logits, both softened by a temperature, times its square: so gradients keep their
    size (Hinton et al., "Distilling the knowledge in a neural network", 2015)."""
    return temperature**2 * cross_entropy(logits / temperature, softmax(answers / temperature, dim=1))
