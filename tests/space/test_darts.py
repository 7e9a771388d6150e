"""The DARTS space: published counts of parameters and genotypes, the notation, what is kept of a cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.nn.functional import conv2d, pad

from cleave.errors import UserError
from cleave.net import Norm, build, count_parameters, extract, one_hot
from cleave.net.cost import cost_alone
from cleave.ops import Operation
from cleave.ops.library import Halving, factorized_reduce
from cleave.space import Region, find_space
from cleave.space.darts import KINDS, NODES, Darts, DartsSpaceSettings
from cleave.testing import check_space
from tests.retrain.small import GENOTYPE
from tests.tiny import Ended

SPACE = Darts()
LETTERS = {
    "max": "max_pool_3x3", "skip": "skip_connect", "sep3": "sep_conv_3x3", "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3", "dil5": "dil_conv_5x5",
}  # fmt: skip
PUBLISHED = {
    "GM-DARTS first order, seed 2": (
        "sep3 0 sep3 1 dil3 2 sep5 1 sep3 1 dil5 3 skip 0 dil3 2",
        "max 0 max 1 dil5 2 sep3 0 dil3 3 skip 1 dil5 4 sep5 3",
        3_660_166,
    ),
    "GM-DARTS second order, seed 1": (
        "sep3 0 sep3 1 sep3 0 dil3 2 sep5 0 dil5 3 skip 0 sep3 1",
        "max 0 max 1 sep3 0 max 1 max 1 skip 3 max 1 skip 3",
        3_658_438,
    ),
    "GM-SNAS, seed 3": (
        "sep3 0 sep5 1 sep3 1 sep3 2 sep3 1 dil5 3 dil3 2 skip 0",
        "max 0 sep3 1 max 0 skip 2 dil5 3 skip 2 skip 2 dil3 3",
        3_718_486,
    ),
}
"""Genotypes of GM-NAS (arXiv 2203.15207), with their parameters at 36 channels and 20 cells."""


def written(normal: str, reduce: str) -> str:
    cells = []
    for kind, words in zip(KINDS, (normal.split(), reduce.split()), strict=True):
        pairs = [(LETTERS[op], int(source)) for op, source in zip(words[::2], words[1::2], strict=True)]
        cells.append(f"{kind}={pairs}, {kind}_concat=range(2, 6)")
    return f"Genotype({', '.join(cells)})"


EXAMPLE = written(*PUBLISHED["GM-SNAS, seed 3"][:2])


def test_the_published_supernet_has_its_parameters() -> None:
    network = build(SPACE.layout(SPACE.paper_size, 3), SPACE.region, 10, seed=0)
    assert count_parameters(network) == 1_930_618


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_genotypes_have_their_parameters(name: str) -> None:
    normal, reduce, parameters = PUBLISHED[name]
    arch = SPACE.parse(written(normal, reduce))
    layout = SPACE.layout(DartsSpaceSettings(channels=36, cells=20), 3)
    assert count_parameters(build(layout, Region.of(arch), 10, 0, Norm())) == parameters
    whole = replace(layout, auxiliary=SPACE.auxiliary(DartsSpaceSettings(channels=36, cells=20)))
    assert count_parameters(build(whole, Region.of(arch), 10, 0, Norm())) == parameters + 476_426


def test_the_network_for_imagenet_is_the_published_one() -> None:
    """Of DARTS (second order) at 48 channels and 14 cells: 4,718,752 parameters; cells begin at an eighth of a side."""
    size = DartsSpaceSettings(channels=48, cells=14, stem="imagenet")
    arch, layout = SPACE.parse(GENOTYPE), SPACE.layout(size, 3)
    cost = cost_alone(layout, arch, (3, 224, 224), 1000)
    assert cost.parameters == 4_718_752
    assert cost.multiply_adds < 600_000_000  # the mobile setting
    small = replace(layout, auxiliary=SPACE.auxiliary(size))
    network = build(small, Region.of(arch), 10, 0, Norm(), "meta")
    logits, other = network.heads(torch.zeros(2, 3, 193, 193, device="meta"), one_hot(arch))
    assert other is not None
    assert logits.shape == other.shape == (2, 10)
    with pytest.raises(RuntimeError):
        network.heads(torch.zeros(2, 3, 192, 192, device="meta"), one_hot(arch))


def test_the_stem_for_imagenet_keeps_the_laws() -> None:
    """The first cell sees both of its halves, of which the older one is twice as large."""
    settings = DartsSpaceSettings(stem="imagenet", channels=2)
    check_space(Darts(settings), settings, (3, 64, 64), draws=1)
    network = build(SPACE.layout(settings, 3), SPACE.region, 10, seed=0)
    history = network.blocks["stem0"]([torch.rand(1, 3, 32, 32)], {})
    assert [tuple(each.shape[1:]) for each in network.blocks["stem1"](history, {})] == [(2, 8, 8), (2, 4, 4)]


def test_a_cell_has_as_many_genotypes_as_are_published() -> None:
    """7 operations: (1 3 6 10 pairs x 49 each) for a cell, and the square of that for both."""
    one = 7 ** (2 * len(NODES)) * 1 * 3 * 6 * 10
    assert SPACE.count(SPACE.region) == one**2
    assert Darts(DartsSpaceSettings(ops=8)).count(Darts(DartsSpaceSettings(ops=8)).region) == one**2  # none is not kept


@pytest.mark.parametrize("ops", [None, 8, ["none", "skip_connect", "sep_conv_3x3"]])
def test_it_keeps_the_laws(ops: int | list[str] | None) -> None:
    check_space(find_space("darts", ops))


def test_genotypes_are_read_in_any_order_and_written_in_one() -> None:
    arch = SPACE.parse(EXAMPLE)
    text = SPACE.format(arch)
    assert SPACE.parse(text) == arch
    assert SPACE.format(SPACE.parse(text)) == text
    spaced = EXAMPLE.replace("range(2, 6)", "[2, 3, 4, 5]").replace(", ", ",\n ")
    assert SPACE.parse(spaced) == arch
    drawn = SPACE.draw(arch)
    assert "2 ◀─ sep_conv_3x3 of 0, sep_conv_5x5 of 1" in drawn


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("|skip_connect~0|", ["is no genotype"]),
        ("Genotype(normal=[open('x')], reduce=[])", ["is no genotype"]),
        ("Genotype(normal=[])", ["is no genotype"]),
        (EXAMPLE.partition(", reduce=")[0] + ")", ["is no genotype"]),
        (EXAMPLE.replace("'sep_conv_3x3', 0", "'sep_conv_7x7', 0", 1), ["normal, node 2", "sep_conv_7x7"]),
        (EXAMPLE.replace("'sep_conv_3x3', 0", "'none', 0", 1), ["normal, node 2", "none"]),
        (EXAMPLE.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', 0), ('skip_connect', 1)", 1), ["normal", "9 edges"]),
        (EXAMPLE.replace("'sep_conv_3x3', 0", "'sep_conv_3x3', 1", 1), ["normal, node 2", "twice"]),
        (EXAMPLE.replace("'sep_conv_3x3', 0", "'sep_conv_3x3', 2", 1), ["normal, node 2", "from 0 to 1"]),
        (EXAMPLE.replace("range(2, 6)", "range(3, 6)", 1), ["normal_concat", "range(2, 6)"]),
    ],
)  # fmt: skip
def test_what_is_no_genotype_is_told_in_a_line(text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as told:
        SPACE.parse(text)
    assert all(word in str(told.value) for word in words), told.value
    assert "\n" not in str(told.value)


def small() -> Region:
    """A few operations of each edge, some of them none."""
    space, generator = Darts(DartsSpaceSettings(ops=["none", "skip_connect", "sep_conv_3x3"])), torch.Generator()
    generator.manual_seed(int(torch.randint(10**6, ())))
    allowed = {}
    for choice in space.choices:
        keep = torch.randint(1, 8, (), generator=generator).item()
        allowed[choice.name] = tuple(op for bit, op in enumerate(choice.candidates) if keep >> bit & 1)
    return Region(allowed)


def test_valid_architectures_of_a_region_are_counted_as_brute_force_does() -> None:
    """Node by node: what leads into one has nothing to do with the others."""
    for _ in range(10):
        region, expected = small(), 1
        for names in SPACE.nodes.values():
            options = [(None, *(op for op in region.allowed[name] if op != "none")) for name in names]
            expected *= sum(len(names) - ops.count(None) == 2 for ops in product(*options))
        assert SPACE.count(region) == expected
        assert SPACE.holds_valid(region) is (expected > 0)


def test_draws_are_uniform_over_genotypes() -> None:
    """The two edges into one node, of which one allows a single operation and the others two."""
    allowed = dict(SPACE.region.allowed)
    first, *others = SPACE.nodes["normal", 3]
    allowed |= {first: ("skip_connect",)} | dict.fromkeys(others, ("skip_connect", "sep_conv_3x3"))
    generator, found = torch.Generator().manual_seed(int(torch.randint(10**6, ()))), Counter[tuple[str, ...]]()
    for _ in range(4000):
        arch = SPACE.uniform(Region(allowed), generator)
        found[tuple(name for name in (first, *others) if name in arch)] += 1
    shares = {pair: count / 4000 for pair, count in found.items()}
    assert shares[tuple(others)] == pytest.approx(4 / 8, abs=0.05)
    assert all(share == pytest.approx(2 / 8, abs=0.05) for pair, share in shares.items() if first in pair)


def weights(region: Region, best: dict[str, float]) -> dict[str, torch.Tensor]:
    """Flat, but for one candidate of some edges."""
    found = {}
    for name, allowed in region.allowed.items():
        found[name] = torch.full((len(allowed),), 1 / len(allowed))
        if name in best:
            found[name][-1] = best[name]
    return found


def test_an_edge_that_was_split_is_not_kept_for_that_alone() -> None:
    """With 3 of 7 operations left a flat weight is .333 instead of .143."""
    name = "normal/5<-4"
    region = SPACE.region.restrict(name, SPACE.candidates[:3])
    best = {"normal/5<-0": 0.16, "normal/5<-1": 0.15}
    released = Darts(DartsSpaceSettings(derivation="released"))
    assert name not in SPACE.derive(region, weights(region, best))
    assert name in released.derive(region, weights(region, best))
    for space in (SPACE, released):
        arch = space.derive(region, weights(region, best))
        assert space.valid(arch)
        assert arch["normal/5<-0"] == SPACE.candidates[-1]


def test_none_is_never_derived() -> None:
    space = Darts(DartsSpaceSettings(ops=8))
    strong = {name: torch.tensor([0.9] + [0.1 / 7] * 7) for name in space.region.allowed}
    assert space.valid(space.derive(space.region, strong))


def test_a_network_without_a_normal_cell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert Ended(["search", "--space", "darts", "--set", "space.cells=2"], capsys).refuses("space.cells", "3")
    layout = SPACE.layout(DartsSpaceSettings(cells=3), 3)
    assert {choice for _, block in layout.blocks for choice in block.choices} == SPACE.region.allowed.keys()


def test_the_normal_cells_alone_can_be_split() -> None:
    assert len(SPACE.splittable) == 28
    only = Darts(DartsSpaceSettings(split_cells="normal"))
    assert [choice.name for choice in only.splittable] == [name for name in only.region.allowed if "normal" in name]


@pytest.mark.parametrize("size", [4, 5, 7, 8])
def test_halving_rounds_up_as_convolutions_do(size: int) -> None:
    module, x = factorized_reduce(3, 5, Norm()).double(), torch.randn(2, 3, size, size, dtype=torch.float64)
    halving = module[1]
    assert isinstance(halving, Halving)
    shifted = pad(x.relu(), (0, 1, 0, 1))[:, :, 1:, 1:]
    apart = [conv2d(x.relu(), halving.even.weight, stride=2), conv2d(shifted, halving.odd.weight, stride=2)]
    torch.testing.assert_close(module(x), module[2](torch.cat(apart, dim=1)))
    assert module(x).shape == (2, 5, -(-size // 2), -(-size // 2))


def test_a_genotype_of_the_supernet_is_the_network_of_its_own() -> None:
    size = DartsSpaceSettings(channels=2, cells=3)
    layout = SPACE.layout(size, 3)
    network = build(layout, SPACE.region, 4, seed=1).double()
    arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(3))
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(extract(network, arch)(images, one_hot(arch)), network(images, one_hot(arch)))


def test_pools_are_normalised_in_supernets_only() -> None:
    pool: Operation = SPACE.layout(SPACE.paper_size, 3).operations["max_pool_3x3"]
    assert len(list(pool.factory(4, 4, 1, Norm(affine=False)).children())) == 2
    assert not list(pool.factory(4, 4, 1, Norm()).parameters())


def test_it_is_described_in_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(["space", "darts"], capsys)
    assert ended.status == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "1,930,618 parameters in the supernet" in " ".join(ended.out.split())
    assert "dil_conv_5x5" in ended.out
