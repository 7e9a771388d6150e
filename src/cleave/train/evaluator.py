"""Children judged together: what they have in common, from the image on, is computed once.

Children are walked block by block. Those that run the same operations with the same tensors on the same input stay
together and have one output; in the first block where they part, an operation is not run again on the input that it
ran on last.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cleave.data.stream import Batch
from cleave.engine.stop import NEVER, Stop
from cleave.net import BlockModule, Gates, Network, places
from cleave.net.place import History
from cleave.train.statistics import Statistics, measured, normalisations, put_back

CHUNK = 2_000
"""Images that are walked through the blocks at once, by default: bounds the memory."""

Memory = dict[Hashable, tuple[Tensor, Tensor]]
"""The last input and output, by operation."""


class Child(NamedTuple):
    """An architecture, as the gates under which a network runs it."""

    network: Network
    gates: Gates


Spot = tuple[int, int]
"""Where children are that stay together: in front of which block, and the first of them."""


class Walked(NamedTuple):
    """The last outputs of each batch that is judged, and of each that statistics are measured on.

    `known`: the statistics that were measured, by spot. They are measured with the first piece of the images, and no
    calibration images are walked with the others.
    """

    judged: list[History]
    calibration: list[History]
    known: dict[Spot, list[Tensor]]


class Evaluator:
    """Judges children under the weights of their networks as these are then. Nothing of the networks changes.

    chunk: images that are judged at once, at least a batch. half: passes in bfloat16.
    """

    def __init__(self, statistics: Statistics, chunk: int = CHUNK, half: bool = False) -> None:
        self.statistics, self.chunk, self.half = statistics, chunk, half
        self.twins: dict[Network, Network] = {}

    @torch.inference_mode()
    def hits(
        self,
        children: Sequence[Child],
        batches: Sequence[Batch],
        calibration: Sequence[Batch] = (),
        stop: Stop = NEVER,
    ) -> Tensor:
        """How many images of each class each child gets right, [children, classes] on the CPU.

        `calibration`: training batches, for statistics that are calibrated. Interrupted when `stop` asks for it, which
        is heard block by block.
        """
        hits = torch.zeros(len(children), children[0].network.classifier.out_features, dtype=torch.int64)
        for child, logits, labels in self.logits(children, batches, calibration, stop):
            right = labels[logits.argmax(dim=1) == labels]
            hits[child] += right.bincount(minlength=hits.shape[1]).cpu()
        return hits

    def logits(
        self,
        children: Sequence[Child],
        batches: Sequence[Batch],
        calibration: Sequence[Batch] = (),
        stop: Stop = NEVER,
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """(number of a child, its logits [n, classes], the labels [n]) piece by piece; arguments as in `hits`."""
        for network, _ in children:
            if network not in self.twins:
                self.twins[network] = self.statistics.of(network)
        own = [Child(self.twins[network], gates) for network, gates in children]
        known: dict[Spot, list[Tensor]] = {}
        for chunk in chunks(batches, self.chunk):
            labels = torch.cat([labels for _, labels in chunk])
            judged = [[begin(images)] for images, _ in chunk]
            shown = [] if known else [[begin(images)] for images, _ in calibration]
            seen = Walked(judged, shown, known)
            for child, logits in self._passing(self._walk(own, seen, 0, list(range(len(own))), stop), labels.device):
                yield child, torch.cat(logits), labels

    def _passing(
        self, walk: Iterator[tuple[int, list[Tensor]]], device: torch.device
    ) -> Iterator[tuple[int, list[Tensor]]]:
        """The same without gradients and in the evaluator's precision.

        Piece by piece: neither may last while others go on, since the end of the one ends the other too.
        """
        while True:
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.half):
                found = next(walk, None)
            if found is None:
                return
            yield found

    def _walk(
        self, own: Sequence[Child], seen: Walked, depth: int, together: list[int], stop: Stop
    ) -> Iterator[tuple[int, list[Tensor]]]:
        """Every child with its logits of each batch, from a block on up to which they are the same."""
        first = own[together[0]]
        while depth < len(first.network.blocks):
            stop.check()
            groups = alike([own[child] for child in together], depth, self.statistics.tracked)
            if len(groups) > 1:
                yield from self._part(own, seen, depth, [[together[i] for i in group] for group in groups], stop)
                return
            seen = self._one_on(first, seen, (depth, together[0]))
            depth += 1
        for child in together:
            yield child, self._classified(own[child], seen, (depth, child))

    def _part(
        self, own: Sequence[Child], seen: Walked, depth: int, groups: list[list[int]], stop: Stop
    ) -> Iterator[tuple[int, list[Tensor]]]:
        """The same where a block is not the same for all: group by group."""
        memory: Memory = {}
        for group in groups:
            stop.check()
            block = block_of(own[group[0]], depth)
            with nullcontext() if self.statistics.calibrated else remembering(block, memory):
                after = self._one_on(own[group[0]], seen, (depth, group[0]))
            yield from self._walk(own, after, depth + 1, group, stop)

    def _one_on(self, child: Child, seen: Walked, spot: Spot) -> Walked:
        """One block further."""
        block = block_of(child, spot[0])
        return self._through(block, child.gates, partial(block, gates=child.gates), seen, spot)

    def _classified(self, child: Child, seen: Walked, spot: Spot) -> list[Tensor]:
        """Logits of each batch that is judged."""
        network = child.network
        if not normalisations(network.head):
            return [network.classify(history) for history in seen.judged]
        after = self._through(network.head, child.gates, lambda history: [network.classify(history)], seen, spot)
        return [logits for (logits,) in after.judged]

    def _through(
        self, part: nn.Module, gates: Gates, run: Callable[[History], History], seen: Walked, spot: Spot
    ) -> Walked:
        """A part of the network further, its statistics measured first where they are, or put back."""
        if not self.statistics.calibrated:
            return Walked([run(history) for history in seen.judged], [], seen.known)
        norms, calibration = running_norms(part, gates), list[History]()
        if spot in seen.known:
            put_back(norms, seen.known[spot])
        else:
            with self.statistics.measuring(part, norms) as count:
                for history in seen.calibration:
                    count(len(history[-1]))
                    calibration.append(run(history))
            seen.known[spot] = measured(norms)
        return Walked([run(history) for history in seen.judged], calibration, seen.known)


def begin(images: Tensor) -> Tensor:
    """Images as blocks take them."""
    return images.contiguous(memory_format=torch.channels_last)


def chunks(batches: Sequence[Batch], images: int = CHUNK) -> Iterator[list[Batch]]:
    """Batches in pieces of about `images` images."""
    piece: list[Batch] = []
    for batch in batches:
        piece.append(batch)
        if sum(len(labels) for _, labels in piece) >= images:
            yield piece
            piece = []
    if piece:
        yield piece


def block_of(child: Child, depth: int) -> BlockModule:
    block = list(child.network.blocks.values())[depth]
    assert isinstance(block, BlockModule)
    return block


def alike(children: Sequence[Child], depth: int, tracked: bool) -> list[list[int]]:
    """The children by what the block of that number runs for them; groups that begin alike stand together."""
    if len(children) == 1:
        return [[0]]
    groups: dict[tuple[tuple[Hashable, ...], Hashable], list[int]] = {}
    for number, child in enumerate(children):
        groups.setdefault(running(block_of(child, depth), child.gates, tracked), []).append(number)
    return [groups[key] for key in sorted(groups, key=lambda key: [str(names) for names in key[0]])]


def running(block: nn.Module, gates: Gates, tracked: bool) -> tuple[tuple[Hashable, ...], Hashable]:
    """Equal where a block runs the same operations (the first half, by name) with the same tensors (the second)."""
    found = places(block)
    searched = {id(tensor) for place in found.values() for tensor in (*place.parameters(), *place.buffers())}
    fixed = tuple(tensor for tensor in identity(block, tracked) if tensor not in searched)
    tensors = tuple(identity(module, tracked) for place in found.values() for module in place.used(gates))
    return tuple((name, place.does(gates)) for name, place in found.items()), (fixed, tensors)


def running_norms(part: nn.Module, gates: Gates) -> list[_BatchNorm]:
    """The normalisations of a part of a network that run."""
    found = places(part).values()
    used = {norm for place in found for module in place.used(gates) for norm in normalisations(module)}
    idle = {norm for place in found for norm in normalisations(place)} - used
    return [norm for norm in normalisations(part) if norm not in idle]


def identity(module: nn.Module, tracked: bool = True) -> tuple[int, ...]:
    """Equal for modules of one kind whose parameters, and with `tracked` buffers, are the same ones."""
    return tuple(id(tensor) for tensor in (*module.parameters(), *(module.buffers() if tracked else ())))


class Remembered(nn.Module):
    """An operation that does not run again on the input that it ran on last, for any child with the same tensors."""

    def __init__(self, name: Hashable, operation: nn.Module, memory: Memory) -> None:
        super().__init__()
        self.name, self.memory, self.operation = name, memory, operation

    def forward(self, x: Tensor) -> Tensor:
        last = self.memory.get(self.name)
        if last is None or not (x is last[0] or torch.equal(x, last[0])):
            last = self.memory[self.name] = x, self.operation(x)
        return last[1]


@contextmanager
def remembering(block: BlockModule, memory: Memory) -> Iterator[None]:
    """Meanwhile the operations of a searched block remember; in the end they are as they were."""
    searched = [function for function in block.functions() if function.holder is not block]
    functions = [(function, function.holder.get_submodule(function.child)) for function in searched]
    try:
        for (name, holder, child), module in functions:
            holder.add_module(child, Remembered((name, identity(module)), module, memory))
        yield
    finally:
        for (_, holder, child), module in functions:
            holder.add_module(child, module)
