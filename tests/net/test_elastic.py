"""Elastic blocks against a slow twin, in float64: parts, sums, what is taken out, sorting, statistics."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from cleave.errors import UserError
from cleave.net import Gate, Norm, extract, one_hot
from cleave.net.elastic import ElasticPlace, FirstNorm, plain
from cleave.ops.mobile import ACTIVATIONS, Residual
from cleave.space import Region
from cleave.space.elastic import Elastic, Part
from cleave.split.share import shared_parameters, shared_parts
from cleave.train.statistics import RECALIBRATED, normalisations
from tests.reference import elastic as reference
from tests.registries import as_they_were
from tests.space.test_ofa import SMALL, network_of

PARTS = [Part(kernel, expand) for kernel, expand in product((3, 5, 7), (3, 4, 6))]


def spec(**others: object) -> Elastic:
    given = {"channels_in": 8, "channels_out": 8, "activation": "h_swish", "squeeze": True} | others
    return Elastic("kernel1", "expand1", "depth1", 1, 1, (3, 5, 7), (3, 4, 6), **given)  # type: ignore[arg-type]


def place_of(block: Elastic, norm: Norm | None = None) -> ElasticPlace:
    """With weights such that every part differs from every other."""
    place = ElasticPlace(block, norm or Norm()).double()
    with torch.no_grad():
        for parameter in place.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return place


def images(channels: int = 8) -> Tensor:
    return torch.randn(3, channels, 7, 7, dtype=torch.float64)


@pytest.mark.parametrize(
    "block",
    [spec(), spec(stride=2), spec(channels_out=16, squeeze=False, activation="relu"), spec(channels_in=24)],
    ids=["squeeze", "stride", "plain", "wide"],
)
@pytest.mark.parametrize("part", PARTS[::2], ids=str)
def test_a_part_is_what_is_written_down(block: Elastic, part: Part) -> None:
    place, x = place_of(block), images(block.channels_in)
    expected = reference.block(place, x, part)
    torch.testing.assert_close(place.one(x, part), expected)
    torch.testing.assert_close(place.taken(part)(x), expected)


def test_with_matrices_as_they_begin_a_smaller_kernel_is_the_centre() -> None:
    place = ElasticPlace(spec(), Norm())
    whole = place.kernel(Part(7, 6))
    assert torch.equal(place.kernel(Part(5, 6)), whole[:, :, 1:6, 1:6])
    assert torch.equal(place.kernel(Part(3, 4)), whole[: 8 * 4, :, 2:5, 2:5])


def test_what_is_active_is_summed_by_its_weights() -> None:
    place, x = place_of(spec()), images()
    kernel, expand, depth = (torch.rand(2, dtype=torch.float64) for _ in range(3))
    gates = {
        "kernel1": Gate(("k3", "k7"), kernel),
        "expand1": Gate(("e3", "e6"), expand),
        "depth1": Gate(("d1", "d2"), depth),
    }
    inner = sum(
        kernel[i] * expand[j] * place.one(x, Part((3, 7)[i], (3, 6)[j])) for i, j in product(range(2), range(2))
    )
    torch.testing.assert_close(place(x, gates), depth[0] * x + depth[1] * inner)


def test_a_gradient_of_idle_candidates_reaches_their_weight_alone() -> None:
    place, x = place_of(spec()), images()
    weight = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    gates = one_hot({"expand1": "e4", "depth1": "d2"}) | {"kernel1": Gate(("k3", "k7"), weight, frozenset(["k7"]))}
    one, other = place.one(x, Part(3, 4)), place.one(x, Part(7, 4))
    place(x, gates).sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.stack([one.sum(), other.sum()]).detach())


def test_depths_at_which_it_runs_are_the_same() -> None:
    place = place_of(Elastic("k", "e", "d", 1, 1, (3,), (3, 4), 8, 8))
    runs = [place.does(one_hot({"k": "k3", "e": "e3", "d": depth})) for depth in ("d1", "d2", "d3")]
    assert runs[0] != runs[1] == runs[2]
    assert place.used(one_hot({"d": "d1"})) == []


def test_a_network_for_one_architecture_is_a_plain_one() -> None:
    """Its weights are drawn for its own sizes, and are no more than it uses."""
    arch = SMALL.sample(SMALL.region, torch.Generator().manual_seed(3))
    alone = network_of(SMALL, Region.of(arch))
    taken = extract(network_of(SMALL), arch)
    assert [each.shape for each in alone.parameters()] == [each.shape for each in taken.parameters()]
    assert not any(isinstance(module, ElasticPlace) for module in alone.modules())


def test_sorting_leaves_what_is_computed_and_puts_what_matters_first() -> None:
    block = spec()
    place, x = place_of(block), images()
    largest, trained, rest = (place.one(x, Part(7, expand)) for expand in (6, 4, 3))
    place.sort_channels(("e6",))
    torch.testing.assert_close(place.one(x, Part(7, 6)), largest)
    assert not torch.allclose(place.one(x, Part(7, 4)), trained)
    importance = place.project.weight.abs().sum(dim=(0, 2, 3))
    assert bool((importance.diff() <= 0).all())
    trained = place.one(x, Part(7, 4))
    with torch.no_grad():
        place.project.weight.copy_(torch.randn_like(place.project.weight))
    largest, trained, rest = (place.one(x, Part(7, expand)) for expand in (6, 4, 3))
    place.sort_channels(("e4", "e6"))
    torch.testing.assert_close(place.one(x, Part(7, 6)), largest)
    torch.testing.assert_close(place.one(x, Part(7, 4)), trained)
    assert not torch.allclose(place.one(x, Part(7, 3)), rest)


@pytest.mark.parametrize("momentum", [0.3, None])
def test_statistics_are_those_of_the_first_channels(momentum: float | None) -> None:
    norm = FirstNorm.of(Norm(running=True), 6).double()
    alone = nn.BatchNorm2d(4, momentum=momentum).double()
    norm.momentum = momentum
    with torch.no_grad():
        for name, parameter in norm.named_parameters():
            getattr(alone, name).copy_(parameter.normal_()[:4])
    for _ in range(3):
        x = images(4)
        torch.testing.assert_close(norm(x), alone(x))
    assert norm.running_mean is not None
    assert norm.running_mean[4:].eq(0).all()
    torch.testing.assert_close(norm.eval()(x), alone.eval()(x))


def test_what_is_taken_out_has_the_statistics_too() -> None:
    network = network_of(SMALL).double()
    twin = RECALIBRATED.of(network)
    arch = SMALL.sample(SMALL.region, torch.Generator().manual_seed(5))
    x = torch.randn(6, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad(), RECALIBRATED.measuring(twin, normalisations(twin)) as count:
        count(len(x))
        twin(x, one_hot(arch))
    alone = extract(twin, arch).eval()
    torch.testing.assert_close(alone(x[:1], one_hot(arch)), twin(x[:1], one_hot(arch)))
    assert all(each.track_running_stats for each in alone.modules() if isinstance(each, nn.BatchNorm2d))


@pytest.mark.parametrize(
    ("choice", "candidates"),
    [("kernel1", ("k3", "k7")), ("kernel1", ("k5", "k7")), ("kernel1", ("k3", "k5")), ("expand1", ("e4", "e6"))],
)
def test_candidates_share_the_centre_and_the_first_channels(choice: str, candidates: tuple[str, ...]) -> None:
    """What both use, told by gradients where the matrices are as they begin; matrices that one does not need are not
    shared."""
    network = network_of(SMALL).double()
    arch = SMALL.completed(SMALL.sample(SMALL.region, torch.Generator().manual_seed(0)), SMALL.region)
    parameters, parts = shared_parameters(network, choice), shared_parts(network, choice, candidates)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    moved = []
    for candidate in candidates:
        output = network(x, one_hot({**arch, "kernel1": "k7", choice: candidate})).square().sum()
        found = torch.autograd.grad(output, list(parameters.values()), materialize_grads=True)
        moved.append({name: each.ne(0) for name, each in zip(parameters, found, strict=True)})
    for name in (each for each in parameters if each.startswith("blocks.block1.")):
        both = moved[0][name] & moved[1][name]
        if "transforms" in name:
            used = parameters[name][parts.get(name, ())].numel() > 0
            assert bool(both.any()) == (used and choice == "kernel1")
        else:
            marked = torch.zeros_like(both)
            marked[parts.get(name, ())] = True
            assert not (both & ~marked).any()
            assert "depthwise" not in name or bool((both == marked)[: 8 * 3].all())


def test_blocks_begin_as_they_are_published() -> None:
    """Normal weights with a variance of 2 by (kernel area times channels out)."""
    torch.manual_seed(0)
    block = plain(spec(channels_in=64, channels_out=64, squeeze=False), Part(5, 6), Norm())
    assert isinstance(block, Residual)
    for layer, area in ((block.body[0], 1), (block.body[3], 25), (block.body[6], 1)):
        assert isinstance(layer, nn.Conv2d)
        assert float(layer.weight.detach().std()) == pytest.approx((2 / (area * layer.out_channels)) ** 0.5, rel=0.1)


def test_an_activation_that_there_is_not_is_named_and_one_of_ones_own_is_taken() -> None:
    odd = spec(activation="swisch")
    with pytest.raises(UserError, match=r"activation.*swisch.*h_swish"):
        ElasticPlace(odd, Norm())
    with as_they_were():
        ACTIVATIONS.register("swisch", nn.SiLU)
        assert isinstance(ElasticPlace(odd, Norm()).act, nn.SiLU)
