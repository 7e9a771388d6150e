"""What the sampling methods draw, against closed forms; how they learn from it, against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from cleave.method import Gdas, Method
from cleave.method.drnas import drawn
from cleave.method.gumbel import GumbelSettings, noise, relaxed, temperature
from cleave.space import find_space
from tests.method.made import INDIFFERENT, context, held_out, made, narrowed, supernet

SPACE = find_space("nasbench201")
SAMPLING = ["snas", "gdas", "drnas"]
UNLIKELY = 6.5
"""Standard errors that a right mean is away from its expectation once in ten thousand million times."""


@pytest.fixture(params=SAMPLING)
def method(request: pytest.FixtureRequest) -> Method:
    """Masked, with fresh weights far from equal."""
    return spread(made(request.param, SPACE, narrowed(SPACE)))


def mean_is(samples: Tensor, expected: Tensor) -> bool:
    """Whether the mean over dimension 0 is what is expected, as far as chance allows."""
    error = samples.std(dim=0) / len(samples) ** 0.5
    return bool(((samples.mean(dim=0) - expected).abs() < UNLIKELY * error).all())


def single(alpha: Tensor) -> nn.ParameterDict:
    return nn.ParameterDict({"choice": nn.Parameter(alpha)})


def test_every_step_draws_anew(method: Method) -> None:
    drawings = [method.gates(context(seed)) for seed in range(30)]
    seen = {tuple((gate.active, str(gate.weight)) for gate in gates.values()) for gates in drawings}
    assert len(seen) > 20


def test_samples_weigh_all_that_run_and_sum_to_one(method: Method) -> None:
    for seed in range(20):
        for choice, gate in method.mixture(context(seed)).items():
            weight = torch.ones(1) if gate.weight is None else gate.weight
            assert weight.sum().item() == pytest.approx(1)
            assert (weight >= 0).all()
            assert len(gate.active) == (1 if isinstance(method, Gdas) else len(method.region.allowed[choice]))


@pytest.mark.parametrize("heat", [0.1, 1.0, 10.0])
def test_the_largest_entry_follows_the_softmax_of_alpha_at_any_temperature(heat: float) -> None:
    settings, alpha = GumbelSettings(temperature=heat), torch.randn(5)
    samples = torch.stack([relaxed(single(alpha), settings, context(seed))["choice"] for seed in range(3000)])
    largest = nn.functional.one_hot(samples.argmax(dim=1), 5).double()
    expected = alpha.double().softmax(dim=0)
    error = (expected * (1 - expected) / len(samples)).sqrt()
    assert ((largest.mean(dim=0) - expected).abs() < UNLIKELY * error).all()


def test_gumbel_noise_has_the_mean_and_the_variance_of_its_distribution() -> None:
    samples = noise(torch.empty(50_000, dtype=torch.float64), torch.Generator().manual_seed(3))
    euler = 0.5772156649
    assert mean_is(samples, torch.tensor(euler))
    assert mean_is((samples - euler) ** 2, torch.tensor(torch.pi**2 / 6))


def test_heat_makes_samples_even_and_cold_makes_them_hard() -> None:
    alpha = single(torch.randn(5))
    hot, cold = (
        relaxed(alpha, GumbelSettings(temperature=heat, temperature_min=heat), context(1))["choice"]
        for heat in (1000.0, 0.001)
    )
    assert hot.argmax() == cold.argmax()
    assert hot.max() < 0.25
    assert cold.max() > 0.99


@pytest.mark.parametrize(("first", "last"), [(1.0, 0.1), (10.0, 0.1), (3.0, 3.0)])
def test_the_temperature_falls_linearly_to_its_least_in_the_last_epoch(first: float, last: float) -> None:
    settings = GumbelSettings(temperature=first, temperature_min=last)
    course = [temperature(settings, context(epoch=epoch, epochs=7)) for epoch in range(7)]
    assert course == pytest.approx(torch.linspace(first, last, 7).tolist())


def test_before_a_search_and_in_a_single_epoch_the_temperature_has_not_fallen() -> None:
    settings = GumbelSettings(temperature=2.0)
    assert temperature(settings, context(epoch=0, epochs=0)) == 2
    assert temperature(settings, context(epoch=0, epochs=1)) == 2


@pytest.mark.parametrize("name", ["snas", "gdas"])
def test_samples_grow_harder_as_the_search_goes_on(name: str) -> None:
    method = made(name, SPACE)
    early, late = (relaxed(method.alpha, method.settings, context(1, epoch, epochs=5)) for epoch in (0, 4))
    for choice, sample in early.items():
        assert late[choice].argmax() == sample.argmax()
        assert late[choice].max() > sample.max()


def test_snas_learns_by_the_derivative_of_its_sample_with_the_noise_held_still() -> None:
    method, goal = randomised("snas"), torch.randn(5, dtype=torch.float64)

    def outcome() -> Tensor:
        return (method.mixture(context(2))["2<-0"].weight * goal).sum()

    torch.testing.assert_close(*derivatives(outcome, method.alpha["2<-0"]))


def test_gdas_runs_the_largest_entry_with_weight_one_and_learns_by_the_derivative_of_that_entry() -> None:
    method = randomised("gdas")
    for seed in range(10):
        samples = relaxed(method.alpha, method.settings, context(seed))
        for choice, gate in method.mixture(context(seed)).items():
            index = int(samples[choice].argmax())
            assert gate.active == (SPACE.region.allowed[choice][index],)
            assert gate.weight.tolist() == [1]
            alpha = method.alpha[choice]
            (found,) = torch.autograd.grad(gate.weight.sum(), alpha)
            entry = partial(sampled, method, choice, index, seed)
            _, expected = derivatives(entry, alpha)
            torch.testing.assert_close(found, expected)


def sampled(method: Gdas, choice: str, index: int, seed: int) -> Tensor:
    return relaxed(method.alpha, method.settings, context(seed))[choice][index]


def derivatives(outcome: Callable[[], Tensor], alpha: nn.Parameter) -> tuple[Tensor, Tensor]:
    """By torch, and by central differences."""
    (found,) = torch.autograd.grad(outcome(), alpha)
    step, slopes = 1e-6, []
    with torch.no_grad():
        for index in range(len(alpha)):
            alpha[index] += step
            above = outcome()
            alpha[index] -= 2 * step
            slopes.append((above - outcome()) / (2 * step))
            alpha[index] += step
    return found, torch.stack(slopes)


def test_gdas_trains_only_what_it_drew() -> None:
    method, network = made("gdas", SPACE), supernet(SPACE, SPACE.region)
    gates = method.gates(context(int(torch.randint(1000, ()))))
    held_out(network).loss(gates).backward()
    ran = {choice: gate.active for choice, gate in gates.items()}
    for name, parameter in network.named_parameters():
        if ".ops." in name:
            choice, operation = name.split(".edges.")[1].split(".ops.")
            assert parameter.grad is None or operation.split(".")[0] in ran[choice]


def test_drnas_samples_have_the_mean_and_the_variance_of_the_dirichlet_distribution() -> None:
    concentration = torch.rand(4, dtype=torch.float64) * 2 + 0.3
    total = concentration.sum()
    mean = concentration / total
    samples = many(concentration, 20_000)
    assert mean_is(samples, mean)
    assert mean_is((samples - mean) ** 2, mean * (1 - mean) / (total + 1))


def test_drnas_learns_by_the_derivative_of_the_mean() -> None:
    """Sample by sample it is noise; what it is on average has a closed form."""
    alpha, goal = torch.randn(4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    single = alpha.clone().requires_grad_()
    mean = (elu(single) + 1) / (elu(single) + 1).sum()
    (expected,) = torch.autograd.grad(mean @ goal, single)
    each = alpha.repeat(20_000, 1).requires_grad_()
    samples = drawn({"choice": elu(each) + 1}, torch.Generator().manual_seed(1))["choice"]
    (found,) = torch.autograd.grad((samples @ goal).sum(), each)
    assert mean_is(found, expected)


def many(concentration: Tensor, count: int) -> Tensor:
    return drawn({"choice": concentration.repeat(count, 1)}, torch.Generator().manual_seed(0))["choice"]


def test_drnas_derives_from_the_mean() -> None:
    """What the space makes of the weights is the space's: the strongest operations, unless they compute nothing."""
    method = randomised("drnas")
    mean = method.architecture_weights()
    for choice, alpha in method.alpha.items():
        assert mean_is(many(elu(alpha.detach()) + 1, 20_000), mean[choice].detach())
    assert method.derive(INDIFFERENT, torch.Generator()) == SPACE.derive(SPACE.region, mean)


def randomised(name: str) -> Method:
    """In float64, with fresh weights far from equal."""
    return spread(made(name, SPACE).double())


def spread(method: Method) -> Method:
    with torch.no_grad():
        for alpha in method.alpha.values():
            alpha.normal_()
    return method


@pytest.mark.parametrize(("name", "mean", "deviation"), [("snas", 1, 0.01), ("gdas", 0, 1e-3), ("drnas", 0, 1e-3)])
def test_alpha_begins_as_published(name: str, mean: float, deviation: float) -> None:
    starts = [made(name, SPACE, seed=seed).alpha.values() for seed in range(40)]
    numbers = torch.cat([alpha.detach() for alphas in starts for alpha in alphas]).double()
    assert mean_is(numbers, torch.tensor(mean))
    assert mean_is((numbers - mean) ** 2, torch.tensor(deviation**2))


def test_elu_plus_one_is_flat_where_alpha_is_zero() -> None:
    """The anchor of the paper's regulariser is where weight decay pulls alpha to."""
    method = made("drnas", SPACE)
    with torch.no_grad():
        for alpha in method.alpha.values():
            alpha.zero_()
    assert all(torch.equal(each, torch.ones(5)) for each in method.concentrations().values())
