"""Many children looked at together: what they have in common, from the image on, is computed once.

Children are walked block by block. Those that run the same operations with the same tensors on the same input stay
together and have one output; in the first block where they part, every operation runs once for each of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cleave.data.stream import Batch
from cleave.net import Edge, Gates, Norm
from cleave.net.blocks import CellBlock, FixedBlock, History
from cleave.net.statistics import measuring
from cleave.search.watch import NEVER, Stop
from cleave.study.supernet import Supernet

CHUNK = 2_000
"""Images that are walked through the blocks at once: bounds the memory."""

Memory = dict[Hashable, tuple[Tensor, Tensor]]
"""Outputs (with their inputs) by operation and input."""


@dataclass(frozen=True)
class Kind:
    """By which statistics children are judged.

    tracked: the running ones. batch: those of the batch that is judged. recalibrated: the mean over calibration batches
    under the child itself (Guo et al., "Single path one-shot", 2020).
    """

    name: str
    norm: Norm | None = None
    """Of a twin with the same weights; None for the network itself."""
    calibrated: bool = False
    evaluating: bool = True
    """Whether normalisations use their running statistics (torch's evaluation mode) when children are judged."""

    @property
    def weights_only(self) -> bool:
        """Whether children with the same weights are judged alike, whatever was tracked."""
        return self.norm is not None

    @staticmethod
    def of(name: str, norm: Norm) -> Kind:
        """`norm` is the supernet's own."""
        kinds = {
            "tracked": Kind("tracked"),
            "batch": Kind("batch", replace(norm, running=False), evaluating=False),
            "recalibrated": Kind("recalibrated", norm, calibrated=True),
        }
        return kinds[name]


class Judge:
    """Judges the children of a supernet by one kind of statistics; nothing of the supernet changes."""

    def __init__(self, supernet: Supernet, kind: Kind) -> None:
        self.kind = kind
        self.supernet = supernet if kind.norm is None else supernet.twin(kind.norm)
        self.blocks = list(supernet.common.blocks)

    @torch.no_grad()
    def hits(self, batches: Sequence[Batch], calibration: Sequence[Batch] = (), stop: Stop = NEVER) -> list[int]:
        """How many images each child gets right. `calibration` are training batches, for recalibrated only.

        Interrupted when `stop` asks for it, which is listened to block by block.
        """
        hits = [0] * len(self.supernet.children)
        for chunk in chunks(batches):
            labels = [labels for _, labels in chunk]
            for child, logits in self._logits(chunk, calibration if self.kind.calibrated else (), stop):
                hits[child] += sum(
                    int((each.argmax(dim=1) == right).sum()) for each, right in zip(logits, labels, strict=True)
                )
        return hits

    def _logits(
        self, batches: Sequence[Batch], calibration: Sequence[Batch], stop: Stop
    ) -> Iterator[tuple[int, list[Tensor]]]:
        """Every child with its logits of each batch."""
        networks = dict.fromkeys(self.supernet.networks)
        for network in networks:
            network.train(not self.kind.evaluating)
        seen = Walked(*([[beginning(images)] for images, _ in each] for each in (calibration, batches)))
        try:
            yield from self._walk(seen, 0, list(range(len(self.supernet.children))), stop)
        finally:
            for network in networks:
                network.train()

    def _walk(self, seen: Walked, depth: int, children: list[int], stop: Stop) -> Iterator[tuple[int, list[Tensor]]]:
        """From the block of that number on, for children that are the same up to there."""
        if depth == len(self.blocks):
            for child in children:
                classifier = self.supernet.networks[child].classifier
                yield child, [classifier(history[-1].mean(dim=(2, 3))) for history in seen.judged]
            return
        groups = self._alike(depth, children)
        memory: Memory | None = {} if len(groups) > 1 and not self.kind.calibrated else None
        for group in groups:
            stop.check()
            block, gates = self._block(depth, group[0]), self.supernet.gates[group[0]]
            with nullcontext() if memory is None else remembering(block, memory):
                after = self._through(block, gates, seen)
            yield from self._walk(after, depth + 1, group, stop)

    def _block(self, depth: int, child: int) -> nn.Module:
        return self.supernet.networks[child].blocks[self.blocks[depth]]

    def _alike(self, depth: int, children: list[int]) -> list[list[int]]:
        """The children by what the block of that number runs for them."""
        groups: dict[Hashable, list[int]] = {}
        for child in children:
            used = operations(self._block(depth, child), self.supernet.gates[child])
            key = tuple((name, identity(module, self.kind.weights_only)) for name, module in used)
            groups.setdefault(key, []).append(child)
        return list(groups.values())

    def _through(self, block: nn.Module, gates: Gates, seen: Walked) -> Walked:
        """One block further, its statistics measured anew first where they are."""
        calibration: list[History] = []
        if self.kind.calibrated:
            with measuring(block):
                calibration = [block(history, gates) for history in seen.calibration]
        return Walked(calibration, [block(history, gates) for history in seen.judged])


@dataclass(frozen=True)
class Walked:
    """The last outputs of each batch."""

    calibration: list[History]
    judged: list[History]


def beginning(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def chunks(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Batches in pieces of about `CHUNK` images."""
    piece: list[Batch] = []
    for batch in batches:
        piece.append(batch)
        if sum(len(labels) for _, labels in piece) >= CHUNK:
            yield piece
            piece = []
    if piece:
        yield piece


def operations(block: nn.Module, gates: Gates) -> list[tuple[str, nn.Module]]:
    """What a block runs, by what it is there for."""
    if isinstance(block, FixedBlock):
        return [("fixed", block.op)]
    before = list(enumerate(block.preprocess)) if isinstance(block, CellBlock) else []
    edges = [(name, module) for name, module in block.named_modules() if isinstance(module, Edge)]
    chosen = [(f"{name} {one}", edge.ops[one]) for name, edge in edges for one in gates[edge.choice].active]
    return [*((f"before {number}", module) for number, module in before), *chosen]


def identity(module: nn.Module, weights_only: bool) -> tuple[int, ...]:
    """Equal for modules of one kind whose tensors are the same ones."""
    buffers = () if weights_only else module.buffers()
    return tuple(id(tensor) for tensor in (*module.parameters(), *buffers))


class Remembered(nn.Module):
    """An operation that runs once for each of its inputs, whoever else runs it with the same tensors."""

    def __init__(self, name: Hashable, operation: nn.Module, memory: Memory) -> None:
        super().__init__()
        self.name, self.memory = name, memory
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        key = self.name, id(x)
        if key not in self.memory:
            self.memory[key] = x, self.operation(x)  # the input is kept, so that no other can get its id
        return self.memory[key][1]


def remembering(block: nn.Module, memory: Memory) -> AbstractContextManager[None]:
    """Meanwhile the operations of a searched block remember."""

    def wrapped(place: str, module: nn.Module) -> Remembered:
        return Remembered((place, identity(module, weights_only=False)), module, memory)

    return replaced(block, wrapped)


@contextmanager
def replaced(block: nn.Module, wrapped: Callable[[str, nn.Module], nn.Module]) -> Iterator[None]:
    """The block's preprocessing and candidates wrapped, by their place, and in the end as they were."""
    holders = [(edge.choice, edge.ops) for edge in block.modules() if isinstance(edge, Edge)]
    if isinstance(block, CellBlock):
        holders.append(("before", block.preprocess))  # type: ignore[arg-type]
    before = [dict(holder.named_children()) for _, holder in holders]
    try:
        for (place, holder), modules in zip(holders, before, strict=True):
            for name, module in modules.items():
                holder.add_module(name, wrapped(f"{place} {name}", module))
        yield
    finally:
        for (_, holder), modules in zip(holders, before, strict=True):
            for name, module in modules.items():
                holder.add_module(name, module)
