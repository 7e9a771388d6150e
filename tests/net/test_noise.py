"""What is dropped in training: laws of drop path and dropout, on networks in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cleave.net import Dropout, DropPath, Network, Norm, build, extract, noisy, one_hot
from cleave.net.blocks import CellBlock
from cleave.net.noise import Masked
from cleave.space import Arch, Cell, Head, Layout, Link, NetworkSize, Region, Space
from cleave.space.nb201 import NASBench201
from tests.reference import noise as reference
from tests.toys import TOYS, ToyDarts, ToyDropping, ToyHead

SIZE = NetworkSize(4, 1)
RATE = 0.3


def numbers(seed: int | None = None) -> torch.Generator:
    generator = torch.Generator()
    return generator.manual_seed(generator.seed() if seed is None else seed)


def network_of(space: Space, region: Region | None = None) -> Network:
    return build(space.layout(SIZE, 3), region or space.region, 5, seed=int(torch.randint(99, ()))).double()


def images(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 8, 8, dtype=torch.float64)


def some_arch(space: Space) -> Arch:
    return space.sample(space.region, numbers())


def under_noise(network: Network, x: Tensor, arch: Arch, seed: int, rate: float = RATE) -> Tensor:
    with noisy(network, numbers(seed), drop_path=rate, dropout=rate):
        return network(x, one_hot(arch))


def test_drop_path_is_that_of_a_loop_over_images() -> None:
    drop, x = DropPath(), torch.randn(7, 3, 4, 5, dtype=torch.float64)
    drop.draw(7, RATE, numbers(), x.device)
    assert drop.mask is not None
    kept = drop.mask.flatten().tolist()
    torch.testing.assert_close(drop(x), reference.drop_path(x, kept, RATE))


def test_a_cell_drops_every_edge_by_itself_and_no_identity() -> None:
    """The cell written out with a loop over its edges and one over the images."""
    names = ["skip_connect", "nor_conv_3x3", "avg_pool_3x3"]
    links = tuple(Link(f"{target}<-{source}", source, target) for target in (1, 2, 3) for source in range(target))
    region = Region({link.choice: tuple(names) for link in links})
    layout = Layout((("cell", Cell(3, links, outputs=(3,))),), features=3)
    network = build(layout, region, 5, seed=1).double()
    block = network.blocks["cell"]
    assert isinstance(block, CellBlock)
    arch = {link.choice: names[int(torch.randint(3, ()))] for link in links}
    x = images()
    with noisy(network, numbers(), drop_path=RATE):
        assert network.noise is not None
        network.noise.draw(len(x), x.device)
        masks = {name: edge.drop.mask for name, edge in block.edges.items()}
        output = block([x], one_hot(arch))[-1]
    edges: dict[tuple[int, int], Callable[[Tensor], Tensor]] = {}
    kept = {}
    for link in links:
        name = f"{link.target}<-{link.source}"
        edges[link.source, link.target] = block.edges[name].ops[arch[link.choice]]
        if arch[link.choice] != "skip_connect":
            mask = masks[name]
            assert mask is not None
            kept[link.source, link.target] = mask.flatten().tolist()
    torch.testing.assert_close(output, reference.cell(x, edges, kept, RATE))


@pytest.fixture(params=[NASBench201, *TOYS], ids=lambda kind: kind.name)
def space(request: pytest.FixtureRequest) -> Space:
    made: Space = request.param()
    return made


def test_a_rate_of_zero_is_no_noise_and_nothing_is_left_of_it(space: Space) -> None:
    network, x, arch = network_of(space), images(), some_arch(space)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    plain = network(x, one_hot(arch))
    assert torch.equal(under_noise(network, x, arch, 0, rate=0.0), plain)
    under_noise(network, x, arch, 0)
    assert torch.equal(network(x, one_hot(arch)), plain)
    assert network.noise is None
    assert all(module.mask is None for module in network.modules() if isinstance(module, Masked))
    after = network.state_dict()
    assert after.keys() == state.keys()
    assert all(torch.equal(after[name], value) for name, value in state.items())


def test_equal_generators_give_equal_outputs_and_each_pass_has_masks_of_its_own() -> None:
    space = ToyDarts()
    network, x = network_of(space), images()
    arch = dict.fromkeys((choice.name for choice in space.choices), "toy_sep_conv")
    assert torch.equal(under_noise(network, x, arch, 5), under_noise(network, x, arch, 5))
    assert not torch.equal(under_noise(network, x, arch, 5), under_noise(network, x, arch, 6))
    with noisy(network, numbers(5), drop_path=RATE):
        first, second = network(x, one_hot(arch)), network(x, one_hot(arch))
    assert not torch.equal(first, second)


def test_a_supernet_under_an_architecture_drops_what_the_network_of_its_own_does(space: Space) -> None:
    network, x = network_of(space), images()
    for seed in range(3):
        arch = some_arch(space)
        alone = extract(network, arch)
        torch.testing.assert_close(under_noise(alone, x, arch, seed), under_noise(network, x, arch, seed))


@pytest.mark.parametrize("kind", [ToyDropping, ToyHead])
def test_so_does_the_network_that_is_built_for_it_alone(kind: type[Space]) -> None:
    space = kind()
    network, x, arch = network_of(space), images(), some_arch(space)
    alone = network_of(space, Region.of(arch))
    alone.load_state_dict({name: network.state_dict()[name] for name in alone.state_dict()})
    torch.testing.assert_close(under_noise(alone, x, arch, 3), under_noise(network, x, arch, 3))


@pytest.mark.parametrize("mask", [DropPath(), Dropout(3, 0.0)])
def test_what_is_expected_stays_and_about_the_rate_is_dropped(mask: Masked) -> None:
    count = 4000
    x = torch.ones(count, 3, *mask.shape[1:], dtype=torch.float64)
    mask.draw(count, RATE, numbers(), x.device)
    output = mask(x)
    assert {round(value, 6) for value in output.unique().tolist()} == {0.0, round(1 / (1 - RATE), 6)}
    spread = (RATE / (1 - RATE) / count) ** 0.5
    assert abs(float(output.mean()) - 1) < 6 * spread


def test_gradients_of_what_is_dropped_are_zero() -> None:
    drop, x = DropPath(), torch.randn(9, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    drop.draw(9, 0.5, numbers(), x.device)
    drop(x).sum().backward()
    assert x.grad is not None
    assert drop.mask is not None
    torch.testing.assert_close(x.grad, 2 * drop.mask.double().expand_as(x))


def test_dropout_is_the_heads_own_unless_another_is_said() -> None:
    layout = Layout((), features=3, head=Head(dropout=0.5))
    network, x = build(layout, Region({}), 4, seed=0).double(), images(50)

    def dropped(**rates: float) -> float:
        with noisy(network, numbers(0), **rates):
            network(x, {})
            mask = network.dropout.mask
            return 0.0 if mask is None else 1 - float(mask.double().mean())

    assert dropped() == pytest.approx(0.5, abs=0.2)
    assert dropped(dropout=0.9) == pytest.approx(0.9, abs=0.1)
    assert dropped(dropout=0.0) == 0.0


@pytest.mark.parametrize("rates", [{"drop_path": 1.0}, {"drop_path": -0.1}, {"dropout": 1.5}])
def test_a_rate_that_is_none_is_refused(rates: dict[str, float]) -> None:
    network = build(Layout((), features=3), Region({}), 4, seed=0)
    with (
        pytest.raises(ValueError, match=f"^{next(iter(rates))}=.* is the share that is dropped"),
        noisy(network, numbers(), **rates),
    ):
        pass


def test_masks_are_put_away_where_a_pass_fails() -> None:
    network = build(Layout((), features=5), Region({}), 4, seed=0)
    with pytest.raises(ValueError, match="head"), noisy(network, numbers(), dropout=0.5):
        network(torch.randn(2, 3, 8, 8), {})
    assert network.noise is None
    assert network.dropout.mask is None


def test_a_place_of_ones_own_may_drop_paths() -> None:
    """A residual of a block that is no cell: it has a DropPath of its own."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.drop = nn.Conv2d(3, 3, 1), DropPath()

        def forward(self, x: Tensor) -> Tensor:
            return x + self.drop(self.inner(x))

    network = build(Layout((), features=3), Region({}), 4, seed=0)
    network.add_module("residual", Residual())
    x = torch.randn(100, 3, 2, 2)
    with noisy(network, numbers(), drop_path=0.5):
        assert network.noise is not None
        network.noise.draw(100, x.device)
        output = network.residual(x)
    same = (output == x).flatten(1).all(dim=1)
    assert 0 < int(same.sum()) < 100


def test_norms_of_heads_are_affine() -> None:
    network = build(ToyHead().layout(SIZE, 3), ToyHead().region, 5, seed=0, norm=Norm(affine=False))
    assert all(norm.affine for norm in network.auxiliary.modules() if isinstance(norm, nn.BatchNorm2d))
