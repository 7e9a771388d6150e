"""Tallies against their definitions and slow twins, and influences against the scatter that they are to predict."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cleave.split.products import BY_PRODUCTS
from cleave.split.similarity import SIMILARITIES
from cleave.split.tally import Extrapolated, MeanGradients, MeanSimilarities, RaceTally, Tally, derivatives
from tests.reference import race as slow

SHAPES = ((3, 2, 3, 3), (6,))
APART = ~torch.eye(4, dtype=torch.bool)
names = pytest.mark.parametrize("name", ["cos", "filter-cos"])
every = pytest.mark.parametrize("name", SIMILARITIES)


def drawn(probes: int, noise: float = 1.0, seed: int | None = None) -> list[list[Tensor]]:
    """Gradients of four candidates around a mean, with noise in common and of their own."""
    generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())) if seed is None else seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    means = [normal(4, *shape) + normal(*shape) for shape in SHAPES]
    return [[mean + noise * (normal(*mean.shape) + normal(*mean.shape[1:])) for mean in means] for _ in range(probes)]


def gathered(tally: Tally, probes: list[list[Tensor]]) -> Tally:
    for gradients in probes:
        tally.add(gradients)
    return tally


def extrapolated(name: str, horizon: int, probes: list[list[Tensor]]) -> Extrapolated:
    tally = Extrapolated(SIMILARITIES[name], horizon)
    gathered(tally, probes)
    return tally


@every
def test_mean_gradients_are_compared_as_their_running_sum_is_to_the_last_bit(name: str) -> None:
    probes = [[parameter.float() for parameter in each] for each in drawn(5)]
    total = probes[0]
    for each in probes[1:]:
        total = [a + b for a, b in zip(total, each, strict=True)]
    expected = SIMILARITIES[name]([parameter / 5 for parameter in total])
    assert torch.equal(gathered(MeanGradients(SIMILARITIES[name]), probes).similarities, expected)


@names
def test_mean_similarities_are_the_mean_over_probes_and_each_probes_own_are_its_influence(name: str) -> None:
    probes, similarity = drawn(5), SIMILARITIES[name]
    tally = MeanSimilarities(similarity)
    gathered(tally, probes)
    each = torch.stack([similarity(gradients) for gradients in probes])
    assert torch.equal(tally.similarities, each.mean(dim=0))
    assert torch.equal(tally.influences, each[1:])


@names
def test_extrapolated_similarities_are_their_definition_from_all_pairs_of_probes(name: str) -> None:
    probes = drawn(6, noise=0.3)
    for horizon in (6, 11, 1000):
        tally = extrapolated(name, horizon, probes)
        products = slow.expected_products(name, probes, horizon)
        torch.testing.assert_close(tally.products, products)
        torch.testing.assert_close(tally.similarities, slow.compare(name, products))


@names
def test_influences_are_difference_quotients_with_all_gradients_kept(name: str) -> None:
    probes = drawn(6, noise=0.3)
    found = extrapolated(name, 50, probes).influences
    torch.testing.assert_close(found, torch.stack(slow.influences(name, probes, 50)), rtol=1e-4, atol=1e-6)


@names
def test_with_the_horizon_reached_it_is_the_similarity_of_the_mean_gradient(name: str) -> None:
    probes = drawn(7, noise=3.0)
    expected = gathered(MeanGradients(SIMILARITIES[name]), probes).similarities
    found = extrapolated(name, 7, probes).similarities
    torch.testing.assert_close(found[APART], expected[APART])


@names
def test_without_noise_every_horizon_gives_the_same_and_nothing_scatters(name: str) -> None:
    probes = drawn(1) * 5
    expected = SIMILARITIES[name](probes[0])[APART]
    for horizon in (5, 100, 10**6):
        tally = extrapolated(name, horizon, probes)
        torch.testing.assert_close(tally.similarities[APART], expected)
        assert tally.influences.std(dim=0)[APART].max() < 1e-9


@pytest.mark.parametrize("name", ["cos"])
def test_few_probes_tell_what_many_come_to_where_their_mean_is_far_off(name: str) -> None:
    """Over 150 draws of 6 probes with noise in common: the mean estimate lies by the horizon's similarity."""
    everything = drawn(150 * 6, noise=0.7, seed=3)
    many = gathered(MeanGradients(SIMILARITIES[name]), everything).similarities[APART]
    groups = [everything[start : start + 6] for start in range(0, 150 * 6, 6)]
    plain, better = (
        torch.stack([tally.similarities[APART] for tally in tallies]).mean(dim=0) - many
        for tallies in (
            [gathered(MeanGradients(SIMILARITIES[name]), group) for group in groups],
            [extrapolated(name, 900, group) for group in groups],
        )
    )
    assert better.abs().max() < 0.4 * plain.abs().max()


