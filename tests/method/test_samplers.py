"""What samplers draw, against chances that are listed or counted; what they learn, against gradients by hand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.method import StepContext
from cleave.method.rsps import Rsps, RspsSettings
from cleave.method.samplers import SAMPLERS, Balanced, Fair, Importance, OneChange, Sampler, Uniform
from cleave.method.samplers.balanced import joined
from cleave.method.samplers.fair import order
from cleave.method.samplers.importance import gradient_lengths, mixed, renewed
from cleave.net import Gates, Network, build, one_hot, places
from cleave.net.cost import costs
from cleave.resolve import resolve
from cleave.space import Arch, Limited, NetworkSize, Region, Space, find_space
from cleave.space.nb201 import NASBench201
from cleave.space.sample import enumerate_valid
from tests.method.made import context, random_loss
from tests.reference.samplers import chances, importance, is_drawn_by, one_change
from tests.toys import TOYS, Islands, ToyElastic, ToyMobileNet, toys_known

SPACE = NASBench201(["none", "skip_connect", "nor_conv_1x1"])
SPACES = [find_space(name) for name in ("nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa")]


def moments(count: int) -> list[StepContext]:
    return [context(seed) for seed in torch.randint(2**31, (count,)).tolist()]


def drawn(sampler: Sampler, count: int) -> list[Arch]:
    return [sampler.draw(each) for each in moments(count)]


def few(space: Space) -> Region:
    """With three candidates of each choice, two of the first."""
    first = space.choices[0].name
    allowed = {choice: names[: 2 if choice == first else 3] for choice, names in space.region.allowed.items()}
    return Region(allowed)


def test_uniform_draws_what_the_space_draws() -> None:
    method = Rsps(RspsSettings(paths=3), SPACE, SPACE.region, torch.Generator())
    random = context(5).generator
    expected = [one_hot(SPACE.sample(SPACE.region, random)) for _ in range(3)]
    assert method.paths(context(5)) == expected
    assert method.state_dict() == {}


class Stubborn(Rsps):
    """A method of somebody's own that draws by itself."""

    def gates(self, context: StepContext) -> Gates:
        return one_hot(dict.fromkeys(self.region.allowed, "skip_connect"))


def test_a_method_of_ones_own_that_draws_by_itself_does_so_in_weight_steps() -> None:
    method = Stubborn(RspsSettings(paths=2), SPACE, SPACE.region, torch.Generator())
    assert method.paths(context(1)) == 2 * [method.gates(context(2))]


@pytest.mark.parametrize("kind", SAMPLERS.values())
@pytest.mark.parametrize("space", [*SPACES, *(toy() for toy in TOYS)], ids=lambda each: each.name)
def test_every_sampler_draws_valid_architectures_of_a_part_of_every_space(space: Space, kind: type[Sampler]) -> None:
    if kind.refuses(space):
        assert (kind, type(space)) == (Balanced, ToyElastic)
        return
    region = few(space)
    sampler, random = kind(space, region), torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    for step in range(3):
        for arch in [*sampler.step(2, StepContext(step, 3, random)), sampler.draw(StepContext(step, 3, random))]:
            assert arch in region
            assert space.valid(arch)


@pytest.mark.parametrize("kind", SAMPLERS.values())
def test_every_sampler_keeps_limits(kind: type[Sampler]) -> None:
    """Those that half of the architectures keep, in a space that is listed and in one that is not."""
    for space in (SPACE, find_space("mobilenet-proxyless")):
        prices = costs(space, space.usual_size)
        known = [prices.of(space.sample(space.region, each.generator)).multiply_adds for each in moments(30)]
        most = sorted(known)[15]
        limited = Limited(space, prices, {"multiply_adds": most})
        sampler, found = kind(limited, limited.region), list[Arch]()
        for epoch in range(3):
            found += sampler.step(2, StepContext(epoch, 3, context(epoch).generator))
        assert found
        assert all(prices.of(arch).multiply_adds <= most and space.valid(arch) for arch in found)


