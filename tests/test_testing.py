"""`cleave.testing.check_space` holds every space to the laws, and says in words which one is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from cleave.net import BlockModule, Gates, Operations, Place
from cleave.net.place import BUILDERS, Chosen, History
from cleave.space import Arch, Choice, Fixed, Layer, Layout, NetworkSize, Region, Space
from cleave.space.cells64 import Cells64
from cleave.space.layout import Block
from cleave.space.nb201 import NASBench201
from cleave.testing import Case, LawBroken, check_left_out, check_space
from tests.toys import TOYS, NamedSpace

CANDIDATES = ("nor_conv_1x1", "nor_conv_3x3", "skip_connect")


@pytest.mark.parametrize("kind", [NASBench201, Cells64, *TOYS], ids=lambda kind: kind.name)
def test_every_space_keeps_the_laws(kind: type[Space]) -> None:
    check_space(kind(), seed=int(torch.randint(10**6, ())))


class Plain(NamedSpace):
    """Three layers of the same shape, without a fault."""

    name = "plain"
    choices = tuple(Choice(f"layer{i}", CANDIDATES) for i in range(3))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        layers = [(choice.name, Layer(choice.name, size.channels, size.channels)) for choice in self.choices]
        return Layout((("stem", Fixed("conv_3x3_bn", image_channels, size.channels)), *layers), size.channels)


def test_a_plain_chain_keeps_them() -> None:
    check_space(Plain())


class NoChoices(Plain):
    choices = ()


class SameNames(Plain):
    choices = (Choice("layer0", CANDIDATES), Choice("layer0", CANDIDATES[:2]))


class Nowhere(Plain):
    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        whole = super().layout(size, image_channels)
        return Layout(whole.blocks[:-1], whole.features)


class Unknown(Plain):
    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        whole = super().layout(size, image_channels)
        return Layout((*whole.blocks, ("more", Layer("more", 4, 4))), whole.features)


class SameBlocks(Plain):
    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        whole = super().layout(size, image_channels)
        return Layout((*whole.blocks, whole.blocks[-1]), whole.features)


class NoOperation(Plain):
    choices = (*Plain.choices[:2], Choice("layer2", ("nor_conv_1x1", "nor_conv_9x9")))


class Forgetful(Plain):
    def parse(self, text: str) -> Arch:
        return dict(super().parse(text)) | {"layer1": "nor_conv_1x1"}


class OneText(Plain):
    def format(self, arch: Arch) -> str:
        return "the same"

    def parse(self, text: str) -> Arch:
        return Plain().uniform(self.region, torch.Generator())


class Overcounting(Plain):
    def count(self, region: Region) -> int:
        return super().count(region) + 1


class DrawingElsewhere(Plain):
    def uniform(self, region: Region, generator: torch.Generator) -> Arch:
        return super().uniform(self.region, generator)


class DerivingElsewhere(Plain):
    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        return {choice.name: choice.candidates[0] for choice in self.choices}


class DerivingInvalid(Plain):
    """Valid is what begins with another candidate than the first, which is nevertheless derived."""

    def valid(self, arch: Arch) -> bool:
        return arch["layer0"] != CANDIDATES[0]

    def holds_valid(self, region: Region) -> bool:
        return set(region.allowed["layer0"]) != {CANDIDATES[0]}

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        return {choice: allowed[0] for choice, allowed in region.allowed.items()}


class NeverValid(Plain):
    def valid(self, arch: Arch) -> bool:
        return False


DATA = {
    NoChoices: "has no choices",
    SameNames: r"names of choices are given once \(twice: layer0\)",
    Nowhere: r"every choice acts somewhere in the layout \(nowhere: layer2\)",
    Unknown: r"the layout acts on choices of the space only \(unknown: more\)",
    SameBlocks: r"names of blocks are given once",
    NoOperation: r"every region has a network \(operation: unknown 'nor_conv_9x9'; did you mean 'nor_conv_3x3'",
    Forgetful: r"parse is the inverse of format \(",
    OneText: r"parse is the inverse of format \('the same' is read as",
    Overcounting: r"count is how many `every` lists \(2 and 1\)",
    DrawingElsewhere: r"an architecture that is drawn lies in its region \(",
    DerivingElsewhere: r"the architecture that is derived lies in its region \(",
    DerivingInvalid: r"the architecture that is derived is valid \(",
    NeverValid: "holds_valid says whether a region holds a valid architecture",
}


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
def test_which_law_of_choices_texts_and_regions_is_broken_is_said(kind: type[Space]) -> None:
    with pytest.raises(LawBroken, match=f"^space plain: {DATA[kind]}"):
        check_space(kind())


@dataclass(frozen=True)
class Scale(Block):
    """A choice among factors for every channel, with a fault, or none ("")."""

    choice: str
    channels: int
    fault: str

    @property
    def choices(self) -> tuple[str, ...]:
        return (self.choice,)

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        return self.choices if self.choice in arch and self.fault != "live" else ()


class ScalePlace(Place):
    def __init__(self, spec: Scale, candidates: Sequence[str]) -> None:
        super().__init__()
        self.spec, self.choices, self.fault = spec, spec.choices, spec.fault
        wide = len(candidates) if self.fault == "shape" else 1
        self.shrink = 1 / len(candidates) if self.fault == "outputs" and candidates else 1.0
        self.factors = nn.ParameterDict({name: nn.Parameter(torch.rand(spec.channels * wide)) for name in candidates})

    def factor(self, name: str) -> Tensor:
        return self.shrink * self.factors[name][: self.spec.channels, None, None]

    def forward(self, x: Tensor, gates: Gates) -> Tensor:
        gate = gates.get(self.spec.choice)
        if gate is None:
            return x + sum(self.factors.values()).sum() if self.fault == "left out" else x
        return sum((x * self.factor(name) for name in gate.active), torch.zeros_like(x))

    def own(self, choice: str) -> Iterable[nn.Parameter]:
        if self.fault == "foreign":
            return [nn.Parameter(torch.zeros(1))]
        return list(self.factors.values())[self.fault == "own" :]

    def used(self, gates: Gates) -> Iterable[nn.Module]:
        return [self]

    def alone(self, arch: Arch) -> nn.Module:
        return Scaled(self.factor(arch[self.spec.choice])) if self.spec.choice in arch else nn.Identity()

    def extract(self, arch: Arch) -> Place:
        place = super().extract(arch)
        if self.fault == "extract" and isinstance(place, Chosen):
            place.module = nn.Sequential(place.module, nn.Tanh())
        if self.fault == "cost":
            place.register_parameter("idle", nn.Parameter(torch.zeros(7)))
        return place


class Scaled(nn.Module):
    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.factor = nn.Parameter(factor.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class ScaleBlock(BlockModule):
    def __init__(self, spec: Scale, region: Region, operations: Operations) -> None:
        super().__init__()
        self.place = ScalePlace(spec, region.allowed.get(spec.choice, ()))

    def forward(self, history: History, gates: Gates) -> History:
        return [self.place(history[-1], gates)]


class Scales(NamedSpace):
    """Two scales, of which architectures leave the last out; the blocks have a fault."""

    name = "scales"
    choices = (Choice("first", ("a", "b", "c")), Choice("last", ("a", "b")))

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        stem = ("stem", Fixed("conv_3x3_bn", image_channels, size.channels))
        scales = [(choice.name, Scale(choice.name, size.channels, self.fault)) for choice in self.choices]
        return Layout((stem, *scales), size.channels)

    def every(self, region: Region) -> Iterator[Arch]:
        return ({"first": name} for name in region.allowed["first"])

    def count(self, region: Region) -> int:
        return len(region.allowed["first"])

    def uniform(self, region: Region, generator: torch.Generator) -> Arch:
        return {"first": super().uniform(region, generator)["first"]}

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        return {"first": super().derive(region, weights)["first"]}


@pytest.fixture(autouse=True)
def _scales_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDERS, Scale, ScaleBlock)


NETWORKS = {
    "own": r"what the candidates of a choice share is used whichever runs \(first\)",
    "foreign": r"a choice's own parameters are parameters of the network \(first\)",
    "extract": r"the supernet under an architecture is the network extracted for it \(",
    "left out": r"the supernet under an architecture is the network extracted for it \(",
    "live": r"choices that are not live change nothing \(",
    "cost": r"costs are those counted on the network built alone \(\d+ parameters, \d+ counted\)",
    "shape": "a part of the space has parameters of its parent's names and shapes",
    "outputs": "a part of the space with its parent's weights has its parent's outputs",
}


def test_scales_without_a_fault_keep_them() -> None:
    check_space(Scales())


@pytest.mark.parametrize("fault", NETWORKS)
def test_which_law_of_networks_is_broken_is_said(fault: str) -> None:
    with pytest.raises(LawBroken, match=f"^space scales: {NETWORKS[fault]}"):
        check_space(Scales(fault))


def test_what_is_left_out_and_yet_changes_something_is_told() -> None:
    case = Case(Scales("left out"), NetworkSize(4, 1), (3, 8, 8), 5, torch.Generator())
    with pytest.raises(LawBroken, match="what an architecture leaves out changes nothing"):
        check_left_out(case, case.network(case.space.region), {"first": "a"})


def test_a_block_of_an_unknown_kind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(BUILDERS, Scale)
    with pytest.raises(LawBroken, match=r"every region has a network \(block first: nothing builds a Scale"):
        check_space(Scales())


def test_a_broken_law_is_a_value_error_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        check_space(Nowhere())
