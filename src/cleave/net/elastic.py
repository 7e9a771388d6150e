"""The module of an elastic block: full weights in every region, of which each architecture uses a part."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, hardsigmoid

from cleave.net.gates import Gate, Gates
from cleave.net.place import BlockModule, Chosen, History, Index, Place, builds
from cleave.ops import Norm, Operations
from cleave.ops.convolution import convolve
from cleave.ops.mobile import ACTIVATIONS, Residual, Squeeze, convolution, inverted, keeps_shape, squeezed
from cleave.space import Arch, Region
from cleave.space.elastic import Elastic, Part, numbers

NOTHING = slice(0)


class FirstNorm(nn.BatchNorm2d):
    """Normalises however many channels come with the parameters and statistics of its first ones."""

    def forward(self, input: Tensor) -> Tensor:
        channels = input.shape[1]
        if channels == self.num_features:
            return super().forward(input)
        mean, variance, weight, bias = (
            None if each is None else each[:channels]
            for each in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        return batch_norm(input, mean, variance, weight, bias, self.training or mean is None, self._share(), self.eps)

    def _share(self) -> float:
        """Of a new batch in the statistics, which a batch in training is counted for."""
        if not (self.training and self.track_running_stats):
            return 0.0
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        return 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum

    @staticmethod
    def of(norm: Norm, channels: int) -> FirstNorm:
        return FirstNorm(channels, norm.eps, norm.momentum, norm.affine, norm.running)


@dataclass(frozen=True)
class Term:
    """What runs, the weight of its output (None: 1), and whether no gradient goes through it."""

    part: Part | None
    weight: Tensor | None
    idle: bool = False


class ElasticPlace(Place):
    """An inverted residual block of elastic kernel, expansion and, in the rear of a unit, presence.

    A kernel of 5 is a matrix [25, 25] times the centre of that of 7, one of 3 a matrix [9, 9] times the centre of that
    of 5; they begin as identities.
    """

    def __init__(self, spec: Elastic, norm: Norm) -> None:
        super().__init__()
        self.spec, self.choices, self.norm = spec, spec.choices, norm
        widest, largest = spec.middle(max(spec.expansions)), max(spec.kernels)
        self.expand = convolution(spec.channels_in, widest, 1)
        self.expand_norm = FirstNorm.of(norm, widest)
        self.depthwise = convolution(widest, widest, largest, spec.stride, widest)
        self.depthwise_norm = FirstNorm.of(norm, widest)
        self.squeeze = Squeeze(widest, squeezed(widest)) if spec.squeeze else None
        self.project = convolution(widest, spec.channels_out, 1)
        self.project_norm = norm(spec.channels_out)
        self.transforms = nn.ParameterDict({str(side): torch.eye(side * side) for side in sorted(spec.kernels)[:-1]})
        self.act = ACTIVATIONS.find(spec.activation)()

    def forward(self, x: Tensor, gates: Gates) -> Tensor:
        """The weighted sum of all that is active."""
        outputs = []
        for term in terms(self.spec, gates):
            with torch.no_grad() if term.idle else nullcontext():
                output = x if term.part is None else self.one(x, term.part)
            outputs.append(output if term.weight is None else term.weight * output)
        return sum(outputs[1:], outputs[0])

    def one(self, x: Tensor, part: Part) -> Tensor:
        """The block as an architecture takes it."""
        spec, channels = self.spec, self.spec.middle(part.expand)
        y = self.act(self.expand_norm(convolve(x, self.expand.weight[:channels])))
        stride, padding = (spec.stride, spec.stride), (part.kernel // 2, part.kernel // 2)
        y = convolve(y, self.kernel(part), None, stride, padding, groups=channels)
        y = self.act(self.depthwise_norm(y))
        if self.squeeze is not None:
            y = y * self._shares(y)
        out: Tensor = self.project_norm(convolve(y, self.project.weight[:, :channels]))
        return x + out if keeps_shape(*spec.shape) else out

    def kernel(self, part: Part) -> Tensor:
        """The depthwise weights [channels, 1, side, side] of a part."""
        weight = self.depthwise.weight[: self.spec.middle(part.expand)]
        sides = sorted(self.spec.kernels, reverse=True)
        for larger, side in itertools.pairwise(sides):
            if side >= part.kernel:
                edge = (larger - side) // 2
                centre = weight[:, :, edge : edge + side, edge : edge + side].flatten(2)
                weight = (centre @ self.transforms[str(side)].T).unflatten(2, (side, side))
        return weight

    def _shares(self, y: Tensor) -> Tensor:
        assert self.squeeze is not None
        reduce, reduce_bias, expand, expand_bias = weights(self.squeeze)
        channels, middle = y.shape[1], squeezed(y.shape[1])
        pooled = y.mean(dim=(2, 3), keepdim=True)
        shares = convolve(pooled, reduce[:middle, :channels], reduce_bias[:middle]).relu()
        return hardsigmoid(convolve(shares, expand[:channels, :middle], expand_bias[:channels]))

    def own(self, choice: str) -> Iterable[nn.Parameter]:
        """Where a block may be left out, all of it; of what differs in size, see `common`."""
        return self.parameters() if choice == self.spec.depth else []

    def common(self, choice: str, candidates: Sequence[str]) -> Mapping[Tensor, Index]:
        """The centre of the kernel, and the first channels; of what makes kernels smaller, only what all go through."""
        least = {letter: min(numbers(each).get(letter, 0) for each in candidates) for letter in "ke"}
        channels = slice(self.spec.middle(least["e"])) if least["e"] else slice(None)
        found: dict[Tensor, Index] = {}
        if least["e"]:
            found |= self._first(channels)
        if least["k"]:
            edge = (max(self.spec.kernels) - least["k"]) // 2
            centre = slice(edge, edge + least["k"])
            found[self.depthwise.weight] = (channels, slice(None), centre, centre)
            most = max(numbers(each)["k"] for each in candidates)
            found |= {each: (NOTHING,) for side, each in self.transforms.items() if int(side) < most}
        return found

    def _first(self, channels: slice) -> dict[Tensor, Index]:
        """That part of every parameter which is of the first channels."""
        layers = (self.expand, self.expand_norm, self.depthwise, self.depthwise_norm)
        found: dict[Tensor, Index] = {each: (channels,) for layer in layers for each in layer.parameters()}
        found[self.project.weight] = (slice(None), channels)
        if self.squeeze is not None:
            middle = slice(squeezed(channels.stop))
            parts = (middle, channels), (middle,), (channels, middle), (channels,)
            found |= dict(zip(weights(self.squeeze), parts, strict=True))
        return found

    @torch.no_grad()
    def sort_channels(self, trained: Collection[str]) -> None:
        """By the sum of the absolute weights that take each channel on; the block's output stays the same.

        Channels stay within what expansions among the `trained` candidates take.
        """
        names = [each for each in trained if "e" in numbers(each)]
        bounds = sorted({self.spec.middle(numbers(each)["e"]) for each in names} | {self.expand.out_channels})
        order = sorted_within(self.project.weight.abs().sum(dim=(0, 2, 3)), bounds)
        layers = (self.expand, self.expand_norm, self.depthwise, self.depthwise_norm)
        for tensor in (each for layer in layers for each in layer.state_dict().values() if each.dim()):
            tensor.copy_(tensor[order])
        self.project.weight.copy_(self.project.weight[:, order])
        if self.squeeze is not None:
            reduce, reduce_bias, expand, expand_bias = weights(self.squeeze)
            middle = sorted_within(expand.abs().sum(dim=(0, 2, 3)), [squeezed(bound) for bound in bounds])
            reduce.copy_(reduce[middle][:, order])
            reduce_bias.copy_(reduce_bias[middle])
            expand.copy_(expand[order][:, middle])
            expand_bias.copy_(expand_bias[order])

    def used(self, gates: Gates) -> list[nn.Module]:
        return [self] if any(term.part is not None for term in terms(self.spec, gates)) else []

    def does(self, gates: Gates) -> Hashable:
        """Depths at which it runs are one, and so are all at which it does not."""
        return tuple(str(term.part) for term in terms(self.spec, gates))

    def alone(self, arch: Arch) -> nn.Module:
        part = self.spec.part(arch)
        return nn.Identity() if part is None else self.taken(part)

    @torch.no_grad()
    def taken(self, part: Part) -> Residual:
        """A plain block with the same outputs and weights of its own."""
        like, tracks = self.expand.weight, self.expand_norm.track_running_stats
        with torch.device("meta"):  # what it is initialised with is overwritten
            block = plain(self.spec, part, replace(self.norm, running=tracks))
        if like.is_meta:  # no values to take
            return block.to(like.dtype).train(self.training)
        block.to_empty(device=like.device).to(like.dtype)
        for module, source in zip(block.body, self._layers(part), strict=True):
            for name, tensor in module.state_dict().items():
                tensor.copy_(source[name])
        return block.train(self.training)

    def _layers(self, part: Part) -> list[dict[str, Tensor]]:
        """The tensors of each layer of the plain block, in order."""
        channels = self.spec.middle(part.expand)
        found: list[dict[str, Tensor]] = [
            {"weight": self.expand.weight[:channels]},
            first_of(self.expand_norm, channels),
            {},
            {"weight": self.kernel(part)},
            first_of(self.depthwise_norm, channels),
            {},
        ]
        if self.squeeze is not None:
            state, index = self.squeeze.state_dict(keep_vars=True), self._first(slice(channels))
            found.append({name: tensor[index[tensor]] for name, tensor in state.items()})
        return [*found, {"weight": self.project.weight[:, :channels]}, dict(self.project_norm.state_dict())]


def weights(squeeze: Squeeze) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weight and bias of its first layer, and of its second."""
    reduce, expand = squeeze.reduce, squeeze.expand
    assert reduce.bias is not None
    assert expand.bias is not None
    return reduce.weight, reduce.bias, expand.weight, expand.bias


