"""ProxylessNAS: gates that are 0 or 1, what they learn, and what architectures are expected to cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import log, prod
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.method import Proxyless, ProxylessSettings
from cleave.method.penalty import add_linear, expected, mul_log
from cleave.net import Gate, Gates, build, one_hot
from cleave.net.cost import costs
from cleave.resolve import resolve
from cleave.space import Choice, Fixed, Layer, Layout, NetworkSize, Region, Space, find_space
from tests.method.made import context, held_out, narrowed, random_loss, supernet
from tests.toys import NamedSpace, ToyMobileNet

OPS = ("nor_conv_1x1", "nor_conv_3x3", "skip_connect", "none")


class OneLayer(NamedSpace):
    """A stem, a layer of four operations, a classifier."""

    name = "onelayer"
    choices = (Choice("layer", OPS),)

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        stem = Fixed("conv_3x3_bn", image_channels, size.channels)
        return Layout((("stem", stem), ("layer", Layer("layer", size.channels, size.channels))), size.channels)


def made(space: Space, region: Region | None = None, **settings: object) -> Proxyless:
    resolved = Proxyless.resolved(ProxylessSettings.model_validate(settings), epochs=2)
    return Proxyless(resolved, space, region or space.region, torch.Generator().manual_seed(3)).double()


def with_costs(method: Proxyless, space: Space) -> Proxyless:
    counted = costs(space, NetworkSize(4, 1), (1, 8, 8), 3)
    method.count_costs = lambda: counted
    return method


def probabilities(method: Proxyless) -> dict[str, Tensor]:
    return {choice: weights.detach().clone() for choice, weights in method.architecture_weights().items()}


@pytest.mark.parametrize("pair", [("nor_conv_1x1", "nor_conv_3x3"), ("skip_connect", "nor_conv_3x3")])
def test_the_gradient_is_that_of_the_formula(pair: tuple[str, str]) -> None:
    """Gates' gradients by hand, from the outputs of both and the gradient where they arrive (equations 4 and 9)."""
    space = OneLayer()
    region = Region({"layer": tuple(op for op in OPS if op in pair)})
    network = build(space.layout(NetworkSize(4, 1), 1), region, 3, seed=1).double()
    method = made(space, region)
    with torch.no_grad():
        method.alpha["layer"].copy_(torch.randn(2, dtype=torch.float64))
    images, labels = torch.randn(8, 1, 8, 8, dtype=torch.float64), torch.randint(3, (8,))
    gates = method.mixture(context(7))
    loss = cross_entropy(network(images, gates), labels)
    (found,) = torch.autograd.grad(loss, [method.alpha["layer"]])

    gate = gates["layer"]
    assert gate.weight is not None
    assert sorted(gate.weight.tolist()) == [0, 1]
    edge, after_stem = network.blocks["layer"].edge, network.blocks["stem"]([images], {})[-1]
    outputs = [edge.ops[name](after_stem).detach() for name in gate.active]
    arriving = outputs[int(gate.weight.argmax())].clone().requires_grad_()
    cross_entropy(network.classify([arriving]), labels).backward()  # type: ignore[no-untyped-call]
    assert arriving.grad is not None
    of_gates = [float((output * arriving.grad).sum()) for output in outputs]
    soft = method.alpha["layer"].detach()[[region.allowed["layer"].index(name) for name in gate.active]].softmax(0)
    wanted = dict.fromkeys(region.allowed["layer"], 0.0)
    for i, name in enumerate(gate.active):
        wanted[name] = sum(of_gates[j] * float(soft[j]) * ((i == j) - float(soft[i])) for j in range(2))
    torch.testing.assert_close(found, torch.tensor(list(wanted.values()), dtype=torch.float64))


def test_two_are_compared_and_all_others_keep_their_probability() -> None:
    space = find_space("nasbench201")
    network, method = supernet(space, space.region).double(), made(space, architecture_learning_rate=0.5)
    for step in range(10):
        before, drawn = probabilities(method), method.mixture(context(step))
        method.learn(held_out(network), context(step))
        moved = 0
        for choice, now in probabilities(method).items():
            others = [i for i, name in enumerate(space.region.allowed[choice]) if name not in drawn[choice].active]
            assert len(others) == 3
            torch.testing.assert_close(now[others], before[choice][others], atol=1e-6, rtol=0)
            moved += int(not torch.equal(now, before[choice]))
        assert moved


def test_in_a_full_step_all_are_compared_and_one_runs() -> None:
    space = find_space("nasbench201")
    gates = made(space, step="full").mixture(context(1))
    for choice, gate in gates.items():
        assert gate.active == space.region.allowed[choice]
        assert gate.weight is not None
        assert sorted(gate.weight.tolist()) == [0, 0, 0, 0, 1]


