"""Second-order DARTS against a twin that differentiates through the weight step, in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from cleave.method import Darts2, SgdStep, ValidationLoss, Weights, second_order
from cleave.method.second_order import hessian_product, virtual_step
from cleave.net import Gates
from cleave.space import Region, find_space
from cleave.train import Sgd
from tests.method.made import context, held_out, made, narrowed, supernet
from tests.reference.second_order import gradients as exact_gradients
from tests.split.test_gradient import smooth

SPACE = find_space("nasbench201")
WIDTH = 4
SGD = [(0.0, False), (0.9, False), (0.9, True)]


@dataclass(frozen=True)
class Smooth:
    """The loss of a chain of choices, each a mixture of matrices: as curved as a network, and without kinks."""

    weights: Weights
    features: Tensor
    goal: Tensor

    def __call__(self, gates: Gates, weights: Weights | None = None) -> Tensor:
        matrices, state = weights or self.weights, self.features
        for choice, gate in gates.items():
            mixed = 1.0 if gate.weight is None else gate.weight[:, None, None]
            matrix = (mixed * torch.stack([matrices[f"{choice} {name}"] for name in gate.active])).sum(dim=0)
            state = torch.tanh(state + state @ matrix)
        return (state - self.goal).square().mean()


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def smooth_held(region: Region, momentum: float, nesterov: bool) -> ValidationLoss:
    """Fresh weights and batches; two weights in three have momentum."""
    names = [f"{choice} {name}" for choice, allowed in region.allowed.items() for name in allowed]
    weights = {name: random(WIDTH, WIDTH).requires_grad_() for name in names}
    buffers = {name: random(WIDTH, WIDTH) for i, name in enumerate(names) if i % 3}
    losses = [Smooth(weights, random(6, WIDTH), random(6, WIDTH)) for _ in range(2)]
    sgd_step = SgdStep(losses[0], weights, buffers, 0.1, momentum, weight_decay=0.02, nesterov=nesterov)
    return ValidationLoss(losses[1], lambda: sgd_step, lambda gates: 0.0)


def double(region: Region) -> Darts2:
    """With weights far from equal."""
    method = made("darts2", SPACE, region).double()
    assert isinstance(method, Darts2)
    with torch.no_grad():
        for alpha in method.alpha.values():
            alpha.normal_()
    return method


def differences(method: Darts2, held: ValidationLoss) -> tuple[Tensor, Tensor]:
    """What is found, and what is exact, each without the part that one could have had at first order."""
    alphas = list(method.alpha.values())
    arguments = (held.loss, held.sgd_step())
    exact = exact_gradients(*arguments, method.mixture(context()), alphas)
    direct = exact_gradients(*arguments, method.mixture(context()), alphas, through=False)
    found = method.gradients(held, context())
    return torch.cat(list(found)) - torch.cat(direct), torch.cat(exact) - torch.cat(direct)


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences over so small a distance that in float64 they are as good as derivatives."""
    monkeypatch.setattr(second_order, "DISTANCE", 1e-5)


@pytest.mark.parametrize(("momentum", "nesterov"), SGD)
@pytest.mark.parametrize("region", [SPACE.region, narrowed(SPACE)], ids=["whole", "masked"])
def test_the_gradient_is_that_through_the_weight_step(
    region: Region, momentum: float, nesterov: bool, close: None
) -> None:
    found, exact = differences(double(region), smooth_held(region, momentum, nesterov))
    assert exact.norm() > 0
    assert (found - exact).norm() < 1e-4 * exact.norm()


def test_the_published_distance_is_small_enough() -> None:
    errors = []
    for _ in range(10):
        found, exact = differences(double(SPACE.region), smooth_held(SPACE.region, 0.9, nesterov=True))
        errors.append((found - exact).norm() / exact.norm())
    assert torch.stack(errors).median() < 0.01


@pytest.mark.parametrize("region", [SPACE.region, narrowed(SPACE)], ids=["whole", "masked"])
def test_it_is_so_on_a_supernet_too(region: Region, close: None) -> None:
    network = supernet(SPACE, region).double()
    smooth(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    held = held_out(network)
    buffers = {name: 0.1 * torch.randn_like(weight) for name, weight in held.sgd_step().weights.items()}
    sgd_step = replace(held.sgd_step(), buffers=buffers)
    found, exact = differences(double(region), replace(held, sgd_step=lambda: sgd_step))
    assert (found - exact).norm() < 1e-4 * exact.norm()


@pytest.mark.parametrize("spares", [False, True])
@pytest.mark.parametrize(("momentum", "nesterov"), SGD)
def test_the_virtual_step_is_the_one_that_sgd_then_takes(momentum: float, nesterov: bool, spares: bool) -> None:
    """Also where a weight has run before and does not now, or never has; and where some are not decayed."""
    weights = {name: nn.Parameter(random(3, 1)) for name in ("always", "once", "never")}
    weights["always"].data = random(3)
    optimizer = Sgd(momentum, 0.02, nesterov, spares=spares).optimizer(weights.values(), 0.1)
    step_on(weights["always"] * weights["once"].flatten(), optimizer)
    state = {name: optimizer.state[weight].get("momentum_buffer") for name, weight in weights.items()}
    buffers = {name: buffer.clone() for name, buffer in state.items() if buffer is not None}
    sgd_step = SgdStep.of(optimizer, lambda gates: weights["always"].sin().sum(), weights, buffers)
    ahead = virtual_step(sgd_step, {})
    untouched = {name: weight.detach().clone() for name, weight in weights.items()}
    step_on(weights["always"], optimizer)
    for name, weight in weights.items():
        torch.testing.assert_close(ahead[name], weight, check_stride=False)
        assert torch.equal(weight, untouched[name]) is (name != "always")


def step_on(inputs: Tensor, optimizer: torch.optim.SGD) -> None:
    optimizer.zero_grad()
    inputs.sin().sum().backward()
    optimizer.step()


def test_the_product_with_a_direction_is_linear_in_it_and_zero_for_zero() -> None:
    """On a quadratic form the differences are exact; d/dx of x'Ay in direction u is A u."""
    matrix, x = random(3, 5), random(3)

    def slopes(weights: Weights) -> list[Tensor]:
        return [matrix @ weights["y"], x * 0]

    weights = {"y": random(5)}
    for scale in (0.0, 1e-30, 1.0, 1e5):
        direction = {"y": scale * random(5)}
        found, nothing = hessian_product(slopes, weights, direction)
        torch.testing.assert_close(found, matrix @ direction["y"])
        assert not nothing.any()


def test_a_held_out_loss_without_slope_leaves_nothing_to_learn() -> None:
    """Not even a division of zero by zero."""
    held = smooth_held(SPACE.region, 0.9, nesterov=True)

    def flat(gates: Gates, weights: Weights | None = None) -> Tensor:
        return 0 * held.loss(gates, weights)

    found = double(SPACE.region).gradients(replace(held, loss=flat), context())
    assert not torch.cat(list(found)).any()


def test_without_a_learning_rate_it_is_first_order() -> None:
    region = narrowed(SPACE)
    method, network = double(region), supernet(SPACE, region).double()
    held = held_out(network)
    still = replace(held.sgd_step(), learning_rate=0.0)
    first = super(Darts2, method).gradients(held, context())
    second = method.gradients(replace(held, sgd_step=lambda: still), context())
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
