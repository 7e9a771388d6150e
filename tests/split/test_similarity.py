"""Similarities against their plain definitions, and their laws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cleave.split.similarity import SIMILARITIES, Similarity, cosine, filter_cosine, negative_l2
from tests.reference import similarity as slow

TWINS = {cosine: slow.cosine, negative_l2: slow.negative_l2, filter_cosine: slow.filter_cosine}


def random_gradients(candidates: int = 4) -> list[Tensor]:
    """Of a convolution, a linear layer and a bias, with dead filters and one candidate that moves nothing."""
    shapes = [(3, 2, 3, 3), (4, 5), (6,)]
    gradients = [torch.randn(candidates, *shape, dtype=torch.float64) for shape in shapes]
    gradients[0][:, 1] = 0
    gradients[1][0, 2] = 0
    for parameter in gradients:
        parameter[-1] = 0
    return gradients


@pytest.fixture(params=SIMILARITIES.values(), ids=SIMILARITIES.keys())
def similarity(request: pytest.FixtureRequest) -> Similarity:
    return request.param


def test_it_is_its_definition(similarity: Similarity) -> None:
    for _ in range(5):
        gradients = random_gradients()
        torch.testing.assert_close(similarity(gradients), TWINS[similarity](gradients))


def test_it_is_symmetric_and_double(similarity: Similarity) -> None:
    found = similarity([parameter.float() for parameter in random_gradients()])
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, found.T, rtol=0, atol=1e-12)


def test_it_permutes_with_the_candidates(similarity: Similarity) -> None:
    gradients, order = random_gradients(), torch.randperm(4)
    permuted = similarity([parameter[order] for parameter in gradients])
    torch.testing.assert_close(permuted, similarity(gradients)[order][:, order])


def test_equal_gradients_are_most_alike(similarity: Similarity) -> None:
    gradients = [torch.cat([parameter[:3], parameter[:1]]) for parameter in random_gradients()]
    found = similarity(gradients)
    assert found[0, 3] == found[0].max()


def test_cosines_ignore_the_length_of_a_gradient_and_distances_do_not() -> None:
    gradients = random_gradients()
    factors = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    scaled = [parameter * factors.view(-1, *[1] * (parameter.dim() - 1)) for parameter in gradients]
    torch.testing.assert_close(cosine(scaled), cosine(gradients))
    torch.testing.assert_close(filter_cosine(scaled), filter_cosine(gradients))
    assert not torch.allclose(negative_l2(scaled), negative_l2(gradients))


def test_a_gradient_of_zeros_has_cosine_zero_with_all_and_with_itself() -> None:
    for similarity in (cosine, filter_cosine):
        found = similarity(random_gradients())
        assert found[-1].eq(0).all()
    assert cosine(random_gradients())[0, 0] == pytest.approx(1)


def test_gradients_that_are_zero_throughout_are_not_nan() -> None:
    nothing = [torch.zeros(3, 2, 2), torch.zeros(3, 4)]
    for similarity in SIMILARITIES.values():
        assert similarity(nothing).eq(0).all()


def test_tiny_gradients_keep_their_angle() -> None:
    gradients = [1e-20 * parameter for parameter in random_gradients()]
    torch.testing.assert_close(cosine(gradients), slow.cosine([1e20 * parameter for parameter in gradients]))


def test_distances_of_nearly_equal_gradients_do_not_cancel() -> None:
    base = torch.randn(1, 1000, dtype=torch.float64)
    apart = torch.cat([base, base + 1e-9])
    assert -negative_l2([apart])[0, 1].item() == pytest.approx(1e-9 * 1000**0.5, rel=1e-5)


def test_a_gradient_that_is_not_finite_is_never_taken_for_zero() -> None:
    gradients = random_gradients()
    gradients[0][0, 0, 0, 0, 0] = float("nan")
    gradients[0][1, 0, 0, 0, 0] = float("inf")
    for similarity in SIMILARITIES.values():
        found = similarity(gradients)
        assert not torch.isfinite(found[0]).any()
        assert not torch.isfinite(found[1]).all()
