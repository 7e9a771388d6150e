"""Laws of networks, on NAS-Bench-201 and on toys of the spaces to come, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cleave.net import Gate, Gates, Network, Norm, build, one_hot
from cleave.space import NetworkSize, Region, Space, find_space
from tests.reference.network import nasbench201
from tests.toys import TOYS

SIZE = NetworkSize(channels=4, cells=2)
SPACES = [find_space("nasbench201"), find_space("nasbench201", 4), *(toy() for toy in TOYS)]


@pytest.fixture(params=SPACES, ids=lambda space: f"{space.name}-{space.region.size}")
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


@pytest.fixture
def generator() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


def supernet(space: Space, region: Region | None = None, seed: int = 0, norm: Norm | None = None) -> Network:
    return build(space.layout(SIZE, 3), region or space.region, 5, seed, norm).double()


def images() -> Tensor:
    return torch.randn(6, 3, 16, 16, dtype=torch.float64)


def soft(region: Region) -> Gates:
    return {
        choice: Gate(allowed, torch.rand(len(allowed), dtype=torch.float64).softmax(0))
        for choice, allowed in region.allowed.items()
    }


def test_the_supernet_under_one_hot_gates_is_the_stand_alone_net(space: Space, generator: torch.Generator) -> None:
    whole, x = supernet(space), images()
    for _ in range(5):
        arch = space.sample(space.region, generator)
        alone = supernet(space, Region.of(arch), seed=1)
        alone.load_state_dict({name: whole.state_dict()[name] for name in alone.state_dict()})
        torch.testing.assert_close(whole(x, one_hot(arch)), alone(x, one_hot(arch)))


def test_a_sub_supernet_with_its_parents_weights_gives_its_parents_outputs(
    space: Space, generator: torch.Generator
) -> None:
    whole, x = supernet(space), images()
    choice = space.choices[0]
    region = space.region.restrict(choice.name, choice.candidates[:1])
    part = supernet(space, region, seed=1)
    part.load_state_dict({name: whole.state_dict()[name] for name in part.state_dict()})
    gates = soft(region)
    torch.testing.assert_close(part(x, gates), whole(x, gates))


def test_a_candidate_with_weight_one_alone_is_the_candidate(space: Space, generator: torch.Generator) -> None:
    network, x = supernet(space), images()
    arch = space.sample(space.region, generator)
    weighted = {choice: Gate((name,), torch.ones(1, dtype=torch.float64)) for choice, name in arch.items()}
    torch.testing.assert_close(network(x, weighted), network(x, one_hot(arch)))


def test_one_hot_weights_over_all_candidates_are_the_single_path(space: Space, generator: torch.Generator) -> None:
    network, x = supernet(space), images()
    arch = space.sample(space.region, generator)
    gates = {
        choice.name: Gate(
            choice.candidates,
            torch.tensor([float(name == arch[choice.name]) for name in choice.candidates], dtype=torch.float64),
        )
        for choice in space.choices
        if choice.name in arch
    }
    torch.testing.assert_close(network(x, gates), network(x, one_hot(arch)))


def test_what_does_not_run_has_no_gradient(space: Space, generator: torch.Generator) -> None:
    network = supernet(space)
    arch = space.sample(space.region, generator)
    network(images(), one_hot(arch)).square().sum().backward()
    for name, parameter in network.named_parameters():
        if ".ops." in name:
            operation = name.split(".ops.")[1].split(".")[0]
            assert parameter.grad is None or operation in arch.values()


def test_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone(space: Space) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (supernet(space, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_region_builds_only_what_it_allows(space: Space) -> None:
    choice = space.choices[-1]
    kept = choice.candidates[0]
    names = supernet(space, space.region.restrict(choice.name, [kept])).state_dict()
    whole = supernet(space).state_dict()
    assert names.keys() <= whole.keys()
    dropped = [name for name in whole if name not in names]
    assert all(kept not in name.split(".ops.")[1].split(".")[0] for name in dropped)


def test_running_statistics_are_there_when_asked_for(space: Space) -> None:
    network = supernet(space, norm=Norm(affine=True, running=True))
    assert any("running_mean" in name for name in network.state_dict())
    assert not any("running" in name for name in supernet(space).state_dict())


@pytest.mark.parametrize("cells", [1, 2])
def test_nasbench201_is_the_published_network_written_out(cells: int, generator: torch.Generator) -> None:
    space = SPACES[0]
    network = build(space.layout(NetworkSize(3, cells), 3), space.region, 7, seed=2).double()
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    weights = {name: value.detach() for name, value in network.state_dict().items()}
    for _ in range(6):
        arch = space.sample(space.region, generator)
        torch.testing.assert_close(network(x, one_hot(arch)), nasbench201(x, arch, weights, cells))


def test_the_mixture_is_linear_in_the_weights_of_the_last_edge() -> None:
    """A convex mixture on the edge into the output, before any further nonlinearity, is the mixture of outputs."""
    space = SPACES[0]
    network = supernet(space)
    cell = network.blocks["cell0_0"]
    x = torch.randn(4, 4, 8, 8, dtype=torch.float64)
    gates = dict(one_hot({choice.name: "skip_connect" for choice in space.choices}))
    names = space.choices[3].candidates
    weight = torch.rand(len(names), dtype=torch.float64)
    single = [cell([x], {**gates, "3<-0": Gate((name,))})[-1] for name in names]
    rest = cell([x], {**gates, "3<-0": Gate(("none",))})[-1]
    mixed = cell([x], {**gates, "3<-0": Gate(names, weight)})[-1]
    torch.testing.assert_close(mixed, rest + sum(w * (out - rest) for w, out in zip(weight, single, strict=True)))