def test_balanced_draws_every_group_alike_and_what_is_in_it_alike() -> None:
    group = SPACE.grouping()
    assert group is not None
    valid = enumerate_valid(SPACE, SPACE.region)
    sizes = Counter(map(group, valid))
    assert len(sizes) == 3
    expected = {SPACE.format(arch): 1 / (3 * sizes[group(arch)]) for arch in valid}
    found = drawn(Balanced(SPACE, SPACE.region), 3000)
    assert is_drawn_by(list(map(SPACE.format, found)), expected)
    assert is_drawn_by([str(group(arch)) for arch in found], dict.fromkeys("123", 1 / 3))


def test_balanced_has_no_group_without_a_valid_architecture() -> None:
    """A part without convolutions has one group; one whose limits leave out the deep ones has fewer."""
    plain = Region(dict.fromkeys(SPACE.region.allowed, ("none", "skip_connect")))
    (alone,) = Balanced(SPACE, plain).listed or []
    assert len(alone) == len(enumerate_valid(SPACE, plain))
    prices = costs(SPACE, SPACE.usual_size)
    least = min(prices.of(arch).parameters for arch in enumerate_valid(SPACE, SPACE.region))
    limited = Limited(SPACE, prices, {"parameters": least})
    (light,) = Balanced(limited, limited.region).listed or []
    assert all(prices.of(arch).parameters == least for arch in light)


def test_balanced_joins_rare_groups_of_a_space_too_large_to_list() -> None:
    space = find_space("mobilenet-proxyless")
    sampler, group = Balanced(space, space.region), space.grouping()
    assert sampler.listed is None
    assert group is not None
    found = [next(str(each) for each in sampler.joined if group(arch) in each) for arch in drawn(sampler, 600)]
    assert len(sampler.joined) > 3
    assert is_drawn_by(found, {str(each): 1 / len(sampler.joined) for each in sampler.joined})


@pytest.mark.parametrize(
    ("counts", "ends"),
    [({1: 5, 2: 5, 3: 5}, [2, 3]), ({0: 1, 1: 5, 4: 9, 5: 2}, [2]), ({7: 5}, []), ({1: 2, 2: 2, 3: 2, 4: 5}, [4])],
)
def test_groups_are_joined_from_below_until_they_are_large_enough(counts: dict[int, int], ends: list[int]) -> None:
    found = joined(counts, least=5)
    assert [each.stop for each in found[:-1]] == ends
    assert all(sum(number in each for each in found) == 1 for number in (-3, *range(20)))


def test_a_fair_step_has_every_candidate_of_every_choice_once() -> None:
    space = ToyMobileNet()
    sampler = Fair(space, space.region)
    for each in moments(20):
        archs = sampler.step(1, each)
        assert len(archs) == 4
        for choice in space.choices:
            assert sorted(arch[choice.name] for arch in archs) == sorted(choice.candidates)


def test_a_smaller_choice_goes_through_several_orders_in_a_fair_step() -> None:
    space = ToyMobileNet()
    region = space.region.restrict("layer0", space.choices[0].candidates[:3])
    counts = Counter(arch["layer0"] for each in moments(60) for arch in Fair(space, region).step(1, each))
    assert sum(counts.values()) == 240
    assert min(counts.values()) >= 60
    assert sorted(Counter(order("abc", 8, torch.Generator())).values()) == [2, 3, 3]


def test_a_fair_step_is_uniform_in_each_architecture() -> None:
    space = ToyMobileNet()
    texts = [space.format(Fair(space, space.region).step(1, each)[0]) for each in moments(1500)]
    alike = {choice.name: dict.fromkeys(choice.candidates, 1.0) for choice in space.choices}
    assert is_drawn_by(texts, chances(space, space.region, alike))


