"""What a network of a space looks like, as plain data; `cleave.net` turns it into modules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fixed:
    """One operation that is not searched (a stem, a reduction, a last activation)."""

    operation: str
    channels_in: int
    channels_out: int
    stride: int = 1


@dataclass(frozen=True)
class Layer:
    """One searched operation on its own, as in chains of layers (MobileNet)."""

    choice: str
    channels_in: int
    channels_out: int
    stride: int = 1


@dataclass(frozen=True)
class Link:
    """A searched edge of a cell: node `target` receives `choice`'s operation applied to node `source`."""

    choice: str
    source: int
    target: int
    stride: int = 1


@dataclass(frozen=True)
class Cell:
    """A directed acyclic graph of searched edges.

    Nodes 0 .. inputs-1 are the outputs of the last `inputs` blocks, the oldest first, each through its
    operation of `preprocess` (from its entry of `channels_in`) where there is one. Every other node is the
    sum of its links. The output is the concatenation of the nodes `outputs`.
    """

    channels: int
    links: tuple[Link, ...]
    outputs: tuple[int, ...]
    inputs: int = 1
    preprocess: tuple[str, ...] = ()
    channels_in: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.preprocess) == len(self.channels_in) in (0, self.inputs)
        assert all(link.source < link.target for link in self.links), "links point forward"


Block = Fixed | Layer | Cell


@dataclass(frozen=True)
class Layout:
    """Named blocks in order, then global average pooling and a linear classifier over `features` channels.

    `ends` names the blocks (and "classifier") outside the body: the released code of GM-NAS leaves their
    gradients out of the matching score.
    """

    blocks: tuple[tuple[str, Block], ...]
    features: int
    ends: tuple[str, ...] = ()
