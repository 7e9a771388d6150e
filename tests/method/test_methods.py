"""Laws that every base method keeps, and what is particular to each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cleave.method import Darts, Method, Rsps, SgdStep
from cleave.method.darts import DartsSettings
from cleave.method.rsps import RspsSettings
from cleave.net import Gates
from cleave.space import Arch, Region, Space, find_space
from tests.method.kinds import EVERYWHERE
from tests.method.made import INDIFFERENT, LEARNING, Judge, context, held_out, made, narrowed, supernet
from tests.toys import TOYS

SPACES = [find_space("nasbench201"), find_space("nasbench201", 4), *(toy() for toy in TOYS)]


@pytest.fixture(params=SPACES, ids=lambda space: f"{space.name}-{space.region.size}")
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


@pytest.fixture(params=EVERYWHERE)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=LEARNING)
def learning(request: pytest.FixtureRequest) -> str:
    return request.param


def test_only_allowed_candidates_are_active(name: str, space: Space) -> None:
    region = narrowed(space)
    method = made(name, space, region)
    for step in range(20):
        gates = method.gates(context(step))
        assert gates.keys() <= region.allowed.keys()  # a single path may leave choices out
        for choice, gate in gates.items():
            assert gate.active
            assert set(gate.active) <= set(region.allowed[choice])
            assert gate.weight is None or gate.weight.shape == (len(gate.active),)


def test_gates_carry_no_gradient_and_follow_the_generator_alone(name: str, space: Space) -> None:
    method = made(name, space)
    before = torch.get_rng_state()
    one = method.gates(context(5))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    again = method.gates(context(5))
    for choice, gate in one.items():
        assert gate.active == again[choice].active
        if gate.weight is not None:
            assert not gate.weight.requires_grad
            assert torch.equal(gate.weight, again[choice].weight)


def test_the_derived_architecture_is_in_the_region(name: str, space: Space) -> None:
    region = narrowed(space)
    arch = made(name, space, region).derive(INDIFFERENT, torch.Generator().manual_seed(0))
    assert arch in region


def test_the_state_comes_back_whole(learning: str, space: Space) -> None:
    method, other = made(learning, space), made(learning, space, seed=1)
    learn(method, space)
    other.load_state_dict(method.state_dict())
    for step in range(2):
        learn(method, space, step)
        learn(other, space, step)
    for key, value in method.state_dict().items():
        if isinstance(value, Tensor):
            assert torch.equal(value, other.state_dict()[key])


def learn(method: Method, space: Space, step: int = 0) -> None:
    network = supernet(space, method.region)
    method.learn(held_out(network), context(step, epoch=step, epochs=2))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_an_architecture_step_moves_alpha_where_there_is_a_choice(learning: str, space: Space) -> None:
    method = made(learning, space, narrowed(space))
    before = {choice: alpha.detach().clone() for choice, alpha in method.alpha.items()}
    learn(method, space)
    for choice, allowed in method.region.allowed.items():
        moved = (method.alpha[choice] - before[choice]).abs()
        assert torch.isfinite(moved).all()
        assert len(allowed) == 1 or moved.max() > 0


@pytest.mark.parametrize("name", [name for name in LEARNING if name != "darts2"])
def test_first_order_methods_never_ask_for_the_weight_step_that_follows(name: str) -> None:
    def refuse() -> SgdStep:
        raise AssertionError("asked")

    method = made(name, SPACES[0])
    method.learn(replace(held_out(supernet(SPACES[0], method.region)), sgd_step=refuse), context())


def test_architecture_weights_sum_to_one_over_the_allowed(learning: str, space: Space) -> None:
    method = made(learning, space, narrowed(space))
    for choice, weights in method.architecture_weights().items():
        assert len(weights) == len(method.region.allowed[choice])
        assert weights.sum().item() == pytest.approx(1)


def test_the_largest_alpha_is_derived(learning: str) -> None:
    space = SPACES[0]
    method = made(learning, space)
    wanted: Arch = {choice.name: choice.candidates[i % 5] for i, choice in enumerate(space.choices)}
    with torch.no_grad():
        for choice, candidate in wanted.items():
            method.alpha[choice][space.region.allowed[choice].index(candidate)] += 1
    assert method.derive(INDIFFERENT, torch.Generator()) == wanted


def test_children_keep_the_alpha_of_what_is_still_allowed(learning: str) -> None:
    space = SPACES[0]
    parent, region = made(learning, space), narrowed(space)
    child = made(learning, space, region, seed=3)
    child.inherit(parent.state_dict(), space.region)
    for choice, allowed in region.allowed.items():
        before = dict(zip(space.region.allowed[choice], parent.alpha[choice].tolist(), strict=True))
        assert child.alpha[choice].tolist() == [before[candidate] for candidate in allowed]


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
    held = replace(held_out(supernet(space, space.region)), loss=loss)
    for step in range(1, 4):
        method.learn(held, context())
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


def test_rsps_runs_one_connected_path_drawn_uniformly() -> None:
    space = SPACES[0]
    region = Region(dict.fromkeys(space.region.allowed, ("none", "skip_connect")))
    method = made("rsps", space, region)
    drawn = [method.gates(context(step)) for step in range(400)]
    archs = [{choice: gate.active[0] for choice, gate in gates.items()} for gates in drawn]
    assert all(len(gate.active) == 1 and gate.weight is None for gates in drawn for gate in gates.values())
    assert all(space.valid(arch) for arch in archs)
    share = sum(arch["2<-1"] == "none" for arch in archs) / len(archs)
    assert 0.3 < share < 0.6


def test_rsps_without_rejects_evaluates_each_of_its_samples_once_and_takes_the_best() -> None:
    space = SPACES[0]
    method = Rsps(RspsSettings(samples=30, rejects=False), space, space.region, torch.Generator())
    seen: dict[str, float] = {}

    def evaluate(arch: Arch) -> float:
        assert space.valid(arch)
        text = space.format(arch)
        assert text not in seen
        seen[text] = torch.rand(()).item()
        return seen[text]

    chosen = method.derive(Judge(evaluate, batches=8), torch.Generator().manual_seed(1))
    assert len(seen) == 30
    assert seen[space.format(chosen)] == max(seen.values())


@pytest.mark.parametrize("batches", [1, 8, 100])
def test_rsps_with_rejects_takes_the_best_where_all_images_agree(batches: int) -> None:
    space, accuracies = SPACES[0], dict[str, float]()

    def evaluate(arch: Arch) -> float:
        return accuracies.setdefault(space.format(arch), torch.rand(()).item())

    method = Rsps(RspsSettings(samples=30), space, space.region, torch.Generator())
    chosen = method.derive(Judge(evaluate, batches), torch.Generator().manual_seed(1))
    assert len(accuracies) == 30
    assert accuracies[space.format(chosen)] == max(accuracies.values())


def test_a_method_without_an_architecture_step_refuses_one() -> None:
    method = made("rsps", SPACES[0])
    with pytest.raises(AssertionError, match="Rsps has no architecture step"):
        method.learn(held_out(supernet(SPACES[0], method.region)), context())
