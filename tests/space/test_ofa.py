"""The space of Once-for-All: published networks, its size, its ends, ragged depths, and what it refuses."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

import pytest
import torch

from cleave.errors import UserError
from cleave.net import Network, build
from cleave.net.cost import Cost, Costs, cost_alone, costs
from cleave.space import Arch, Region, Space, find_space
from cleave.space.ofa import UNITS, MobileNetOfa, OfaSettings, depths
from cleave.space.registry import settings_from
from cleave.testing import check_space
from tests.tiny import Ended

SPACE = MobileNetOfa()
SMALL = MobileNetOfa(OfaSettings(kernels=[3, 5, 7], expansions=[3, 4, 6], depths=[1, 2]))
T2 = (
    "k7_e4 k7_e6 k5_e3 k3_e3 | k5_e3 k3_e4 k3_e4 k5_e4 | k3_e6 k3_e6 k7_e6 k7_e4 | k7_e4 k3_e6 k3_e4 k3_e6 | "
    "k3_e6 k7_e6 k3_e6 k3_e4"
)
T3 = (
    "k7_e3 k7_e3 k5_e4 k5_e4 | k5_e4 k5_e3 k7_e6 k3_e4 | k7_e6 k3_e4 k7_e3 k7_e6 | k7_e6 k7_e6 k3_e6 k3_e4 | "
    "k5_e6 k3_e6 k7_e6 k5_e3"
)
"""GM-OFA with two and three splits (GM-NAS, Table 5), at a width of 1.2."""
PUBLISHED = {
    T2: (
        9_264_056,
        {224: 587_180_080, 192: 433_049_792, 160: 302_631_856, 128: 195_926_272, 64: 53_652_160, 32: 18_083_632},
    ),
    T3: (
        9_242_168,
        {224: 584_450_288, 192: 431_039_680, 160: 301_230_704, 128: 195_023_360, 64: 53_413_568, 32: 18_011_120},
    ),
}
"""Parameters, and multiply-adds by resolution, with 1000 classes."""


def at(**settings: object) -> OfaSettings:
    return OfaSettings.model_validate({"width": 1.0, "stem": "imagenet", **settings})


def every(block: str, depth: int) -> str:
    return " | ".join([" ".join([block] * depth)] * 5)


def network_of(space: Space, region: Region | None = None) -> Network:
    return build(space.layout(space.usual_size, 3), region or space.region, 4, seed=0)


@pytest.mark.parametrize("text", PUBLISHED, ids=["two splits", "three splits"])
def test_published_networks_cost_what_is_published(text: str) -> None:
    parameters, by_side = PUBLISHED[text]
    layout, arch = SPACE.layout(at(width=1.2), 3), SPACE.parse(text)
    for side, multiply_adds in by_side.items():
        assert cost_alone(layout, arch, (3, side, side), 1000) == Cost(parameters, multiply_adds)
    assert SPACE.format(arch) == text
    assert cost_alone(SPACE.layout(at(width=1.2, head_bias=True), 3), arch, (3, 32, 32), 1000).parameters == (
        parameters + 1536
    )


def test_the_reference_data_says_the_same(shared: Path) -> None:
    for name, text in (("gm_ofa_t2_sub0_587M", T2), ("gm_ofa_t3_sub1_584M", T3)):
        file = shared / "data" / "mobilenet" / f"{name}.json"
        if not file.is_file():
            pytest.skip("the reference data has no MobileNets")
        told = json.loads(file.read_text())["computed"]
        assert PUBLISHED[text] == (told["params"], {int(side): count for side, count in told["macs"].items()})


ENDS = {
    (1.0, 224): (Cost(3_410_792, 121_278_672), Cost(7_664_760, 566_170_656)),
    (1.0, 64): (Cost(3_410_792, 12_457_152), Cost(7_664_760, 50_822_016)),
    (1.2, 224): (Cost(4_602_456, 193_078_200), Cost(10_701_632, 843_101_040)),
    (0.5, 224): (Cost(1_187_448, 39_801_560), Cost(2_411_840, 221_432_048)),
}


@pytest.mark.parametrize(("width", "side"), ENDS)
def test_the_ends_of_the_space_cost_what_was_counted(width: float, side: int) -> None:
    layout = SPACE.layout(at(width=width), 3)
    for text, cost in zip((every("k3_e3", 2), every("k7_e6", 4)), ENDS[width, side], strict=True):
        assert cost_alone(layout, SPACE.parse(text), (3, side, side), 1000) == cost


@pytest.mark.parametrize(
    ("width", "least", "most"),
    [(1.0, (35.3, 2.14), (179.7, 6.40)), (0.5, (11.4, 0.55), (70.5, 1.78)), (0.25, (4.45, 0.157), (31.5, 0.58))],
)
def test_so_do_those_for_small_images(width: float, least: tuple[float, float], most: tuple[float, float]) -> None:
    """In millions, to the digits that were written down."""
    layout = SPACE.layout(OfaSettings(width=width), 3)
    for text, (multiply_adds, parameters) in ((every("k3_e3", 2), least), (every("k7_e6", 4), most)):
        found = cost_alone(layout, SPACE.parse(text), (3, 32, 32), 10)
        assert found.multiply_adds / 1e6 == pytest.approx(multiply_adds, abs=0.06)
        assert found.parameters / 1e6 == pytest.approx(parameters, abs=0.006)


@pytest.fixture(scope="module")
def counted() -> Costs:
    return costs(SPACE, OfaSettings(), (3, 32, 32), 10)


def test_costs_add_up_at_ragged_depths(counted: Costs) -> None:
    generator, layout = torch.Generator(), SPACE.layout(OfaSettings(), 3)
    generator.seed()
    for _ in range(5):
        arch = per_unit(SPACE, generator)
        assert counted.of(arch) == cost_alone(layout, arch, (3, 32, 32), 10)
    ends = [cost_alone(layout, SPACE.parse(every(block, depth)), (3, 32, 32), 10) for block, depth in
            (("k3_e3", 2), ("k7_e6", 4))]  # fmt: skip
    for what in ("parameters", "multiply_adds"):
        assert counted.extremes(SPACE.parts(SPACE.region), what) == tuple(getattr(end, what) for end in ends)


def per_unit(space: Space, generator: torch.Generator) -> Arch:
    """One whose units differ in depth."""
    while True:
        arch = space.sample(space.region, generator)
        if len(set(depths(arch))) > 1:
            return arch


def test_it_has_as_many_architectures_as_published() -> None:
    assert SPACE.count(SPACE.region) == (9**2 + 9**3 + 9**4) ** 5 == 21_758_655_492_572_485_851
    assert len(UNITS) == 5


@pytest.mark.parametrize("joined", [False, True])
def test_it_keeps_the_laws(joined: bool) -> None:
    few = OfaSettings(kernels=[3, 5], expansions=[3, 4], depths=[1, 2], joined=joined)
    check_space(MobileNetOfa(few), seed=int(torch.randint(10**6, ())), draws=2)


def test_depths_are_drawn_as_often_as_they_have_architectures() -> None:
    """In a unit of one kernel and two expansions: 2 architectures of one block, 4 of two."""
    space = MobileNetOfa(OfaSettings(kernels=[3], expansions=[3, 4], depths=[1, 2]))
    generator = torch.Generator().manual_seed(0)
    drawn = [depth for _ in range(400) for depth in depths(space.sample(space.region, generator))]
    assert drawn.count(1) / len(drawn) == pytest.approx(1 / 3, abs=0.05)


def test_what_shallow_units_leave_out_counts_for_nothing() -> None:
    """The strongest of every choice, and of kernels and expansions those of blocks that run."""
    generator = torch.Generator()
    generator.seed()
    weights = {name: torch.rand(len(each), generator=generator) for name, each in SPACE.region.allowed.items()}
    strongest = {name: each[int(weights[name].argmax())] for name, each in SPACE.region.allowed.items()}
    derived = SPACE.derive(SPACE.region, weights)
    assert derived.items() <= strongest.items()
    assert depths(derived) == [int(strongest[f"depth{unit}"][1:]) for unit in range(1, 6)]


def test_a_completed_architecture_is_as_deep_as_it_can_be() -> None:
    region = SPACE.region.restrict("depth2", ("d2", "d3")).restrict("kernel7", ("k3", "k5"))
    arch = SPACE.parse(every("k3_e3", 2))
    completed = SPACE.completed(arch, region)
    assert depths(completed) == [4, 3, 4, 4, 4]
    assert (completed["kernel7"], completed["kernel8"], completed["expand7"]) == ("k5", "k7", "e6")
    assert {**completed, **arch} == {**completed, **dict.fromkeys((f"depth{unit}" for unit in range(1, 6)), "d2")}
    assert completed.keys() == region.allowed.keys()


@pytest.mark.parametrize(
    ("split_on", "joined", "kinds"),
    [
        (["kernel"], False, {"kernel"}),
        (["depth", "expand"], False, {"depth", "expand"}),
        (["kernel"], True, {"block"}),
        (["depth"], True, {"depth"}),
    ],
)
def test_choices_may_be_split_by_kind(split_on: list[str], joined: bool, kinds: set[str]) -> None:
    space = MobileNetOfa(OfaSettings.model_validate({"split_on": split_on, "joined": joined}))
    assert {choice.name.rstrip("0123456789") for choice in space.splittable} == kinds
    blocks = [choice for choice in space.splittable if not choice.name.startswith("depth")]
    assert all(len(choice.candidates) == (9 if joined else 3) for choice in blocks)


def test_kernel_and_expansion_may_be_one_choice() -> None:
    space = MobileNetOfa(OfaSettings(joined=True))
    assert space.count(space.region) == SPACE.count(SPACE.region)
    assert space.format(space.parse(T2)) == T2
    assert cost_alone(space.layout(at(width=1.2), 3), space.parse(T2), (3, 32, 32), 1000) == Cost(
        PUBLISHED[T2][0], PUBLISHED[T2][1][32]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k3_e3", "has 1 units, not 5 with | between them"),
        (every("k3_e3", 5), "unit 1: number of blocks: unknown '5'"),
        (every("k3_e3", 1), "unit 1: number of blocks: unknown '1'"),
        (every("k9_e3", 2), "unit 1, kernel1: unknown 'k9'"),
        (every("k3_e5", 2), "unit 1, expand1: unknown 'e5'"),
        (every("k3", 2), "unit 1: 'k3' is no kernel and expansion, as in k5_e4"),
    ],
)
def test_what_is_no_architecture_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        SPACE.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernels": [3, 9]}, "space.kernels: unknown '9'"),
        ({"expansions": [6, 3]}, r"space.expansions=\[6, 3\]: give one or more different ones, the smallest first"),
        ({"depths": []}, r"space.depths=\[\]: give one or more"),
        ({"depths": [5]}, "space.depths: unknown '5'"),
        ({"kernels": [3], "expansions": [4], "depths": [2]}, "one of each is no space"),
        ({"width": 0}, "space.width: .*greater than 0"),
        ({"width": "wide"}, "space.width: .*valid number"),
        ({"split_on": []}, "space.split_on: .*at least 1"),
    ],
)
def test_settings_that_make_no_space_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_space(settings_from({"name": "ofa", **given}))


def test_the_command_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(Ended(["space", "mobilenet-ofa", "--json"], capsys).out)
    assert told["size"] == SPACE.count(SPACE.region)
    assert f"{told['size']:.3e}" == "2.176e+19"


def test_blocks_are_numbered_over_all_units() -> None:
    names = [name for name, _ in SPACE.layout(OfaSettings(), 3).blocks]
    assert names == ["stem", "block0", *(f"block{number}" for number in range(1, 21)), "last"]
    firsts = [*accumulate([4] * 4, initial=1)]
    shapes = dict(SPACE.layout(OfaSettings(), 3).blocks)
    assert [shapes[f"block{number}"].stride for number in firsts] == [1, 2, 2, 1, 2]  # type: ignore[attr-defined]
