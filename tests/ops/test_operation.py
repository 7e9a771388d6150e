"""What the names of operations mean: a space's own first; traits are said once, with the operation."""

from __future__ import annotations

from functools import partial

import pytest
from torch import nn

from cleave.errors import UserError
from cleave.net import Norm, Operation, Operations, build, operation
from cleave.ops.library import MaxPool, relu_conv_bn
from cleave.space import Layout, NetworkSize
from cleave.space.nb201 import EDGES, NASBench201
from tests.registries import as_they_were


def pool_bn(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """The avg_pool of DARTS, which has a normalisation where that of NAS-Bench-201 has none."""
    return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels_out))


OWN = {
    "avg_pool_3x3": Operation(pool_bn),
    "nor_conv_3x3": Operation(partial(relu_conv_bn, kernel=5)),
    "through": Operation(lambda channels_in, channels_out, stride, norm: nn.Identity(), identity=True),
    "nothing": Operation(lambda channels_in, channels_out, stride, norm: MaxPool(stride), zero=True),
}


def test_a_spaces_own_operation_is_made_before_one_of_that_name_that_all_may_use() -> None:
    own, shared = Operations(OWN, Norm(eps=1e-3)), Operations()
    assert isinstance(own.make("avg_pool_3x3", 4, 4, 1)[1], nn.BatchNorm2d)
    assert own.make("nor_conv_3x3", 4, 4, 1)[1].kernel_size == (5, 5)
    assert own.make("nor_conv_1x1", 4, 4, 1)[1].kernel_size == (1, 1)
    assert list(shared.make("avg_pool_3x3", 4, 4, 1).children()) == []


def test_what_hands_on_and_what_makes_zeros_is_said_with_the_operation() -> None:
    own = Operations(OWN)
    names = [*OWN, "none", "skip_connect", "nor_conv_1x1", "of no operation"]
    assert [name for name in names if own.is_identity(name)] == ["through", "skip_connect"]
    assert [name for name in names if own.is_zero(name)] == ["nothing", "none"]
    assert OWN["through"].hands_on(4, 4, 1)
    assert not OWN["through"].hands_on(4, 4, 2)
    assert not OWN["through"].hands_on(4, 8, 1)


@pytest.mark.parametrize("trait", ["identity", "zero"])
def test_an_identity_or_zero_with_parameters_is_refused(trait: str) -> None:
    liar = Operations({"liar": Operation(pool_bn, **{trait: True})})
    with pytest.raises(UserError, match=f"^operation liar: has parameters, so that it cannot be called {trait}; leave"):
        liar.make("liar", 4, 4, 1)


def test_a_skip_that_reduces_may_have_parameters() -> None:
    """As the factorised reduction of DARTS."""
    reducing = Operations({"skip_connect": Operation(partial(relu_conv_bn, kernel=1), identity=True)})
    assert isinstance(reducing.make("skip_connect", 4, 4, 2), nn.Sequential)


def test_an_unknown_operation_is_told_with_the_spaces_own_among_the_known() -> None:
    with pytest.raises(UserError, match=r"operation: unknown 'throug'; did you mean 'through'\?"):
        Operations(OWN).make("throug", 2, 2, 1)


class Owning(NASBench201):
    """The space with an avg_pool that is normalised, and with another eps."""

    name = "owning"

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        whole = super().layout(size, image_channels)
        return Layout(whole.blocks, whole.features, operations=OWN, norm=Norm(eps=1e-3))


def test_networks_and_live_choices_of_a_space_go_by_its_own_operations() -> None:
    space = Owning()
    layout = space.layout(NetworkSize(2, 1), 3)
    network = build(layout, space.region, classes=3, seed=0)
    edge = network.get_submodule("blocks.cell0_0.edges.1<-0.ops")
    assert isinstance(edge.get_submodule("avg_pool_3x3.1"), nn.BatchNorm2d)
    (cell,) = [block for name, block in layout.blocks if name == "cell0_0"]
    arch = dict.fromkeys((f"{target}<-{source}" for target, source in EDGES), "nothing")
    assert list(cell.live(arch, layout.known)) == []
    assert set(cell.live(arch, Operations())) == set(arch)


def test_two_spaces_may_mean_different_things_by_one_name() -> None:
    size = NetworkSize(2, 1)
    counts = []
    for space in (Owning(), NASBench201()):
        network = build(space.layout(size, 3), space.region, classes=3, seed=0)
        counts.append(sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()))
    assert counts[0] == counts[1] + 3 * len(EDGES)


def test_registering_again_changes_no_space_that_has_its_own() -> None:
    with as_they_were():
        operation("nor_conv_3x3")(partial(relu_conv_bn, kernel=1))
        assert Operations(OWN).make("nor_conv_3x3", 2, 2, 1)[1].kernel_size == (5, 5)
        assert Operations().make("nor_conv_3x3", 2, 2, 1)[1].kernel_size == (1, 1)