def test_candidates_are_drawn_by_their_probability() -> None:
    method = made(OneLayer())
    with torch.no_grad():
        method.alpha["layer"].copy_(torch.tensor([0.7, 0.2, 0.1, 1e-9]).log())
    generator = context(0)
    drawn = [method.gates(generator)["layer"].active[0] for _ in range(4000)]
    for name, share in zip(OPS, (0.7, 0.2, 0.1, 0.0), strict=True):
        assert drawn.count(name) / 4000 == pytest.approx(share, abs=0.04)  # five deviations
    pairs = {method.mixture(generator)["layer"].active for _ in range(200)}
    assert all(one != other for one, other in pairs)


@pytest.mark.parametrize("step", ["two", "full"])
def test_what_computes_nothing_learns_nothing_where_that_is_asked_for(step: str) -> None:
    """As the released code does. The skip is an identity in this layer, and `none` makes zeros."""
    space = OneLayer()
    asked, usual = made(space, step=step, skip_zero=True), made(space, step=step)
    nothing = 0
    for seed in range(40):
        gate, whole = (each.mixture(context(seed))["layer"] for each in (asked, usual))
        assert whole.weight is not None
        runs = whole.active[int(whole.weight.argmax())]
        if runs in ("skip_connect", "none"):
            assert gate == Gate((runs,))
            nothing += 1
        else:
            assert gate.active == whole.active
    assert 0 < nothing < 40


@pytest.mark.parametrize("what", ["parameters", "multiply_adds"])
def test_the_expected_cost_is_the_mean_over_all_architectures(what: str) -> None:
    for space in (ToyMobileNet(), find_space("nasbench201", ["none", "skip_connect", "nor_conv_1x1"])):
        region, counted = narrowed(space), costs(space, NetworkSize(4, 1), (1, 8, 8), 3)
        weights = {choice: torch.rand(len(allowed)).double() for choice, allowed in region.allowed.items()}
        weights = {choice: each / each.sum() for choice, each in weights.items()}
        mean = 0.0
        for names in product(*region.allowed.values()):
            arch = dict(zip(region.allowed, names, strict=True))
            share = prod(float(weights[choice][region.allowed[choice].index(name)]) for choice, name in arch.items())
            mean += share * getattr(counted.of(arch), what)
        assert float(expected(counted, space, region, what)(weights)) == pytest.approx(mean, rel=1e-9)


def test_penalties_are_those_of_the_released_code() -> None:
    loss, cost = torch.tensor(2.0).double(), torch.tensor(60e6).double()
    assert float(mul_log(loss, cost, 300e6, 0.2, 0.3)) == pytest.approx(2 * 0.2 * (log(60) / log(300)) ** 0.3)
    assert float(add_linear(loss, cost, 300e6, 0.1)) == pytest.approx(2 + 0.1 * (60 - 300) / 300)


@pytest.mark.parametrize("penalty", ["mul#log", "add#linear"])
def test_a_penalty_makes_what_is_cheap_more_probable(penalty: str) -> None:
    """The loss says nothing: only costs differ."""
    space = ToyMobileNet()
    method = with_costs(made(space, penalty=penalty, reference=2 * 10**6, architecture_learning_rate=0.1), space)
    counted = costs(space, NetworkSize(64, 1), (1, 32, 32), 3)
    method.count_costs = lambda: counted

    def indifferent(gates: Gates, weights: object = None) -> Tensor:
        return 1 + 0 * sum(gate.weight.sum() for gate in gates.values() if gate.weight is not None)

    def mean_cost() -> float:
        return expected(counted, space, space.region, "multiply_adds")(probabilities(method)).item()

    before = mean_cost()
    validation = replace(held_out(supernet(space, space.region)), loss=indifferent)
    for step in range(5):
        method.learn(validation, context(step))
    assert mean_cost() < before


def test_reinforce_is_the_gradient_of_the_expected_reward() -> None:
    space = OneLayer()
    method = made(space, step="reinforce", networks=6, baseline=0.25)
    reward = dict(zip(OPS, (0.9, 0.5, 0.2, 0.1), strict=True))
    validation = replace(
        held_out(supernet(space, space.region)), accuracy=lambda gates: reward[gates["layer"].active[0]]
    )
    baseline = 0.0
    for step in range(3):
        again = context(step)
        names = [method.gates(again)["layer"].active[0] for _ in range(6)]
        rewards = torch.tensor([reward[name] for name in names]).double()
        baseline = float(rewards.mean()) if step == 0 else baseline + 0.25 * (float(rewards.mean()) - baseline)
        log_shares = method.alpha["layer"].log_softmax(dim=0)[[OPS.index(name) for name in names]]
        (wanted,) = torch.autograd.grad(-((rewards - baseline) * log_shares).mean(), [method.alpha["layer"]])
        taken: list[Sequence[Tensor]] = []
        method.move = taken.append  # type: ignore[method-assign,assignment]
        method.learn(validation, context(step))
        torch.testing.assert_close(taken[0][0], wanted)
        assert method.baseline.tolist() == pytest.approx([baseline, step + 1])