def sorted_within(importance: Tensor, bounds: Sequence[int]) -> Tensor:
    """The order [channels] by falling importance, each piece up to the next of the rising bounds by itself."""
    starts = [0, *bounds[:-1]]
    pieces = [
        importance[start:end].argsort(descending=True, stable=True) + start
        for start, end in zip(starts, bounds, strict=True)
    ]
    return torch.cat(pieces)


def first_of(norm: FirstNorm, channels: int) -> dict[str, Tensor]:
    """The tensors of a normalisation of the first channels."""
    return {name: tensor[:channels] if tensor.dim() else tensor for name, tensor in norm.state_dict().items()}


def plain(spec: Elastic, part: Part, norm: Norm) -> Residual:
    """What a network has there that is trained by itself."""
    return inverted(spec.shape, spec.middle(part.expand), part.kernel, norm, spec.activation, spec.squeeze)


def terms(spec: Elastic, gates: Gates) -> list[Term]:
    """What runs of a block. Depths are one where it runs, and one where it does not."""
    inside, outside = by_depth(spec, gates)
    found = [] if outside is None else [outside]
    if inside is not None:
        found += [together(inside, each) for each in inner(spec, gates)]
    return found


def by_depth(spec: Elastic, gates: Gates) -> tuple[Term | None, Term | None]:
    """The weight with which the block runs, and with which it hands on what it gets; None where it does not."""
    whole = Term(None, None)
    if spec.number < spec.shortest:
        return whole, None
    listed = list(weighed(gates[spec.depth]))
    sides = ([each for each in listed if (numbers(each[0])["d"] > spec.number) == runs] for runs in (True, False))
    inside, outside = (summed(side) for side in sides)
    return inside, outside


