"""NAS-Bench-201: the official strings, the connected architectures, the published sizes."""

from __future__ import annotations

from math import prod
from pathlib import Path

import networkx
import numpy
import pytest
import torch

from cleave.errors import UserError
from cleave.net import build, count_parameters, one_hot
from cleave.space import NetworkSize, Region, find_space
from cleave.space.nb201 import EDGES, OPERATIONS, NASBench201
from cleave.space.sample import distinct, enumerate_valid

SPACE = NASBench201()


def random_arch(generator: torch.Generator) -> dict[str, str]:
    picks = torch.randint(len(OPERATIONS), (6,), generator=generator).tolist()
    return {choice.name: OPERATIONS[pick] for choice, pick in zip(SPACE.choices, picks, strict=True)}


@pytest.fixture
def generator() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


def test_there_are_15625_architectures_and_4096_without_none() -> None:
    assert SPACE.region.size == 15625
    assert find_space("nb201", 4).region.size == 4096


def test_the_supernet_at_the_published_size_has_the_published_parameters() -> None:
    supernet = build(SPACE.layout(SPACE.paper_size, image_channels=3), SPACE.region, classes=10, seed=0)
    assert count_parameters(supernet) == 1686106


def test_parse_undoes_format(generator: torch.Generator) -> None:
    for _ in range(100):
        arch = random_arch(generator)
        assert SPACE.parse(SPACE.format(arch)) == arch


def test_all_official_strings_are_read_and_written_alike(shared: Path) -> None:
    table = numpy.load(shared / "data" / "nasbench201" / "nb201_tss.npz")
    names = table["op_names"][table["ops"]]
    for row in names[:: len(names) // 500]:
        arch = dict(zip((choice.name for choice in SPACE.choices), row.tolist(), strict=True))
        assert SPACE.parse(SPACE.format(arch)) == arch
    assert [f"{target}<-{source}" for target, source in EDGES] == [choice.name for choice in SPACE.choices]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~3|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|conv~2|",
        "none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|\n",
    ],
)
def test_a_malformed_architecture_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match="architecture"):
        SPACE.parse(text)


def test_an_operation_outside_the_four_is_refused() -> None:
    text = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    with pytest.raises(UserError, match="edge 1<-0: unknown 'none'"):
        find_space("nasbench201", 4).parse(text)


def test_connected_means_that_a_path_without_none_exists(generator: torch.Generator) -> None:
    for _ in range(300):
        arch = random_arch(generator)
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(4))
        for target, source in EDGES:
            if arch[f"{target}<-{source}"] != "none":
                graph.add_edge(source, target)
        assert SPACE.valid(arch) == networkx.has_path(graph, 0, 3)


def test_a_region_holds_a_connected_architecture_iff_one_is_found_by_listing(generator: torch.Generator) -> None:
    for _ in range(100):
        allowed = {
            choice.name: ("none",) if torch.rand((), generator=generator) < 0.6 else ("none", "skip_connect")
            for choice in SPACE.choices
        }
        region = Region(allowed)
        assert SPACE.holds_valid(region) == bool(enumerate_valid(SPACE, region))


def test_samples_are_connected_allowed_and_cover_the_region(generator: torch.Generator) -> None:
    region = SPACE.region.restrict("3<-0", ["none"]).restrict("2<-1", ["nor_conv_3x3"])
    for choice in ("1<-0", "2<-0", "3<-1", "3<-2"):
        region = region.restrict(choice, ["none", "skip_connect"])
    drawn = {SPACE.format(SPACE.sample(region, generator)) for _ in range(300)}
    assert drawn == {SPACE.format(arch) for arch in enumerate_valid(SPACE, region)}


def test_a_sample_without_replacement_has_no_twins_and_stops_at_what_there_is(generator: torch.Generator) -> None:
    region = Region({choice.name: ("none", "skip_connect") for choice in SPACE.choices})
    everything = enumerate_valid(SPACE, region)
    few = distinct(SPACE, region, 10, generator)
    assert len({SPACE.format(arch) for arch in few}) == 10
    assert all(arch in region and SPACE.valid(arch) for arch in few)
    assert len(distinct(SPACE, region, 1000, generator)) == len(everything) < 64


def test_large_regions_are_sampled_without_listing(generator: torch.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleave.space.sample.ENUMERABLE", 1000)
    found = distinct(SPACE, SPACE.region, 50, generator)
    assert len({SPACE.format(arch) for arch in found}) == 50
    assert all(SPACE.valid(arch) for arch in found)


def test_the_strongest_connected_architecture_is_derived(generator: torch.Generator) -> None:
    """The strongest of every choice where that is connected; `none` is made strong, so that often it is not."""
    region = SPACE.region.restrict("3<-0", ["none", "avg_pool_3x3"])
    for strength in (1, 3, 30):
        weights = {}
        for choice, allowed in region.allowed.items():
            drawn = torch.rand(len(allowed), generator=generator)
            weights[choice] = drawn * torch.tensor([strength if op == "none" else 1 for op in allowed])
        products = {
            SPACE.format(arch): prod(float(weights[name][region.allowed[name].index(op)]) for name, op in arch.items())
            for arch in enumerate_valid(SPACE, region)
        }
        assert SPACE.format(SPACE.derive(region, weights)) == max(products, key=lambda text: products[text])


def test_where_nothing_is_connected_the_strongest_is_derived_all_the_same(generator: torch.Generator) -> None:
    region = SPACE.region.restrict("3<-0", ["none"]).restrict("1<-0", ["none"]).restrict("2<-0", ["none"])
    weights = {choice: torch.rand(len(allowed), generator=generator) for choice, allowed in region.allowed.items()}
    arch = SPACE.derive(region, weights)
    for choice, allowed in region.allowed.items():
        assert weights[choice][allowed.index(arch[choice])] == weights[choice].max()


@pytest.mark.parametrize("name", ["nasbench201", "NAS-Bench-201", "nas_bench_201", "NB201"])
def test_the_space_is_found_however_it_is_spelled(name: str) -> None:
    assert find_space(name).name == "nasbench201"


def test_unknown_spaces_and_operations_are_named() -> None:
    with pytest.raises(UserError, match="did you mean 'nasbench201'"):
        find_space("nasbench202")
    with pytest.raises(UserError, match=r"space.ops: unknown 'sep_conv'"):
        find_space("nasbench201", ["none", "sep_conv"])
    with pytest.raises(UserError, match=r"space.ops: unknown '3'"):
        find_space("nasbench201", 3)
    with pytest.raises(UserError, match=r"space.ops: give two or more"):
        find_space("nasbench201", ["none"])


@pytest.mark.parametrize("size", [8, 15, 16, 28])
@pytest.mark.parametrize("cells", [1, 2])
def test_any_size_of_image_and_network_runs(size: int, cells: int) -> None:
    network = build(SPACE.layout(NetworkSize(2, cells), 1), SPACE.region, classes=3, seed=0)
    arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(0))
    assert network(torch.randn(4, 1, size, size), one_hot(arch)).shape == (4, 3)
