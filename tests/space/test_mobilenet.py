"""The space of ProxylessNAS: published networks, its size, the blocks that may be left out, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cleave.errors import UserError
from cleave.net import build, count_parameters, extract, one_hot
from cleave.net.cost import Cost, cost_alone, costs
from cleave.ops.mobile import inverted, whole
from cleave.space import Region, find_space
from cleave.space.mobilenet import OPERATIONS, ZERO, MobileNetProxyless, MobileNetSettings
from cleave.testing import check_space
from tests.tiny import Ended

SPACE = MobileNetProxyless()
GM = (
    "7x7_e6 5x5_e6 5x5_e6 5x5_e6 7x7_e6 5x5_e6 3x3_e6 5x5_e6 7x7_e6 3x3_e6 5x5_e6 3x3_e6 5x5_e6 3x3_e6 3x3_e6 3x3_e6 "
    "7x7_e6 7x7_e6 7x7_e6 7x7_e6 3x3_e6"
)
"""GM-Proxyless of GM-NAS (Table 5)."""
GPU = (
    "5x5_e3 zero zero zero 7x7_e3 zero zero 3x3_e3 7x7_e6 zero zero 5x5_e3 5x5_e6 zero 3x3_e3 5x5_e3 7x7_e6 7x7_e6 "
    "7x7_e6 5x5_e6 7x7_e6"
)
"""ProxylessNAS-GPU, on its wider backbone (Cai et al., 2019)."""
PUBLISHED = {
    ("proxyless", GM): (
        4_895_208,
        {224: 529_670_912, 192: 389_485_568, 160: 270_867_200, 128: 173_815_808, 64: 44_413_952, 32: 12_063_488},
    ),
    ("proxyless-gpu", GPU): (
        7_119_848,
        {224: 465_260_160, 192: 342_282_240, 160: 238_224_000, 128: 153_085_440, 64: 39_567_360, 32: 11_187_840},
    ),
}
"""Parameters, and multiply-adds by resolution, with 1000 classes."""
SMALL = MobileNetSettings(width=0.25)


def at(**settings: object) -> MobileNetSettings:
    return MobileNetSettings.model_validate({"width": 1.0, "stem": "imagenet", **settings})


@pytest.mark.parametrize(("backbone", "text"), PUBLISHED)
def test_published_networks_cost_what_is_published(backbone: str, text: str) -> None:
    parameters, by_side = PUBLISHED[backbone, text]
    layout, arch = SPACE.layout(at(backbone=backbone), 3), SPACE.parse(text)
    for side, multiply_adds in by_side.items():
        assert cost_alone(layout, arch, (3, side, side), 1000) == Cost(parameters, multiply_adds)


@pytest.mark.parametrize(
    ("text", "size", "image", "classes", "cost"),
    [
        (" ".join(["7x7_e6"] * 21), at(), 224, 1000, Cost(5_103_336, 606_590_720)),
        (" ".join(["3x3_e6"] * 21), at(), 128, 1000, Cost(4_684_776, 155_187_200)),
        (" ".join(["3x3_e3"] * 21), at(), 224, 1000, Cost(3_191_928, 257_422_208)),
        (" ".join(["7x7_e6"] * 21), at(width=0.5), 224, 1000, Cost(2_505_256, 239_263_200)),
        (" ".join(["7x7_e6"] * 21), at(stem="cifar"), 32, 10, Cost(3_835_146, 187_834_880)),
        (" ".join(["7x7_e6"] * 21), at(stem="cifar", width=0.5), 32, 10, Cost(1_237_066, 74_379_264)),
    ],
)
def test_the_ends_of_the_space_cost_what_was_counted(
    text: str, size: MobileNetSettings, image: int, classes: int, cost: Cost
) -> None:
    found = costs(SPACE, size, (3, image, image), classes)
    assert found.of(SPACE.parse(text)) == cost


def test_the_smallest_leaves_out_all_that_may_be_left_out() -> None:
    least = " ".join(ZERO if ZERO in choice.candidates else "3x3_e3" for choice in SPACE.choices)
    found = costs(SPACE, at(), (3, 224, 224), 1000)
    assert found.of(SPACE.parse(least)) == Cost(2_154_984, 102_528_896)
    assert found.extremes(SPACE.parts(SPACE.region), "multiply_adds") == (102_528_896, 606_590_720)


def test_the_reference_data_says_the_same(shared: Path) -> None:
    for name, (backbone, text) in zip(("gm_proxyless_t2_sub1", "proxyless_gpu_upstream"), PUBLISHED, strict=True):
        file = shared / "data" / "mobilenet" / f"{name}.json"
        if not file.is_file():
            pytest.skip("the reference data has no MobileNets")
        told = json.loads(file.read_text())["computed"]
        assert PUBLISHED[backbone, text] == (
            told["params"],
            {int(side): count for side, count in told["macs"].items()},
        )


def test_it_has_as_many_architectures_as_published() -> None:
    assert SPACE.count(SPACE.region) == 6**6 * 7**15 == 221_502_229_807_900_608
    without = [int(choice.name.removeprefix("block")) for choice in SPACE.choices if ZERO not in choice.candidates]
    assert without == [1, 5, 9, 13, 17, 21]


def test_it_keeps_the_laws() -> None:
    few = MobileNetProxyless(MobileNetSettings(ops=["3x3_e3", "5x5_e6", ZERO]))
    check_space(few, seed=int(torch.randint(10**6, ())))


def test_a_block_is_beside_its_input_where_it_keeps_the_shape() -> None:
    norm = torch.nn.BatchNorm2d
    for channels_out, stride, beside in ((8, 1, True), (8, 2, False), (16, 1, False)):
        block = inverted((8, channels_out, stride), 24, 5, norm)  # type: ignore[arg-type]
        x = torch.randn(4, 8, 8, 8)
        out = block.body(x)
        torch.testing.assert_close(block(x), x + out if beside else out)


def test_a_block_that_is_left_out_hands_on_what_it_gets() -> None:
    region = Region({choice.name: choice.candidates[-1:] for choice in SPACE.choices})  # zero where it is offered
    network = build(SPACE.layout(SMALL, 1), region, 3, seed=0)
    arch = {choice: candidates[0] for choice, candidates in region.allowed.items()}
    x = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(network(x, one_hot(arch)), extract(network, arch)(x, one_hot(arch)))
    assert count_parameters(network) == cost_alone(SPACE.layout(SMALL, 1), arch, (1, 32, 32), 3).parameters


def test_multiply_adds_are_half_the_operations_that_torch_counts() -> None:
    layout = SPACE.layout(SMALL, 3)
    for _ in range(3):
        arch = SPACE.sample(SPACE.region, torch.Generator())
        network = build(layout, Region.of(arch), 10, 0, layout.norm)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 3, 32, 32), one_hot(arch))
        assert cost_alone(layout, arch, (3, 32, 32), 10).multiply_adds == counter.get_total_flops() // 2


def test_an_image_of_32_pixels_ends_as_4_by_4() -> None:
    network = build(SPACE.layout(SMALL, 3), SPACE.region, 10, seed=0)
    arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(0))
    history = [torch.zeros(2, 3, 32, 32)]
    for block in network.blocks.values():
        history = block(history, one_hot(arch))
    assert history[-1].shape == (2, 1280, 4, 4)


@pytest.mark.parametrize(("channels", "rounded"), [(4, 8), (16, 16), (10, 16), (19.2, 24), (89.6, 88), (115.2, 112)])
def test_channels_are_rounded_to_multiples_of_eight(channels: float, rounded: int) -> None:
    """To the nearest one, never by more than a tenth down."""
    assert whole(channels) == rounded


def test_architectures_are_read_as_they_are_written() -> None:
    for _ in range(5):
        arch = SPACE.sample(SPACE.region, torch.Generator())
        assert SPACE.parse(SPACE.format(arch)) == arch
    with pytest.raises(UserError, match="has 2 operations, not one for each of 21 blocks"):
        SPACE.parse("3x3_e3 zero")
    with pytest.raises(UserError, match=r"block1.*unknown 'zero'"):
        SPACE.parse(" ".join([ZERO] * 21))
    with pytest.raises(UserError, match=r"block2.*unknown '9x9_e3'"):
        SPACE.parse(" ".join(["3x3_e3", "9x9_e3", *["3x3_e3"] * 19]))


def test_fewer_operations_may_be_offered() -> None:
    few = find_space(MobileNetSettings(ops=["5x5_e6", ZERO, "3x3_e3"]))
    assert [len(choice.candidates) for choice in few.choices[:3]] == [2, 3, 3]
    assert find_space(MobileNetSettings(ops=6)).choices[1].candidates == OPERATIONS
    with pytest.raises(UserError, match=r"space.ops.*unknown '4x4'"):
        find_space(MobileNetSettings(ops=["3x3_e3", "4x4"]))
    with pytest.raises(UserError, match=r"space.ops: block1 would have no choice"):
        find_space(MobileNetSettings(ops=["3x3_e3", ZERO]))


def test_it_is_described_at_its_published_size(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(["space", "proxyless", "--json"], capsys)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert (told["size"], told["image_size"], told["classes"]) == (221_502_229_807_900_608, 224, 1000)
    assert told["multiply_adds"] == {"min": 102_528_896, "max": 606_590_720}


@pytest.mark.parametrize("name", ["mobilenet-proxyless", "mobilenet-ofa"])
@pytest.mark.parametrize("command", ["search", "train"])
def test_images_too_small_for_the_strides_are_refused(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Published strides make a pixel of 32, those for small images a pixel of 8."""
    space = find_space(name)
    assert [space.smallest_side(space.settings_class(name=name, stem=stem)) for stem in ("imagenet", "cifar")] == [
        32,
        8,
    ]
    arch = space.format(space.sample(space.region, torch.Generator().manual_seed(0)))
    words = [arch] if command == "train" else []
    sizes = ["space.stem=imagenet", "data.image_size=16", "data.limit=200"]
    flags = [word for each in sizes for word in ("--set", each)] if command == "search" else sizes
    ended = Ended([command, *words, "--space", name, *flags, "--out", str(tmp_path / "run")], capsys)
    assert ended.refuses("images of 16 pixels", f"the strides of {name}", "data.image_size=32", "space.stem=cifar")
    assert not (tmp_path / "run").exists()