def test_where_edges_are_left_out_a_fair_step_has_every_candidate_once_at_most() -> None:
    space = find_space("darts")
    for each in moments(5):
        archs = Fair(space, space.region).step(1, each)
        assert len(archs) == 7
        used = Counter(pair for arch in archs for pair in arch.items())
        assert max(used.values()) == 1


def test_a_fair_step_leaves_out_what_no_round_can_have() -> None:
    """The only edge into the output may be none: then an architecture in three computes nothing."""
    allowed = {**SPACE.region.allowed, "3<-1": ("none",), "3<-2": ("none",)}
    for each in moments(5):
        archs = Fair(SPACE, Region(allowed)).step(1, each)
        assert len(archs) == 2
        assert {arch["3<-0"] for arch in archs} == {"skip_connect", "nor_conv_1x1"}


def test_one_change_changes_one_choice_from_step_to_step() -> None:
    sampler, steps = OneChange(SPACE, SPACE.region), moments(30)
    walk = [arch for each in steps for arch in sampler.step(2, each)]
    assert all(one_change(before, after) for before, after in pairwise(walk))
    before = sampler.arch
    sampler.draw(steps[0])
    assert sampler.arch is before


def test_one_change_goes_on_from_what_was_saved() -> None:
    sampler, other = OneChange(SPACE, SPACE.region), OneChange(SPACE, SPACE.region)
    sampler.step(5, context(1))
    other.load_state_dict(sampler.state_dict())
    assert sampler.step(3, context(2)) == other.step(3, context(2))


def test_one_change_in_a_part_begins_at_its_parents_last_architecture_if_that_is_in_it() -> None:
    sampler = OneChange(SPACE, SPACE.region)
    (last,) = sampler.step(1, context(1))
    for name in SPACE.choices[0].candidates:
        child = OneChange(SPACE, SPACE.region.restrict("1<-0", [name]))
        child.inherit(sampler.state_dict(), SPACE.region)
        assert child.arch == (last if last["1<-0"] == name else None)


def test_one_change_refuses_what_it_cannot_reach() -> None:
    space = Islands()
    with pytest.raises(
        UserError, match=r"method\.sampler=one-change: .* the 4 valid .* to 1 only; use another sampler"
    ):
        OneChange(space, space.region).step(1, context())


def supernet(space: Space, region: Region) -> Network:
    return build(space.layout(NetworkSize(2, 1), 1), region, classes=3, seed=0).double()


def gradients(network: Network, gates: Gates, seed: int) -> dict[nn.Parameter, Tensor]:
    network.zero_grad()
    random_loss(network, seed)(gates).backward()
    return {weight: weight.grad.clone() for weight in network.parameters() if weight.grad is not None}


def length_by_hand(network: Network, arch: Arch, choice: str) -> float:
    """Of the weights of an edge's operation in all cells, by their names."""
    name = f".edges.{choice}.ops.{arch[choice]}."
    found = [weight.grad for key, weight in network.named_parameters() if name in key and weight.grad is not None]
    return float(sum(gradient.square().sum() for gradient in found) ** 0.5)


def mean_lengths(sampler: Importance, epochs: int) -> dict[tuple[str, str], float]:
    """Trains nothing for all epochs but the last, and returns what was measured by hand: the last means of each."""
    network, known = supernet(SPACE, SPACE.region), dict[tuple[str, str], float]()
    random = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    for epoch in range(epochs - 1):
        seen = dict[tuple[str, str], list[float]]()
        for step in range(4):
            (arch,) = sampler.step(1, StepContext(epoch, epochs, random))
            sampler.learn(network, one_hot(arch), gradients(network, one_hot(arch), step))
            for choice, candidate in arch.items():
                seen.setdefault((choice, candidate), []).append(length_by_hand(network, arch, choice))
        known |= {each: sum(found) / len(found) for each, found in seen.items()}
    return known


