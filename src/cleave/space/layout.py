"""What a network of a space looks like, as plain data; `cleave.net` turns it into modules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cleave.ops import Norm, Operation, Operations
from cleave.space.choice import Arch

if TYPE_CHECKING:  # it is made of blocks
    from cleave.space.weight_copies import WeightCopies


@dataclass(frozen=True)
class Link:
    """A searched edge of a cell: node `target` receives `choice`'s operation applied to node `source`."""

    choice: str
    source: int
    target: int
    stride: int = 1


@dataclass(frozen=True)
class Graph:
    """A block as it is drawn: nodes by name, in order, and links between them.

    `outputs` are the nodes that are concatenated to its output, where that is no node itself. A `path` closes up where
    an architecture leaves a link out.
    """

    nodes: tuple[str, ...]
    links: tuple[Link, ...]
    outputs: tuple[int, ...] = ()
    path: bool = False


Counts = Callable[[str, int, int, int], int | None]
"""What an operation of (name, channels in, channels out, stride) adds to the depth of a way; None: it makes zeros."""


class Block(ABC):
    """One step of a network. A new kind is a subclass, and its module is registered with `cleave.net.builds`."""

    @property
    @abstractmethod
    def choices(self) -> tuple[str, ...]:
        """The choices that act in it, each once."""

    @abstractmethod
    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        """Those that its output depends on where `arch` is chosen; never one that `arch` leaves out.

        `operations` tells what the candidates do that are names of operations.
        """

    def deepest(self, arch: Arch, counts: Counts) -> int:
        """The most that the operations on a way from its input to its output count; 0 where there is no way.

        A kind that does not say it has no `Nonlinearity`.
        """
        raise AssertionError(f"{type(self).__name__} does not tell how deep it is")

    def copied(self, copies: WeightCopies) -> Block:
        """The block with copies of the weights of its candidates. Only a kind that says it itself can."""
        raise AssertionError(f"{type(self).__name__} has no copies of its weights")

    @property
    def graph(self) -> Graph:
        """What is drawn of it: its choices one after the other, unless a kind says otherwise."""
        links = tuple(Link(choice, number, number + 1) for number, choice in enumerate(self.choices))
        return Graph(("input", *self.choices), links, path=True)


@dataclass(frozen=True)
class Fixed(Block):
    """One operation that is not searched (a stem, a reduction, a last activation).

    What came before it is forgotten, unless it `keeps` the last output for a cell that looks further back.
    """

    operation: str
    channels_in: int
    channels_out: int
    stride: int = 1
    keeps: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        return ()

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        return ()


@dataclass(frozen=True)
class Layer(Block):
    """One searched operation on its own, as in chains of layers (MobileNet).

    An architecture that leaves its choice out goes past it, which only a layer that keeps the shape allows.
    """

    choice: str
    channels_in: int
    channels_out: int
    stride: int = 1
    copies: WeightCopies | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        return (self.choice,)

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        return self.choices if self.choice in arch else ()

    def deepest(self, arch: Arch, counts: Counts) -> int:
        shape = (self.channels_in, self.channels_out, self.stride)
        return counts(arch[self.choice], *shape) or 0 if self.choice in arch else 0

    def copied(self, copies: WeightCopies) -> Layer:
        return replace(self, copies=copies)


@dataclass(frozen=True)
class Cell(Block):
    """A directed acyclic graph of searched edges.

    Nodes 0 .. inputs-1 are the outputs of the last `inputs` blocks, the oldest first, each through its
    operation of `preprocess` (from its entry of `channels_in`) where there is one. Every other node is the
    sum of its links; those that an architecture leaves out do not run. The output is the concatenation of the
    nodes `outputs`.
    """

    channels: int
    links: tuple[Link, ...]
    outputs: tuple[int, ...]
    inputs: int = 1
    preprocess: tuple[str, ...] = ()
    channels_in: tuple[int, ...] = ()
    copies: WeightCopies | None = None

    def __post_init__(self) -> None:
        assert len(self.preprocess) == len(self.channels_in) in (0, self.inputs)
        assert all(link.source < link.target for link in self.links), "links point forward"

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(link.choice for link in self.links))

    @property
    def graph(self) -> Graph:
        names = [f"input {node}" if self.inputs > 1 else "input" for node in range(self.inputs)]
        names += [f"node {node}" for node in range(self.inputs, 1 + max(link.target for link in self.links))]
        if len(self.outputs) > 1:
            return Graph(tuple(names), self.links, self.outputs)
        names[self.outputs[0]] = "output"
        return Graph(tuple(names), self.links)

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        """On edges that come from an input and lead to an output.

        Candidates of a cell that has zeros are taken to make zeros of zeros, as those without bias and affine
        normalisation do.
        """
        running = [link for link in self.links if link.choice in arch]
        links = [link for link in running if not operations.is_zero(arch[link.choice])]
        reached, needed = set(range(self.inputs)), set(self.outputs)
        for link in sorted(links, key=lambda link: link.source):
            reached |= {link.target} if link.source in reached else set()
        for link in sorted(links, key=lambda link: -link.target):
            needed |= {link.source} if link.target in needed else set()
        return (link.choice for link in links if link.source in reached and link.target in needed)

    def deepest(self, arch: Arch, counts: Counts) -> int:
        depths = dict.fromkeys(range(self.inputs), 0)
        for link in sorted(self.links, key=lambda link: link.target):  # so that its source is settled
            if link.choice not in arch or link.source not in depths:
                continue
            own = counts(arch[link.choice], self.channels, self.channels, link.stride)
            if own is not None:
                depths[link.target] = max(depths.get(link.target, 0), depths[link.source] + own)
        return max((depths[node] for node in self.outputs if node in depths), default=0)

    def copied(self, copies: WeightCopies) -> Cell:
        return replace(self, copies=copies)