def summed(side: Sequence[tuple[str, Tensor | None, bool]]) -> Term | None:
    """One term for several candidates that do the same."""
    if not side:
        return None
    weights = [weight for _, weight, _ in side if weight is not None]
    idle = all(idle for _, _, idle in side)
    if not weights:
        return Term(None, None if len(side) == 1 else torch.tensor(float(len(side))), idle)
    return Term(None, sum(weights[1:], weights[0]), idle)


def inner(spec: Elastic, gates: Gates) -> Iterator[Term]:
    """What is active of kernels and expansions, however many choices they are."""
    kernels = weighed(gates[spec.kernel])
    expansions = [(None, None, False)] if spec.kernel == spec.expand else list(weighed(gates[spec.expand]))
    for kernel, first, one in kernels:
        for expansion, second, other in expansions:
            found = numbers(kernel, expansion or kernel)
            yield together(Term(Part(found["k"], found["e"]), first, one), Term(None, second, other))


def together(one: Term, other: Term) -> Term:
    """Both at once: weights multiply."""
    weights = [term.weight for term in (one, other) if term.weight is not None]
    weight = torch.stack(weights).prod() if weights else None
    return Term(one.part or other.part, weight, one.idle or other.idle)


def weighed(gate: Gate) -> Iterator[tuple[str, Tensor | None, bool]]:
    """The active candidates, each with its weight, and whether no gradient goes through it."""
    weights = [None] * len(gate.active) if gate.weight is None else gate.weight.unbind()
    return ((name, weight, name in gate.idle) for name, weight in zip(gate.active, weights, strict=True))


@builds(Elastic)
class ElasticBlock(BlockModule):
    """An elastic place; in a network that is trained by itself, the plain block of its size."""

    def __init__(self, spec: Elastic, region: Region, operations: Operations) -> None:
        super().__init__()
        alone = region.arch
        self.place: Place = (
            ElasticPlace(spec, operations.norm)
            if alone is None
            else Chosen(
                spec.choices,
                nn.Identity() if (part := spec.part(alone)) is None else plain(spec, part, operations.norm),
            )
        )

    def forward(self, history: History, gates: Gates) -> History:
        return [self.place(history[-1], gates)]
