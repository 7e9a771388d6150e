"""timm's MobileNetV3-Large in a supernet: the same function in every larger architecture; all of it learns."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import zip_longest

import pytest
import torch
from torch import Tensor, nn

from cleave.errors import UserError
from cleave.net import Gates, Network, build, one_hot
from cleave.ops.mobile import squeezed
from cleave.pretrained.mobilenetv3 import (
    BLOCKS,
    Part,
    arch_in,
    check,
    embed,
    embedded,
    fitted,
    has_classifier,
    shapes,
    units,
)
from cleave.space import Arch
from cleave.space.elastic import size_of
from cleave.space.ofa import MobileNetOfa, OfaSettings

pytest.importorskip("timm", reason="timm is not installed")

from tests.pretrained.nets import network

ARCH = "k3_e4 k3_e3 | k5_e3 k5_e3 k5_e3 | k3_e6 k3_e3 k3_e3 k3_e3 | k3_e6 k3_e6 | k5_e6 k5_e6 k5_e6"
LARGEST = " | ".join([" ".join(["k7_e6"] * 4)] * 5)
SIDES = {"imagenet": 64, "cifar": 32}


def space(**settings: object) -> MobileNetOfa:
    return MobileNetOfa(fitted(OfaSettings.model_validate({"stem": "imagenet", **settings}))[0])


def supernet(of: MobileNetOfa, classes: int = 10, running: bool = True) -> Network:
    """With running statistics, in evaluation mode and in float64."""
    layout = of.layout(of.settings, 3)
    made = build(layout, of.region, classes, random.getrandbits(32), replace(layout.shared, running=running))
    return made.eval().double()


def larger(of: MobileNetOfa) -> Arch:
    """A random architecture that is nowhere smaller than timm's network, and nowhere shallower."""
    least, allowed = arch_in(of, of.settings), of.region.allowed
    return of.trimmed({
        choice: random.choice([each for each in allowed[choice] if size_of(each) >= size_of(least.get(choice, each))])
        for choice in allowed
    })  # fmt: skip


def same(one: Tensor, other: Tensor) -> bool:
    """To 1e-9 of the largest number."""
    return bool((one - other).abs().max() <= 1e-9 * other.abs().max())


@pytest.mark.parametrize("number", range(50))
@torch.no_grad()
def test_it_computes_what_timms_network_computes(number: int) -> None:
    """As the architecture that it is, as larger ones, and as the largest; before its channels are sorted and after."""
    stem = ("imagenet", "cifar")[number % 2]
    theirs, of = network(stem=stem).double(), space(stem=stem)
    images = torch.randn(2, 3, SIDES[stem], SIDES[stem], dtype=torch.float64)
    expected, sorted_, unsorted = theirs(images), supernet(of), supernet(of)
    embed(sorted_, theirs.state_dict())
    unsorted.load_state_dict(embedded(unsorted.state_dict(), unsorted.layout, theirs.state_dict()))
    for ours in (sorted_, unsorted):
        for arch in (arch_in(of, of.settings), larger(of), of.parse(LARGEST)):
            assert same(ours(images, one_hot(arch)), expected), of.format(arch)
    smaller = of.parse(LARGEST.replace("e6", "e3"))
    assert not same(sorted_(images, one_hot(smaller)), expected)


@torch.no_grad()
def test_it_does_so_by_the_statistics_of_a_batch_too() -> None:
    """As supernets are trained, which keep none."""
    theirs, of = network().double().train(), space()
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    ours = supernet(of, running=False)
    embed(ours, theirs.state_dict())
    assert same(ours(images, one_hot(larger(of))), theirs(images))


@torch.no_grad()
def test_channels_that_matter_most_come_first() -> None:
    of, theirs = space(), network()
    ours = supernet(of)
    embed(ours, theirs.state_dict())
    for blocks, parts in zip(units(ours.layout), BLOCKS, strict=True):
        for name, part in zip(blocks, parts, strict=False):
            importance = ours.get_parameter(f"blocks.{name}.place.project.weight").abs().sum(dim=(0, 2, 3))
            assert (importance.diff() <= 0).all()
            assert int((importance > 0).sum()) == part.middle


def test_whatever_is_added_learns_within_two_steps() -> None:
    """Every parameter of the largest network, and of what is added every channel, and the ring around a kernel."""
    of, theirs = space(stem="cifar"), network()
    ours = supernet(of, running=False).train().float()
    ours.load_state_dict(embedded(ours.state_dict(), ours.layout, theirs.state_dict()))
    learns = moved(ours, one_hot(of.parse(LARGEST)))
    assert [name for name, each in learns.items() if not each.any() and "transforms" not in name] == []
    for blocks, parts in zip(units(ours.layout), BLOCKS, strict=True):
        for name, part in zip_longest(blocks, parts, fillvalue=Part(0, 7)):
            block = f"blocks.{name}.place"
            added = [learns[f"{block}.{layer}.weight"][part.middle :].flatten(1) for layer in ("expand", "depthwise")]
            added.append(learns[f"{block}.project.weight"][:, part.middle :].transpose(0, 1).flatten(1))
            if f"{block}.squeeze.reduce.weight" in learns:
                reduced, expanded = (learns[f"{block}.squeeze.{layer}.weight"] for layer in ("reduce", "expand"))
                middle = squeezed(part.middle) if part.middle else 0
                added += [reduced[middle:].flatten(1), expanded[:, middle:].transpose(0, 1).flatten(1)]
                added += [reduced[:, part.middle :].transpose(0, 1).flatten(1), expanded[part.middle :].flatten(1)]
            assert all(each.any(dim=1).all() for each in added), name
            edge = (7 - part.kernel) // 2
            ring = torch.ones(7, 7, dtype=torch.bool)
            ring[edge : 7 - edge, edge : 7 - edge] = False
            assert learns[f"{block}.depthwise.weight"].flatten(0, 1).any(dim=0)[ring].all(), name