def test_reinforce_rewards_what_is_cheap() -> None:
    space = ToyMobileNet()
    method = with_costs(made(space, step="reinforce", reference=10_000, penalty_exponent=0.5), space)
    validation = replace(held_out(supernet(space, space.region)), accuracy=lambda gates: 0.5)
    arch = space.sample(space.region, torch.Generator())
    cost = method.costs.of(arch).multiply_adds
    assert method._reward(arch, validation) == pytest.approx(0.5 * (10_000 / cost) ** 0.5)


def test_a_look_at_the_reward_is_the_accuracy_on_the_batch() -> None:
    """Of what the trainer hands to methods."""
    from tests.method.test_within_a_search import before_learning, searching

    trainer = searching("proxyless", "method.step=reinforce", "method.networks=2", "method.architecture_every=1")
    seen: list[float] = []
    arch = trainer.problem.space.sample(trainer.scope.region, torch.Generator().manual_seed(0))

    def look(validation: Any) -> None:  # noqa: ANN401
        seen.append(validation.accuracy(one_hot(arch)))
        images, labels = trainer.held.batch(trainer.step)
        right = trainer.network(images, one_hot(arch)).argmax(dim=1) == labels
        seen.append(float(right.double().mean()))

    before_learning(trainer, look)
    trainer.advance()
    assert seen[0] == pytest.approx(seen[1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["method.penalty=mul#log"], "give both or neither"),
        (["method.reference=1000000"], "give both or neither"),
        (["method.penalty=mul#log", "method.reference=500000"], "are not positive below 1.1 million"),
        (["method.step=reinforce", "method.penalty=add#linear", "method.reference=9"], "leave method.penalty out"),
        (["method.penalty=add#linear", "method.reference=9", "space.name=darts"], "architectures of this space leave"),
        (["method.architecture_after=7", "search.epochs=3"], "must be below search.epochs"),
    ],
)
def test_what_contradicts_is_refused(changes: list[str], words: str) -> None:
    recipe = load_recipe(None, ["method.name=proxyless", *changes], {})
    with pytest.raises(UserError, match=words):
        resolve(recipe, find_space(recipe.space))


@pytest.mark.parametrize(
    ("changes", "unused"),
    [
        (["method.networks=3", "method.baseline=0.5"], {"networks", "baseline"}),
        (["method.step=reinforce", "method.skip_zero=true", "method.networks=3"], {"skip_zero"}),
        (["method.penalty_share=0.3", "method.penalty_exponent=2"], {"penalty_share", "penalty_exponent"}),
        (["method.penalty=mul#log", "method.reference=10000000", "method.penalty_scale=1"], set()),
        (["method.penalty=add#linear", "method.reference=10000000", "method.penalty_scale=1"], {"penalty_scale"}),
    ],
)
def test_what_has_no_meaning_is_told(changes: list[str], unused: set[str]) -> None:
    recipe = load_recipe(None, ["method.name=proxyless", *changes], {})
    _, notes = resolve(recipe, find_space(recipe.space))
    told = {note.split()[0] for note in notes if "beside the other keys" in note}
    assert told == {f"method.{key}" for key in unused}


@pytest.mark.parametrize(("epochs", "after"), [(1, 0), (5, 1)])
def test_the_first_epoch_has_no_architecture_step_where_there_are_others(epochs: int, after: int) -> None:
    resolved, _ = resolve(
        load_recipe(None, ["method.name=proxyless", f"search.epochs={epochs}"], {}), find_space("nb201")
    )
    assert resolved.method.architecture_after == after  # type: ignore[attr-defined]


def test_a_held_out_loss_that_is_not_finite_ends_the_search_in_one_line() -> None:
    space = OneLayer()
    infinite = replace(
        held_out(supernet(space, space.region)), loss=lambda gates, weights=None: torch.tensor(torch.inf)
    )
    with pytest.raises(UserError, match=r"the held-out loss is inf; try a smaller method\.learning_rate"):
        made(space).learn(infinite, context())


def test_the_loss_of_a_mixture_is_that_of_the_one_that_runs() -> None:
    space = find_space("nasbench201")
    network, method = supernet(space, space.region), made(space).float()
    loss, gates = random_loss(network, 5), method.mixture(context(2))
    runs = {choice: gate.active[int(gate.weight.argmax())] for choice, gate in gates.items() if gate.weight is not None}
    torch.testing.assert_close(loss(gates), loss(one_hot(runs)), atol=1e-5, rtol=1e-5)
