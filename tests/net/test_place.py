"""What belongs to which choice is answered for every kind of block, or is an error.

The laws that hold for every space are in `cleave.testing`; tests/test_testing.py has them checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
import torch

from cleave.net import (
    BlockModule,
    Gates,
    Norm,
    Operations,
    build,
    builds,
    extract,
    one_hot,
    places,
)
from cleave.net.cost import Cost, costs
from cleave.net.place import BUILDERS, History
from cleave.space import Arch, Fixed, Layer, Layout, NetworkSize, Region, Space
from cleave.space.layout import Block
from cleave.space.nb201 import NASBench201
from cleave.split import shared_parameters
from tests.elastic import Elastic, ToyElastic
from tests.toys import TOYS, ToyDropping

SIZE = NetworkSize(4, 1)


@pytest.fixture(params=[NASBench201, *TOYS], ids=lambda kind: kind.name)
def space(request: pytest.FixtureRequest) -> Space:
    made: Space = request.param()
    return made


def some_arch(space: Space) -> Arch:
    return space.sample(space.region, torch.Generator().manual_seed(int(torch.randint(10**6, ()))))


def supernet(space: Space, norm: Norm | None = None) -> torch.nn.Module:
    return build(space.layout(SIZE, 3), space.region, 5, seed=int(torch.randint(99, ())), norm=norm).double()


def images() -> torch.Tensor:
    return torch.randn(4, 3, 8, 8, dtype=torch.float64)


@pytest.mark.parametrize("norm", [Norm(affine=False), Norm(running=True)])
def test_the_supernet_under_an_architecture_is_the_network_extracted_for_it(space: Space, norm: Norm) -> None:
    network, x = supernet(space, norm), images()
    for _ in range(5):
        arch = some_arch(space)
        alone = extract(network, arch)
        torch.testing.assert_close(alone(x, one_hot(arch)), network(x, one_hot(arch)), rtol=1e-9, atol=1e-9)


def test_what_an_architecture_leaves_out_is_not_built() -> None:
    space = ToyDropping()
    arch = some_arch(space)
    left_out = {choice.name for choice in space.choices} - arch.keys()
    assert len(left_out) == 2
    part = build(space.layout(SIZE, 3), Region.of(arch), 5, seed=0)
    assert left_out.isdisjoint(choice for place in places(part).values() for choice in place.choices)


def test_an_extracted_network_has_weights_of_its_own(space: Space) -> None:
    network = supernet(space)
    alone = extract(network, some_arch(space))
    assert not {id(each) for each in alone.parameters()} & {id(each) for each in network.parameters()}


def test_a_layer_that_keeps_the_shape_is_gone_past_where_it_is_left_out() -> None:
    layers = tuple((name, Layer(name, 4, 4)) for name in ("a", "b"))
    layout = Layout((("stem", Fixed("conv_3x3_bn", 3, 4)), *layers), features=4)
    region = Region({"a": ("nor_conv_3x3", "nor_conv_1x1"), "b": ("nor_conv_3x3",)})
    network, x = build(layout, region, 5, seed=0).double(), images()
    shorter = Layout((layout.blocks[0], layout.blocks[1]), features=4)
    twin = build(shorter, Region({"a": region.allowed["a"]}), 5, seed=0).double()
    twin.load_state_dict({name: network.state_dict()[name] for name in twin.state_dict()})
    arch = {"a": "nor_conv_1x1"}
    assert torch.equal(network(x, one_hot(arch)), twin(x, one_hot(arch)))
    assert layout.live(arch) == {"a"}


def test_of_an_elastic_chain_shallow_layers_are_live() -> None:
    layout = ToyElastic().layout(SIZE, 3)
    arch = {f"{what}{i}": "1" if what == "expansion" else "3" for i in range(3) for what in ("kernel", "expansion")}
    assert layout.live({**arch, "depth": "1"}) == {"depth", "kernel0", "expansion0"}
    assert layout.live({**arch, "depth": "3"}) == {"depth", *arch}
    shallow = {"depth": "1", "kernel0": "3", "expansion0": "1"}
    assert layout.live(shallow) == set(shallow)


def test_an_elastic_kernel_shares_all_but_its_own_weights() -> None:
    network = build(ToyElastic().layout(SIZE, 3), ToyElastic().region, 5, seed=0)
    everything = {name for name, _ in network.named_parameters()}
    own = {"blocks.layer1.place.depthwise", "blocks.layer1.place.transform"}
    assert everything - shared_parameters(network, "kernel1").keys() == own
    own |= {"blocks.layer1.place.up", "blocks.layer1.place.down"}
    assert everything - shared_parameters(network, "expansion1").keys() == own
    deeper = {name for name in everything if name.startswith(("blocks.layer1.", "blocks.layer2."))}
    assert everything - shared_parameters(network, "depth").keys() == deeper


def test_where_choices_meet_their_costs_multiply() -> None:
    """A layer of kernel k and expansion e on 4 channels: e * 4 * (4 + k * k + 4) weights, each used 8 x 8 times."""
    known = costs(ToyElastic(), SIZE, (3, 8, 8), classes=5)
    shallow = {"depth": "1", "kernel0": "3", "expansion0": "1"}
    for kernel in (3, 5):
        for expansion in (1, 2):
            layer = {"kernel1": str(kernel), "expansion1": str(expansion)}
            weights = expansion * 4 * (4 + kernel * kernel + 4)
            deeper = known.of({**shallow, **layer, "depth": "2"})
            assert deeper - known.of(shallow) == Cost(weights, 64 * weights)
            assert known.of({**shallow, **layer}) == known.of(shallow)


def test_what_is_a_choices_own_and_what_is_shared_are_disjoint_and_cover(space: Space) -> None:
    network = build(space.layout(SIZE, 3), space.region, 5, seed=0)
    everything = {id(parameter) for parameter in network.parameters()}
    for choice in space.choices:
        shared = {id(parameter) for parameter in shared_parameters(network, choice.name).values()}
        found = [place for place in places(network).values() if choice.name in place.choices]
        own = {id(parameter) for place in found for parameter in place.own(choice.name)}
        assert shared.isdisjoint(own)
        assert shared | own == everything


@dataclass(frozen=True)
class Odd(Block):
    """A kind of block that nobody knows."""

    @property
    def choices(self) -> tuple[str, ...]:
        return ("what",)

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        return self.choices


class OddBlock(BlockModule):
    def __init__(self, spec: Odd, region: Region, operations: Operations) -> None:
        super().__init__()

    def forward(self, history: History, gates: Gates) -> History:
        return history


def test_an_unknown_kind_of_block_raises() -> None:
    layout = Layout((("odd", Odd()),), features=3)
    with pytest.raises(ValueError, match=r"block odd: nothing builds a Odd; register .* cleave\.net\.builds"):
        build(layout, Region({"what": ("a", "b")}), 5, seed=0)


def test_a_module_that_is_no_block_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDERS, Odd, lambda spec, region, operations: torch.nn.Identity())
    with pytest.raises(ValueError, match=r"block odd: Identity is no cleave\.net\.BlockModule"):
        build(Layout((("odd", Odd()),), features=3), Region({"what": ("a", "b")}), 5, seed=0)


def test_a_block_whose_choice_no_place_answers_for_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDERS, Odd, OddBlock)
    with pytest.raises(ValueError, match=r"block odd: .*\['what'\].* every choice needs a cleave\.net\.Place"):
        build(Layout((("odd", Odd()),), features=3), Region({"what": ("a", "b")}), 5, seed=0)


def test_a_kind_that_is_registered_twice_is_the_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDERS, Elastic, BUILDERS[Elastic])
    builds(Elastic)(OddBlock)  # type: ignore[type-var, arg-type]
    assert BUILDERS[Elastic] is OddBlock  # type: ignore[comparison-overlap]
