"""The gradient matching score against finite differences and against its definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cleave.net import Gate, Gates, Network, build, one_hot, places
from cleave.space import Arch, NetworkSize, Region, Space, find_space
from cleave.split import Matching, Probe, match, shared_parameters
from cleave.split.gradient import alone, gradients
from cleave.split.similarity import SIMILARITIES, cosine
from tests.reference import similarity as slow
from tests.toys import TOYS, ToyDropping

SPACE = find_space("nasbench201")
SIZE = NetworkSize(channels=2, cells=1)


@pytest.fixture
def network() -> Network:
    return build(SPACE.layout(SIZE, 1), SPACE.region, classes=3, seed=int(torch.randint(1000, ()))).double()


def soft(region: Region) -> Gates:
    return {
        choice: Gate(allowed, torch.rand(len(allowed), dtype=torch.float64).softmax(0))
        for choice, allowed in region.allowed.items()
    }


def probes(network: Network, gates: list[Gates]) -> list[Probe]:
    def one(mixed: Gates) -> Probe:
        images, labels = torch.randn(8, 1, 8, 8, dtype=torch.float64), torch.randint(3, (8,))
        return Probe(lambda gates: cross_entropy(network(images, gates), labels), mixed)

    return [one(mixed) for mixed in gates]


def smooth(network: Network) -> None:
    """Other nonlinearities in place of ReLU, whose kinks finite differences now and then step across."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.SiLU())