def test_importance_draws_by_mean_gradient_lengths_mixed_with_equal_chances() -> None:
    sampler, epochs = Importance(SPACE, SPACE.region), 4
    known = mean_lengths(sampler, epochs)
    last = StepContext(3, epochs, torch.Generator().manual_seed(3))
    drawn_last = [arch for _ in range(2500) for arch in sampler.step(1, last)]
    weights = {}
    for choice, names in SPACE.region.allowed.items():
        lengths = [known.get((choice, name), 0.0) for name in names]
        chance = importance(lengths, 3, epochs) if sum(lengths) else [1 / len(names)] * len(names)
        weights[choice] = {name: len(names) * each for name, each in zip(names, chance, strict=True)}
        assert sampler.weights()[choice] == pytest.approx(weights[choice])
    assert is_drawn_by(list(map(SPACE.format, drawn_last)), chances(SPACE, SPACE.region, weights))


def test_importance_goes_on_from_what_was_saved_and_a_part_from_its_parent() -> None:
    sampler, other = Importance(SPACE, SPACE.region), Importance(SPACE, SPACE.region)
    mean_lengths(sampler, 4)
    other.load_state_dict(sampler.state_dict())
    for epoch in (2, 3):
        found = [each.step(20, StepContext(epoch, 4, context(1).generator)) for each in (sampler, other)]
        assert found[0] == found[1]
    region = SPACE.region.restrict("2<-0", ["nor_conv_1x1", "none"])
    child = Importance(SPACE, region)
    child.inherit(sampler.state_dict(), SPACE.region)
    child.step(1, StepContext(3, 4, context(1).generator))
    assert child.weights()["3<-0"] == sampler.weights()["3<-0"]
    known = renewed(sampler.sums, sampler.counts, sampler.means)
    lengths = [float(known[sampler.numbers["2<-0", name]]) for name in region.allowed["2<-0"]]
    assert list(child.weights()["2<-0"].values()) == pytest.approx(mixed(lengths, 3 / 4))


def test_the_lengths_are_those_of_an_operation_in_all_cells() -> None:
    network = supernet(SPACE, SPACE.region)
    (arch,) = Uniform(SPACE, SPACE.region).step(1, context(3))
    found = gradient_lengths(list(places(network).values()), one_hot(arch), gradients(network, one_hot(arch), 1))
    assert found.keys() == arch.keys()
    for choice, length in found.items():
        assert float(length) == pytest.approx(length_by_hand(network, arch, choice))


@pytest.mark.parametrize(("epoch", "epochs"), [(0, 5), (2, 5), (4, 5)])
def test_the_mixture_is_that_of_the_paper(epoch: int, epochs: int) -> None:
    lengths = torch.rand(4).tolist()
    expected = [4 * p for p in importance(lengths, epoch, epochs)]
    assert mixed(lengths, epoch / epochs) == pytest.approx(expected)
    assert mixed([0.0, 0.0], 0.5) == [1, 1]


def resolved(*changes: str) -> list[str]:
    asked = load_recipe(None, ["method.name=rsps", *changes], {})
    return resolve(asked, find_space(asked.space))[1]


def test_what_has_no_meaning_is_said_and_what_cannot_be_is_refused() -> None:
    (note,) = resolved("method.sampler=fair", "method.paths=2")
    assert note.startswith("method.paths has no meaning")
    assert resolved("method.sampler=balanced", "method.paths=2") == []
    with pytest.raises(UserError, match=r"method\.sampler: unknown 'fairer'; did you mean 'fair'\?"):
        resolved("method.sampler=fairer")
    with pytest.raises(UserError, match=r"method\.sampler: has no meaning with this method\.name, darts"):
        load_recipe(None, ["method.name=darts", "method.sampler=fair"], {})
    with toys_known(), pytest.raises(UserError, match=r"method\.sampler=balanced: needs groups .* toyelastic"):
        resolved("space.name=toyelastic", "method.sampler=balanced")