def moved(ours: Network, gates: Gates) -> dict[str, Tensor]:
    """Where parameters had a gradient in one of two steps."""
    images, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    found = {name: torch.zeros_like(each, dtype=torch.bool) for name, each in ours.named_parameters()}
    for _ in range(2):
        ours.zero_grad()
        nn.functional.cross_entropy(ours(images, gates), labels).backward()
        with torch.no_grad():
            for name, each in ours.named_parameters():
                if each.grad is not None:
                    found[name] |= each.grad != 0
                    each -= 1e-2 * each.grad / each.grad.norm().clamp(min=1e-12)
    return found


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"joined": True}, ARCH),
        ({"stem": "cifar", "depths": [1, 2, 3, 4]}, ARCH),
        ({"kernels": [3, 7], "expansions": [4, 6]}, ARCH.replace("k5", "k7").replace("e3", "e4")),
        ({"kernels": [5], "expansions": [6]}, ARCH.replace("k3", "k5").replace("e3", "e6").replace("e4", "e6")),
        ({"depths": [4]}, " | ".join(" ".join([*unit.split(), *["k3_e3"] * 4][:4]) for unit in ARCH.split(" | "))),
    ],
)
@torch.no_grad()
def test_a_space_says_which_architecture_it_is(settings: dict[str, object], text: str) -> None:
    """The smallest that has it, whatever kernels, expansions and depths there are."""
    of, theirs = space(**settings), network().double()
    arch = arch_in(of, of.settings)
    assert of.format(arch) == text
    ours, images = supernet(of), torch.randn(1, 3, 64, 64, dtype=torch.float64)
    embed(ours, theirs.state_dict())
    if of.settings.stem == "imagenet":
        assert same(ours(images, one_hot(arch)), theirs(images))


def test_the_network_is_timms_to_the_last_tensor() -> None:
    state = network().state_dict()
    known = {name: shape for name, shape in shapes() if not name.startswith("classifier")}
    counts = {name for name in state if name.endswith("num_batches_tracked")}
    assert {
        name: tuple(state[name].shape) for name in state.keys() - counts - {"classifier.weight", "classifier.bias"}
    } == known
    check(state)
    check({name: each for name, each in state.items() if name in known})


def test_a_classifier_of_other_classes_is_new() -> None:
    of, theirs = space(), network(7).state_dict()
    assert has_classifier(theirs, 7)
    assert not has_classifier(theirs, 10)
    ours, new = supernet(of), supernet(of)
    new.load_state_dict(ours.state_dict())
    embed(ours, theirs)
    assert torch.equal(ours.classifier.weight, new.classifier.weight)
    assert not torch.equal(ours.get_parameter("head.0.0.weight"), new.get_parameter("head.0.0.weight"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"conv_stem.weight": None}, "has no conv_stem.weight"),
        ({"blocks.3.1.conv_dw.weight": torch.zeros(200, 1, 5, 5)},
         r"has blocks.3.1.conv_dw.weight of \[200, 1, 5, 5\], not \[200, 1, 3, 3\]"),
        ({"layer1.0.conv1.weight": torch.zeros(1)}, "has layer1.0.conv1.weight, which is of another network"),
        ({"bn1.bias": torch.full((16,), torch.nan)}, "has numbers in bn1.bias that are not finite"),
        ({"classifier.bias": torch.full((10,), torch.inf)}, "has numbers in classifier.bias that are not finite"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_refused(change: dict[str, Tensor | None], words: str) -> None:
    state = {**network().state_dict(), **change}
    with pytest.raises(ValueError, match=words):
        check({name: each for name, each in state.items() if each is not None})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"width": 0.5}, "space.width=0.5: mobilenetv3_large_100 has 1.0; give that, or leave it out"),
        ({"head_bias": False}, "space.head_bias=False: mobilenetv3_large_100 has True; give that"),
        ({"kernels": [3]}, r"space.kernels=\[3\]: mobilenetv3_large_100 needs 5 among them; add it, or leave the key"),
        ({"expansions": [3, 4]}, r"space.expansions=\[3, 4\]: mobilenetv3_large_100 needs 6 among them"),
        ({"depths": [2, 3]}, r"space.depths=\[2, 3\]: mobilenetv3_large_100 needs 4 among them"),
    ],
)
def test_a_space_without_room_for_it_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        fitted(OfaSettings.model_validate(given))


def test_sizes_that_were_not_given_are_set_and_told() -> None:
    sized, notes = fitted(OfaSettings(stem="imagenet"))
    assert (sized.width, sized.head_bias, sized.stem) == (1.0, True, "imagenet")
    assert [each.split(",")[0] for each in notes] == ["space.width=1.0", "space.head_bias=True"]
    assert fitted(sized) == (sized, [])