def test_the_gradient_is_that_of_the_loss_with_only_the_candidate_on_the_choice(network: Network) -> None:
    smooth(network)
    (probe,) = probes(network, [soft(SPACE.region)])
    parameters = {
        name: parameter
        for name, parameter in shared_parameters(network, "2<-1").items()
        if name in ("blocks.stem.op.1.weight", "blocks.cell0_0.edges.3<-0.ops.nor_conv_1x1.1.weight", "classifier.bias")
    }
    assert len(parameters) == 3
    candidates = SPACE.region.allowed["2<-1"]
    found = gradients(probe, "2<-1", candidates, parameters, own_weight=False)
    for position, candidate in enumerate(candidates):
        numeric = slow.numeric_gradient(
            lambda candidate=candidate: probe.loss({**probe.gates, "2<-1": Gate((candidate,))}),
            list(parameters.values()),
        )
        exact = torch.cat([parameter[position].flatten() for parameter in found])
        torch.testing.assert_close(exact, torch.tensor(numeric, dtype=torch.float64), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("mean_gradients", [True, False])
@pytest.mark.parametrize("name", SIMILARITIES)
def test_the_score_is_its_definition(network: Network, name: str, mean_gradients: bool) -> None:
    batches = probes(network, [soft(SPACE.region) for _ in range(3)])
    candidates = SPACE.region.allowed["3<-2"]
    parameters = shared_parameters(network, "3<-2")
    each = [gradients(probe, "3<-2", candidates, parameters, False) for probe in batches]
    similarity = SIMILARITIES[name]
    if mean_gradients:
        expected = similarity([sum(column) / 3 for column in zip(*each, strict=True)])
    else:
        expected = sum((similarity(batch) for batch in each), start=torch.zeros(())) / 3
    found = match(batches, "3<-2", candidates, parameters, Matching(similarity, False, mean_gradients))
    torch.testing.assert_close(found, expected)


def test_own_weight_scales_the_candidate(network: Network) -> None:
    gates = soft(SPACE.region)
    gate = gates["1<-0"]
    assert gate.weight is not None
    own = alone("nor_conv_3x3", gate, own_weight=True)
    assert own.active == ("nor_conv_3x3",)
    assert own.weight is not None
    assert own.weight.tolist() == [gate.weight[gate.active.index("nor_conv_3x3")].item()]
    assert alone("nor_conv_3x3", gate, own_weight=False).weight is None
    assert alone("nor_conv_3x3", Gate(("none",)), own_weight=True).weight is None
    batches = probes(network, [gates])
    parameters = shared_parameters(network, "1<-0")
    by_own, by_one = (
        match(batches, "1<-0", gate.active, parameters, Matching(cosine, own_weight=own)) for own in (True, False)
    )
    assert not torch.allclose(by_own, by_one)


def test_what_a_path_does_not_reach_counts_as_a_gradient_of_zero(network: Network) -> None:
    """Two probes on different paths: the mean gradient has half of each where only one of them went."""
    first: Arch = dict.fromkeys(SPACE.region.allowed, "nor_conv_3x3")
    second: Arch = dict.fromkeys(SPACE.region.allowed, "nor_conv_1x1")
    batches = probes(network, [one_hot(first), one_hot(second)])
    parameters = shared_parameters(network, "3<-0")
    candidates = SPACE.region.allowed["3<-0"]
    one, two = (gradients(probe, "3<-0", candidates, parameters, False) for probe in batches)
    for (name, _), a, b in zip(parameters.items(), one, two, strict=True):
        if "nor_conv_1x1" in name:
            assert a.eq(0).all()
            assert b.ne(0).any()
    found = match(batches, "3<-0", candidates, parameters, Matching(cosine))
    torch.testing.assert_close(found, slow.cosine([(a + b) / 2 for a, b in zip(one, two, strict=True)]))


def test_none_on_a_cut_path_has_similarity_zero(network: Network) -> None:
    arch = {**dict.fromkeys(SPACE.region.allowed, "none"), "3<-0": "skip_connect"}
    batches = probes(network, [one_hot(arch)])
    parameters = shared_parameters(network, "3<-0", without=("last", "classifier"))
    candidates = SPACE.region.allowed["3<-0"]
    found = match(batches, "3<-0", candidates, parameters, Matching(cosine))
    none = candidates.index("none")
    others = [i for i in range(len(candidates)) if i != none]
    assert found[none].eq(0).all()
    assert found[others][:, others].ne(0).all()


def test_scoring_leaves_the_network_as_it_was(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    parameters = shared_parameters(network, "3<-2")
    match(probes(network, [soft(SPACE.region)]), "3<-2", SPACE.region.allowed["3<-2"], parameters, Matching(cosine))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_score_permutes_with_the_candidates(network: Network) -> None:
    batches = probes(network, [soft(SPACE.region)])
    parameters = shared_parameters(network, "2<-0")
    names = SPACE.region.allowed["2<-0"]
    order = torch.randperm(len(names)).tolist()
    found = match(batches, "2<-0", names, parameters, Matching(cosine))
    permuted = match(batches, "2<-0", [names[i] for i in order], parameters, Matching(cosine))
    torch.testing.assert_close(permuted, found[order][:, order])


@pytest.mark.parametrize("space", [SPACE, *(toy() for toy in TOYS)], ids=lambda space: space.name)
def test_shared_parameters_are_all_but_the_choices_own(space: Space) -> None:
    layout = space.layout(SIZE, 3)
    network = build(layout, space.region, classes=3, seed=0)
    for choice in space.choices:
        shared = shared_parameters(network, choice.name)
        images = torch.randn(4, 3, 16, 16)
        for candidate in set(choice.candidates) - {"none"}:  # behind none nothing is reached
            gates = {other.name: Gate(other.candidates) for other in space.choices}
            outputs = network.heads(images, {**gates, choice.name: Gate((candidate,))})
            loss: Tensor = sum((each.square().sum() for each in outputs if each is not None), torch.zeros(()))
            grads = torch.autograd.grad(loss, list(shared.values()), allow_unused=True)
            assert all(grad is not None for grad in grads)
        own = [name for name, _ in network.named_parameters() if name not in shared]
        restricted = build(layout, space.region.restrict(choice.name, choice.candidates[:1]), classes=3, seed=0)
        dropped = [name for name, _ in network.named_parameters() if name not in dict(restricted.named_parameters())]
        assert set(dropped) <= set(own)
        inside = tuple(name for name, place in places(network).items() if choice.name in place.choices)
        assert all(name.startswith(inside) for name in own)


def test_the_released_variant_leaves_out_the_ends(network: Network) -> None:
    layout = SPACE.layout(SIZE, 1)
    whole = shared_parameters(network, "1<-0")
    body = shared_parameters(network, "1<-0", layout.ends)
    left_out = whole.keys() - body.keys()
    assert {name.split(".")[1] if "blocks" in name else "classifier" for name in left_out} == {
        "stem", "last", "classifier",
    }  # fmt: skip
    assert any("reduce1" in name for name in body)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_the_exact_score_is_that_of_the_running_sum_to_the_last_bit(name: str) -> None:
    network = build(SPACE.layout(SIZE, 1), SPACE.region, classes=3, seed=int(torch.randint(1000, ())))

    def one() -> Probe:
        images, labels = torch.randn(8, 1, 8, 8), torch.randint(3, (8,))
        gates = {choice: Gate(allowed) for choice, allowed in SPACE.region.allowed.items()}
        return Probe(lambda gates: cross_entropy(network(images, gates), labels), gates)

    batches, candidates = [one() for _ in range(3)], SPACE.region.allowed["3<-1"]
    parameters = shared_parameters(network, "3<-1")
    first, second, third = (gradients(probe, "3<-1", candidates, parameters, False) for probe in batches)
    means = [(a + b + c) / 3 for a, b, c in zip(first, second, third, strict=True)]
    found = match(batches, "3<-1", candidates, parameters, Matching(SIMILARITIES[name]))
    assert torch.equal(found, SIMILARITIES[name](means))


def test_a_choice_that_a_path_leaves_out_runs_while_its_candidates_are_compared() -> None:
    space = ToyDropping()
    arch = space.sample(space.region, torch.Generator().manual_seed(0))
    left_out = next(choice for choice in space.choices if choice.name not in arch)
    network = build(space.layout(NetworkSize(4, 1), 1), space.region, 3, seed=0).double()
    parameters = shared_parameters(network, left_out.name)
    (probe,) = probes(network, [one_hot(arch)])
    found = gradients(probe, left_out.name, left_out.candidates, parameters, own_weight=True)
    for row, candidate in enumerate(left_out.candidates):
        loss = probe.loss(one_hot({**arch, left_out.name: candidate}))
        expected = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
        for gradient, column in zip(expected, found, strict=True):
            torch.testing.assert_close(column[row], gradient)
