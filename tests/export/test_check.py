"""What passes as the same network, and what does not."""

from __future__ import annotations

import math

import pytest
import torch

from cleave.engine.stop import NEVER
from cleave.errors import UserError
from cleave.export.check import AGREEMENT, CLOSE, Agreement, Examples, stretched
from cleave.export.handed import Answers
from cleave.space import find_space
from tests.export.made import handed, images


def test_distances_are_told_in_shares_of_the_largest_logit() -> None:
    expected = torch.tensor([[10.0, -40.0, 0.0], [0.1, 0.2, 0.3]])
    found = expected + torch.tensor([[0.0, 0.0, 0.4], [0.0, 0.02, 0.0]])
    agreement = Agreement.of(found, expected)
    assert agreement.top1 == 100
    assert agreement.distance == pytest.approx(0.02)  # 0.4 of 40 is less; where logits are small they count as 1
    assert Agreement.of(expected.flip(1), expected).top1 == 0


def test_what_is_no_number_agrees_with_nothing() -> None:
    logits = torch.randn(4, 3)
    assert not Agreement.of(torch.full_like(logits, math.nan), logits).within(CLOSE, 0)
    assert Agreement.of(logits, logits).within(CLOSE, AGREEMENT)


def test_a_network_that_answers_otherwise_is_refused_whatever_the_batch() -> None:
    of = handed(find_space("nasbench201"))
    examples = Examples(of.deployed, images())

    def off(by: float, batch: int | None = None, side: int = 16) -> Answers:
        def classify(pixels: torch.Tensor) -> Answers:
            probabilities, logits = of.deployed(pixels)
            hit = pixels.shape[-1] == side and (batch is None or len(pixels) == batch)
            return probabilities, logits + by * hit * torch.eye(3)[0]

        return examples.check("plain", classify, NEVER)  # type: ignore[return-value]

    off(1e-6)
    with pytest.raises(UserError, match=r"--format plain: answers otherwise .* 12 images in batches of 1 and 8"):
        off(1e-3)
    with pytest.raises(UserError, match="nothing was exported"):
        off(1e-3, batch=1)
    with pytest.raises(UserError, match="of another size"):
        off(0.1, side=stretched(images().pixels[:1]).shape[-1])  # type: ignore[arg-type]