@dataclass(frozen=True)
class Head:
    """What follows the last block: global average pooling, `layers` of the pooled channels, dropout, a classifier.

    A layer is an operation on images of one pixel, as the 1x1 convolution and activation of MobileNetV3. `dropout` is
    the share of channels that is dropped in training, where nothing else is said (`cleave.net.noisy`).
    """

    layers: tuple[Fixed, ...] = ()
    dropout: float = 0.0


@dataclass(frozen=True)
class Auxiliary:
    """A second classifier, for training only, of what the block `after` gives, as in the retraining of DARTS.

    `operation` makes `features` channels of `channels_in`; then global average pooling and a linear classifier.
    `smallest`: pixels on a side of an image of which there is just enough left for it.
    """

    after: str
    operation: str
    channels_in: int
    features: int
    smallest: int = 1


@dataclass(frozen=True)
class Layout:
    """Named blocks in order, the last of which gives `features` channels; then a head, and an auxiliary one if any.

    `ends` names the blocks (and "head", "classifier") outside the body: the released code of GM-NAS leaves their
    gradients out of the matching score. `operations` are the space's own, by name: what they name is looked up there
    first, then among the registered ones (`cleave.ops`).
    """

    blocks: tuple[tuple[str, Block], ...]
    features: int
    ends: tuple[str, ...] = ()
    head: Head = Head()
    auxiliary: Auxiliary | None = None
    operations: Mapping[str, Operation] = field(default_factory=dict)
    norm: Norm = field(default_factory=Norm)
    """Of what is searched in a network that is trained by itself. What is not searched is always affine."""
    supernet_norm: Norm | None = None
    """Of what is searched in a supernet; None: the same, not affine, as in the search of NAS-Bench-201 and DARTS."""

    def __post_init__(self) -> None:
        width = self.features
        for layer in self.head.layers:
            if layer.channels_in != width:
                raise ValueError(f"head: {layer.operation} takes {layer.channels_in} channels, and is given {width}")
            width = layer.channels_out
        if not 0 <= self.head.dropout < 1:
            raise ValueError(f"head: dropout={self.head.dropout} is the share that is dropped, from 0 to below 1")
        names = [name for name, _ in self.blocks]
        if self.auxiliary is not None and self.auxiliary.after not in names:
            raise ValueError(f"auxiliary head: there is no block {self.auxiliary.after}; the last are {names[-3:]}")

    @property
    def classified(self) -> int:
        """The channels that the classifier is given."""
        return self.head.layers[-1].channels_out if self.head.layers else self.features

    @property
    def known(self) -> Operations:
        """What the names of operations mean, as a network has them that is trained by itself."""
        return Operations(self.operations, self.norm)

    @property
    def shared(self) -> Norm:
        """The normalisation of what is searched in a supernet."""
        return self.supernet_norm or replace(self.norm, affine=False)

    @property
    def inheriting(self) -> Layout:
        """The same of networks that are trained by themselves, but go on with a supernet's weights: they compute what
        the supernet computes, and may be affine where it is not."""
        affine = self.norm.affine or self.shared.affine
        return replace(self, norm=replace(self.shared, affine=affine, inherits=True))

    def live(self, arch: Arch) -> set[str]:
        """The choices that the network's outputs depend on where `arch` is chosen."""
        return {choice for _, block in self.blocks for choice in block.live(arch, self.known)}
