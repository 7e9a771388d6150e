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
from cleave.engine.stop import NEVER, Stop
from cleave.net import BlockModule, Gates, Norm, Place, places
from cleave.net.place import History
from cleave.net.statistics import measuring
from cleave.study.record.supernet import Supernet

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

    def _block(self, depth: int, child: int) -> BlockModule:
        block = self.supernet.networks[child].blocks[self.blocks[depth]]
        assert isinstance(block, BlockModule)
        return block

    def _alike(self, depth: int, children: list[int]) -> list[list[int]]:
        """The children by what the block of that number runs for them."""
        groups: dict[Hashable, list[int]] = {}
        for child in children:
            key = running(self._block(depth, child), self.supernet.gates[child], self.kind.weights_only)
            groups.setdefault(key, []).append(child)
        return list(groups.values())

    def _through(self, block: BlockModule, gates: Gates, seen: Walked) -> Walked:
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


def running(block: nn.Module, gates: Gates, weights_only: bool) -> Hashable:
    """Equal where a block runs the same operations with the same tensors."""
    found = places(block)
    searched = {id(tensor) for place in found.values() for tensor in (*place.parameters(), *place.buffers())}
    fixed = tuple(tensor for tensor in identity(block, weights_only) if tensor not in searched)
    chosen = tuple(
        (name, *active(place, gates), *(identity(module, weights_only) for module in place.used(gates)))
        for name, place in found.items()
    )
    return fixed, chosen


def active(place: Place, gates: Gates) -> tuple[Hashable, ...]:
    """What runs there, by choice."""
    return tuple(gates[choice].active if choice in gates else None for choice in place.choices)


def identity(module: nn.Module, weights_only: bool) -> tuple[int, ...]:
    """Equal for modules of one kind whose tensors are the same ones."""
    buffers = () if weights_only else module.buffers()
    return tuple(id(tensor) for tensor in (*module.parameters(), *buffers))


class Remembered(nn.Module):
    """An operation that runs once for each of its inputs, for all children that run it with the same tensors."""

    def __init__(self, name: Hashable, operation: nn.Module, memory: Memory) -> None:
        super().__init__()
        self.name, self.memory = name, memory
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        key = self.name, id(x)
        if key not in self.memory:
            self.memory[key] = x, self.operation(x)  # the input is kept, so that no other can get its id
        return self.memory[key][1]


def remembering(block: BlockModule, memory: Memory) -> AbstractContextManager[None]:
    """Meanwhile the operations of a searched block remember."""

    def wrapped(place: str, module: nn.Module) -> Remembered:
        return Remembered((place, identity(module, weights_only=False)), module, memory)

    return replaced(block, wrapped)


@contextmanager
def replaced(block: BlockModule, wrapped: Callable[[str, nn.Module], nn.Module]) -> Iterator[None]:
    """The functions of a searched block wrapped, by name, and in the end as they were."""
    searched = [function for function in block.functions() if function.holder is not block]
    functions = [(function, function.holder.get_submodule(function.child)) for function in searched]
    try:
        for (name, holder, child), module in functions:
            holder.add_module(child, wrapped(name, module))
        yield
    finally:
        for (_, holder, child), module in functions:
            holder.add_module(child, module)
