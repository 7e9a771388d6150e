"""Heads: layers behind the pooling, and auxiliary classifiers, against the same written out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, hardswish

from cleave.net import Network, build, count_parameters, extract, one_hot
from cleave.net.cost import Cost, costs
from cleave.space import Auxiliary, Fixed, Head, Layout, NetworkSize, Region
from cleave.space.nb201 import NASBench201
from tests.toys import DARTS_AUXILIARY, ToyHead

SIZE, CLASSES = NetworkSize(4, 1), 5


def toy() -> tuple[ToyHead, Network, Tensor]:
    space = ToyHead()
    network = build(space.layout(SIZE, 3), space.region, CLASSES, seed=int(torch.randint(99, ())))
    return space, network.double(), torch.randn(6, 3, 8, 8, dtype=torch.float64)


def test_the_head_is_pooling_layers_and_a_classifier_written_out() -> None:
    space, network, x = toy()
    arch = space.sample(space.region, torch.Generator())
    history = network._through(x, one_hot(arch))[0]
    pooled = history[-1].flatten(2).mean(dim=2)
    hidden = hardswish(pooled @ network.head[0][0].weight.flatten(1).T)
    logits = hidden @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(network(x, one_hot(arch)), logits)


def test_auxiliary_logits_come_out_beside_the_main_ones() -> None:
    space, network, x = toy()
    arch = space.sample(space.region, torch.Generator())
    seen = network.blocks["cell0"](network.blocks["stem"]([x], one_hot(arch)), one_hot(arch))[-1]
    assert network.auxiliary is not None
    conv, norm = network.auxiliary.op[2:4]
    output = conv(avg_pool2d(seen.relu(), 2))
    output = (output - output.mean(dim=(0, 2, 3), keepdim=True)) / (
        output.var(dim=(0, 2, 3), correction=0, keepdim=True) + norm.eps
    ).sqrt()
    linear = network.auxiliary.classifier
    logits, auxiliary = network.heads(x, one_hot(arch))
    torch.testing.assert_close(auxiliary, output.relu().mean(dim=(2, 3)) @ linear.weight.T + linear.bias)
    assert torch.equal(logits, network(x, one_hot(arch)))


def test_a_space_without_such_has_what_it_had() -> None:
    space = NASBench201()
    network = build(space.layout(SIZE, 3), space.region, CLASSES, seed=0)
    names = [name for name in network.state_dict() if not name.startswith("blocks.")]
    assert names == ["classifier.weight", "classifier.bias"]
    assert network.heads(torch.randn(2, 3, 8, 8), one_hot(space.sample(space.region, torch.Generator())))[1] is None


def test_an_auxiliary_head_changes_no_other_weight() -> None:
    layout = ToyHead().layout(SIZE, 3)
    one, other = (build(each, ToyHead().region, CLASSES, 3) for each in (layout, replace(layout, auxiliary=None)))
    state = one.state_dict()
    assert all(torch.equal(state[name], value) for name, value in other.state_dict().items())
    assert {name.split(".")[0] for name in state.keys() - other.state_dict().keys()} == {"auxiliary"}


def test_costs_count_the_head_and_the_auxiliary_one_where_it_is_asked_for() -> None:
    space = ToyHead()
    arch = space.sample(space.region, torch.Generator())
    main, both = (costs(space, SIZE, (3, 8, 8), CLASSES, auxiliary=each).of(arch) for each in (False, True))
    alone = extract(build(space.layout(SIZE, 3), space.region, CLASSES, 0, space.layout(SIZE, 3).norm), arch)
    assert both.parameters == count_parameters(alone)
    assert alone.auxiliary is not None
    assert both.parameters - main.parameters == count_parameters(alone.auxiliary)
    width = 2 * SIZE.channels
    features = 6
    of_auxiliary = width * features * 16 + features * CLASSES  # a 1x1 convolution of 4x4 pixels, and a classifier
    assert both - main == Cost(width * features + 2 * features + (features + 1) * CLASSES, of_auxiliary)


def test_the_auxiliary_head_of_darts_has_the_published_number_of_parameters() -> None:
    """476,426, for the 576 channels of a network of C=36 and ten classes."""
    layout = Layout(
        (("stem", Fixed("conv_3x3_bn", 3, 576)),),
        features=576,
        operations=DARTS_AUXILIARY,
        auxiliary=Auxiliary("stem", "darts_auxiliary", 576, 768),
    )
    network = build(layout, Region({}), 10, seed=0)
    assert network.auxiliary is not None
    assert count_parameters(network.auxiliary) == 476_426
    assert network.heads(torch.randn(2, 3, 8, 8), {}).auxiliary.shape == (2, 10)


MISFITS = {
    r"head: bn_relu takes 5 channels, and is given 4": {"head": Head((Fixed("bn_relu", 5, 5),))},
    r"head: bn_relu takes 8 channels, and is given 6": {
        "head": Head((Fixed("conv_3x3_bn", 4, 6), Fixed("bn_relu", 8, 8)))
    },
    r"head: dropout=1.0 is the share that is dropped": {"head": Head(dropout=1.0)},
    r"auxiliary head: there is no block cell9; the last are \['stem'\]": {
        "auxiliary": Auxiliary("cell9", "bn_relu", 4, 4)
    },
}


@pytest.mark.parametrize("words", MISFITS)
def test_a_head_that_does_not_fit_is_told_in_one_line(words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}[^\n]*$"):
        Layout((("stem", Fixed("conv_3x3_bn", 3, 4)),), features=4, **MISFITS[words])


def test_features_that_the_last_block_does_not_give_are_told() -> None:
    network = build(Layout((("stem", Fixed("conv_3x3_bn", 3, 4)),), features=6), Region({}), 5, seed=0)
    with pytest.raises(ValueError, match=r"^head: the last block gives 4 channels, and Layout\.features=6$"):
        network(torch.randn(2, 3, 8, 8), {})