@names
@pytest.mark.parametrize("kind", [Extrapolated, MeanSimilarities])
def test_influences_tell_how_far_similarities_scatter(kind: type[RaceTally], name: str) -> None:
    """Over 100 draws of 24 probes: their scatter against the mean of the predicted ones, for every pair."""
    everything = drawn(100 * 24, noise=0.4, seed=1)
    found, predicted = [], []
    for start in range(0, len(everything), 24):
        tally = Extrapolated(SIMILARITIES[name], 100) if kind is Extrapolated else kind(SIMILARITIES[name])
        gathered(tally, everything[start : start + 24])
        found.append(tally.similarities)
        predicted.append(tally.influences.std(dim=0) / 24**0.5)
    ratio = torch.stack(predicted).mean(dim=0)[APART] / torch.stack(found).std(dim=0)[APART]
    assert ((ratio > 0.75) & (ratio < 1.5)).all()


@names
def test_gradients_of_zero_and_equal_gradients_have_finite_influences(name: str) -> None:
    """What no path reached, or what is the same, has no derivative; it counts as not moving."""
    probes = drawn(5, noise=0.3)
    for gradients in probes:
        for parameter in gradients:
            parameter[0] = 0
            parameter[2] = parameter[3]
    tally = extrapolated(name, 100, probes)
    assert tally.influences.isfinite().all()
    assert tally.similarities.isfinite().all()
    assert tally.influences[:, 2, 3].abs().max() < 1e-6


@names
def test_a_candidate_hidden_in_noise_is_said_to_be_unknown(name: str) -> None:
    """Its probes cancel out: of what is left the sign of a length is not even known."""
    probes = drawn(4, noise=0.1)
    for sign, gradients in zip((1, -1, 1, -1), probes, strict=True):
        for parameter in gradients:
            parameter[1] = sign * (1 + parameter[1].abs())
    influences = extrapolated(name, 10**6, probes).influences
    assert influences[:, 1].isnan().all()
    assert influences[:, :, 1].isnan().all()
    known = [0, 2, 3]
    assert influences[:, known][:, :, known].isfinite().all()


@names
def test_cosines_stay_cosines_whatever_the_noise(name: str) -> None:
    for _ in range(20):
        found = extrapolated(name, 1000, drawn(3, noise=2.0)).similarities
        assert found.isfinite().all()
        assert found.abs().max() <= 1 + 1e-12


@names
def test_adding_and_asking_change_neither_gradients_nor_tally(name: str) -> None:
    probes = drawn(4)
    before = [[parameter.clone() for parameter in each] for each in probes]
    for tally in (Extrapolated(SIMILARITIES[name], 9), MeanSimilarities(SIMILARITIES[name])):
        gathered(tally, probes)
        assert torch.equal(tally.influences, tally.influences)
        assert torch.equal(tally.similarities, tally.similarities)
        assert tally.probes == 4
    for one, other in zip(probes, before, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@names
def test_the_order_of_the_probes_does_not_change_the_estimate(name: str) -> None:
    probes = drawn(6, noise=0.3)
    order = torch.randperm(6).tolist()
    one, other = (extrapolated(name, 40, each).similarities for each in (probes, [probes[i] for i in order]))
    torch.testing.assert_close(one, other)


@names
def test_products_of_the_gradients_make_their_similarities(name: str) -> None:
    (gradients,) = drawn(1)
    by = BY_PRODUCTS[SIMILARITIES[name]]
    found = by.similarities(by.products(gradients, gradients))
    torch.testing.assert_close(found[APART], SIMILARITIES[name](gradients)[APART])


def test_derivatives_are_linear_in_their_directions() -> None:
    at, one, other = (torch.randn(5, dtype=torch.float64) for _ in range(3))
    found = derivatives(lambda x: (x.square().sum() * x).sin(), at, torch.stack([one, other, 2 * one - other]))
    torch.testing.assert_close(found[2], 2 * found[0] - found[1])
    assert derivatives(torch.sin, at, torch.zeros(1, 5, dtype=torch.float64)).eq(0).all()
