"""Losses, against the formulas written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cleave.train import distilling, smoothed, supervised


def some() -> tuple[Tensor, Tensor]:
    return torch.randn(7, 4, dtype=torch.float64), torch.randint(4, (7,))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_smoothed_labels_are_spread_over_all_classes(smoothing: float) -> None:
    logits, labels = some()
    targets = (1 - smoothing) * torch.eye(4).double()[labels] + smoothing / 4
    expected = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(smoothed(smoothing)(logits, labels), expected)


@pytest.mark.parametrize(("share", "temperature"), [(0.0, 1.0), (1.0, 1.0), (0.7, 3.0)])
def test_a_student_learns_its_share_from_softened_answers(share: float, temperature: float) -> None:
    images, labels = some()
    weight = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    teaching = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    loss, logits = distilling(lambda x: x @ weight, lambda x: x @ teaching, share, temperature)((images, labels))
    torch.testing.assert_close(logits, images @ weight)
    answers = (images @ teaching / temperature).softmax(dim=1)
    taught = -(answers * (images @ weight / temperature).log_softmax(dim=1)).sum(dim=1).mean()
    plain = -(images @ weight).log_softmax(dim=1)[torch.arange(7), labels].mean()
    torch.testing.assert_close(loss, share * temperature**2 * taught + (1 - share) * plain)
    loss.backward()
    assert weight.grad is not None
    assert teaching.grad is None


def test_a_student_that_agrees_with_its_teacher_has_nothing_to_learn() -> None:
    images, labels = some()
    weight = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    loss, _ = distilling(lambda x: x @ weight, lambda x: x @ weight, temperature=2.0)((images, labels))
    (gradient,) = torch.autograd.grad(loss, weight)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_a_supervised_path_gives_loss_and_logits() -> None:
    images, labels = some()
    loss, logits = supervised(lambda x: 2 * x)((images, labels))
    torch.testing.assert_close(logits, 2 * images)
    torch.testing.assert_close(loss, -(2 * images).log_softmax(dim=1)[torch.arange(7), labels].mean())
