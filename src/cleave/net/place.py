"""The protocol of what is searched: a place in a network answers for itself what belongs to which choice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from torch import Tensor, nn

from cleave.net.gates import Gates
from cleave.ops import Operations
from cleave.space import Arch, Region
from cleave.space.layout import Block

History = list[Tensor]
"""The outputs of the last blocks, the newest last."""

Index = tuple[slice, ...]
"""What part of a tensor is meant."""


class Function(NamedTuple):
    """A part that is a function of its input and its tensors alone, whatever the gates: child `child` of `holder`."""

    name: str
    holder: nn.Module
    child: str


class Place(nn.Module, ABC):
    """Where choices act on an input, which is the first argument of `forward`."""

    choices: tuple[str, ...]
    """Those that meet here."""

    @abstractmethod
    def own(self, choice: str) -> Iterable[nn.Parameter]:
        """The parameters that the candidates of `choice`, one of `choices`, do not share."""

    def common(self, choice: str, candidates: Sequence[str]) -> Mapping[Tensor, Index]:
        """Which part these candidates of `choice` share, of parameters of which they do not share all or nothing."""
        return {}

    def sort_channels(self, trained: Collection[str]) -> None:
        """Puts the channels first that matter most, where candidates take the first ones; its largest candidates do as
        before, and so do those that are `trained`."""

    @abstractmethod
    def used(self, gates: Gates) -> Iterable[nn.Module]:
        """The modules that run under these gates."""

    @abstractmethod
    def alone(self, arch: Arch) -> nn.Module:
        """What is left for one architecture: a plain module with the same outputs, parameters that it uses and no more.

        `arch` may leave choices out. Tensors may be the place's own.
        """

    def does(self, gates: Gates) -> Hashable:
        """Equal for gates under which it runs the same."""
        return tuple(gates[choice].active if choice in gates else None for choice in self.choices)

    def extract(self, arch: Arch) -> Place:
        """A place for `arch` alone, which takes this one's in a network of its own."""
        return Chosen(self.choices, self.alone(arch))

    def functions(self) -> Iterable[Function]:
        """Its parts whose outputs can be kept instead of computed again; none where nobody says so."""
        return ()


class Chosen(Place):
    """A place where everything is chosen: a plain module, whatever the gates."""

    def __init__(self, choices: tuple[str, ...], module: nn.Module) -> None:
        super().__init__()
        self.choices, self.module = choices, module

    def forward(self, x: Tensor, gates: Gates) -> Tensor:
        output: Tensor = self.module(x)
        return output

    def own(self, choice: str) -> Iterable[nn.Parameter]:
        return self.parameters()

    def used(self, gates: Gates) -> Iterable[nn.Module]:
        return [self.module]

    def alone(self, arch: Arch) -> nn.Module:
        return self.module


class BlockModule(nn.Module, ABC):
    """The module of a block of a layout. What of it depends on choices is in places."""

    @abstractmethod
    def forward(self, history: History, gates: Gates) -> History:
        """The last outputs of the network with this block's own."""

    def functions(self) -> Iterable[Function]:
        """As of a place, of the whole block."""
        for name, place in places(self).items():
            for function in place.functions():
                yield function._replace(name=f"{name} {function.name}")


def places(module: nn.Module) -> dict[str, Place]:
    """Every place in a network or block, by name."""
    return {name: each for name, each in module.named_modules() if isinstance(each, Place)}


Spec = TypeVar("Spec", bound=Block)
Builder = Callable[[Spec, Region, Operations], BlockModule]
BUILDERS: dict[type[Block], Builder[Block]] = {}


def builds(kind: type[Spec]) -> Callable[[Builder[Spec]], Builder[Spec]]:
    """Registers what makes the module of a kind of block: from (block, region, operations of what is searched)."""

    def register(builder: Builder[Spec]) -> Builder[Spec]:
        BUILDERS[kind] = cast("Builder[Block]", builder)
        return builder

    return register


def make_block(name: str, spec: Block, region: Region, operations: Operations) -> BlockModule:
    """The module of a block; ValueError for an unknown kind, or one whose places are not where its choices act."""
    builder = BUILDERS.get(type(spec))
    if builder is None:
        raise ValueError(
            f"block {name}: nothing builds a {type(spec).__name__}; register what does with cleave.net.builds"
        )
    module = builder(spec, region, operations)
    if not isinstance(module, BlockModule):
        raise ValueError(f"block {name}: {type(module).__name__} is no cleave.net.BlockModule; make it a subclass")
    acting = {choice for choice in spec.choices if choice in region.allowed}
    answered = {choice for place in places(module).values() for choice in place.choices}
    if not acting <= answered <= set(spec.choices):
        raise ValueError(
            f"block {name}: a {type(spec).__name__} has the choices {sorted(acting)}, its places those of "
            f"{sorted(answered)}; every choice needs a cleave.net.Place that answers for it"
        )
    return module
