"""Laws that every base method keeps, and what is particular to each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.method import METHODS, Darts, Held, Method, Rsps, Turn
from cleave.net import Gates, build
from cleave.settings import DartsSettings, MethodSettings, RspsSettings
from cleave.space import Arch, NetworkSize, Region, Space, find_space
from tests.toys import TOYS

SPACES = [find_space("nasbench201"), find_space("nasbench201", 4), *(toy() for toy in TOYS)]
SETTINGS: dict[str, MethodSettings] = {"darts": DartsSettings(), "rsps": RspsSettings(samples=8)}


@pytest.fixture(params=SPACES, ids=lambda space: f"{space.name}-{space.region.size}")
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


@pytest.fixture(params=METHODS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def made(name: str, space: Space, region: Region | None = None, seed: int = 0) -> Method:
    return METHODS[name](SETTINGS[name], space, region or space.region, torch.Generator().manual_seed(seed))


def turn(seed: int = 0) -> Turn:
    return Turn(epoch=0, epochs=1, generator=torch.Generator().manual_seed(seed))


def narrowed(space: Space) -> Region:
    """Half of the candidates on the first choice, one on the last."""
    first, last = space.choices[0], space.choices[-1]
    region = space.region.restrict(first.name, first.candidates[1:])
    return region.restrict(last.name, last.candidates[-1:])


def test_only_allowed_candidates_are_active(name: str, space: Space) -> None:
    region = narrowed(space)
    method = made(name, space, region)
    for step in range(20):
        gates = method.gates(turn(step))
        assert gates.keys() == region.allowed.keys()
        for choice, gate in gates.items():
            assert gate.active
            assert set(gate.active) <= set(region.allowed[choice])


def test_gates_carry_no_gradient_and_follow_the_generator_alone(name: str, space: Space) -> None:
    method = made(name, space)
    one, again = (method.gates(turn(5)) for _ in range(2))
    assert [gate.active for gate in one.values()] == [gate.active for gate in again.values()]
    assert not any(gate.weight is not None and gate.weight.requires_grad for gate in one.values())


def test_the_derived_architecture_is_in_the_region(name: str, space: Space) -> None:
    region = narrowed(space)
    arch = made(name, space, region).derive(lambda arch: 0.0, torch.Generator().manual_seed(0))
    assert arch in region


def test_the_state_comes_back_whole(name: str, space: Space) -> None:
    method = made(name, space)
    if method.learns:
        learn(method, space)
    other = made(name, space, seed=1)
    other.load_state_dict(method.state_dict())
    if method.learns:
        learn(method, space)
        learn(other, space)
    for key, value in method.state_dict().items():
        if isinstance(value, Tensor):
            assert torch.equal(value, other.state_dict()[key])


def learn(method: Method, space: Space) -> None:
    network = build(space.layout(NetworkSize(2, 1), 1), method.region, classes=3, seed=0)
    generator = torch.Generator().manual_seed(7)
    images, labels = torch.randn(8, 1, 8, 8, generator=generator), torch.randint(3, (8,), generator=generator)

    def loss(gates: Gates) -> Tensor:
        return cross_entropy(network(images, gates), labels)

    method.learn(Held(loss), turn())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_darts_weights_sum_to_one_over_the_allowed(space: Space) -> None:
    method = made("darts", space, narrowed(space))
    for choice, weights in method.strengths().items():
        assert len(weights) == len(method.region.allowed[choice])
        assert weights.sum().item() == pytest.approx(1)


def test_a_darts_step_is_adam_on_the_gradient_of_the_held_out_loss() -> None:
    space = SPACES[0]
    settings = DartsSettings()
    method = Darts(settings, space, space.region, torch.Generator().manual_seed(0)).double()
    goal = {choice: torch.rand(5, dtype=torch.float64) for choice in space.region.allowed}

    def loss(gates: Gates) -> Tensor:
        terms = [(gate.weight * goal[choice]).sum() for choice, gate in gates.items() if gate.weight is not None]
        return torch.stack(terms).sum()

    twin = {choice: alpha.detach().clone() for choice, alpha in method.alpha.items()}
    first, second = settings.architecture_betas
    moments = {choice: (torch.zeros(5), torch.zeros(5)) for choice in twin}
    for step in range(1, 4):
        method.learn(Held(loss), turn())
        for choice, alpha in twin.items():
            soft = alpha.softmax(0)
            gradient = soft * (goal[choice] - (soft * goal[choice]).sum())
            gradient = gradient + settings.architecture_weight_decay * alpha
            mean, square = moments[choice]
            mean = first * mean + (1 - first) * gradient
            square = second * square + (1 - second) * gradient**2
            moments[choice] = (mean, square)
            scaled = (mean / (1 - first**step)) / ((square / (1 - second**step)).sqrt() + 1e-8)
            twin[choice] = alpha - settings.architecture_learning_rate * scaled
    for choice, alpha in twin.items():
        torch.testing.assert_close(method.alpha[choice].detach(), alpha)


def test_darts_derives_the_argmax() -> None:
    space = SPACES[0]
    method = made("darts", space)
    assert isinstance(method, Darts)
    wanted: Arch = {choice.name: choice.candidates[i % 5] for i, choice in enumerate(space.choices)}
    with torch.no_grad():
        for choice, candidate in wanted.items():
            method.alpha[choice][space.region.allowed[choice].index(candidate)] += 1
    assert method.derive(lambda arch: 0.0, torch.Generator()) == wanted


def test_darts_children_keep_the_weights_of_what_is_still_allowed() -> None:
    space = SPACES[0]
    parent = made("darts", space)
    region = narrowed(space)
    child = made("darts", space, region, seed=3)
    child.inherit(parent.state_dict(), space.region)
    assert isinstance(parent, Darts)
    assert isinstance(child, Darts)
    for choice, allowed in region.allowed.items():
        before = dict(zip(space.region.allowed[choice], parent.alpha[choice].tolist(), strict=True))
        assert dict(zip(allowed, child.alpha[choice].tolist(), strict=True)) == {
            candidate: before[candidate] for candidate in allowed
        }


def test_rsps_runs_one_connected_path_drawn_uniformly() -> None:
    space = SPACES[0]
    region = Region(dict.fromkeys(space.region.allowed, ("none", "skip_connect")))
    method = made("rsps", space, region)
    drawn = [method.gates(turn(step)) for step in range(400)]
    archs = [{choice: gate.active[0] for choice, gate in gates.items()} for gates in drawn]
    assert all(len(gate.active) == 1 and gate.weight is None for gates in drawn for gate in gates.values())
    assert all(space.valid(arch) for arch in archs)
    share = sum(arch["2<-1"] == "none" for arch in archs) / len(archs)
    assert 0.3 < share < 0.6


def test_rsps_takes_the_best_of_its_samples() -> None:
    space = SPACES[0]
    method = Rsps(RspsSettings(samples=30), space, space.region, torch.Generator())
    seen: dict[str, float] = {}

    def evaluate(arch: Arch) -> float:
        assert space.valid(arch)
        text = space.format(arch)
        assert text not in seen
        seen[text] = torch.rand(()).item()
        return seen[text]

    chosen = method.derive(evaluate, torch.Generator().manual_seed(1))
    assert len(seen) == 30
    assert seen[space.format(chosen)] == max(seen.values())


def test_a_method_without_an_architecture_step_refuses_one() -> None:
    with pytest.raises(AssertionError, match="Rsps has no architecture step"):
        made("rsps", SPACES[0]).learn(Held(lambda gates: torch.zeros(())), turn())
