"""All operations that start from one input, run together: what several of them have in common is done once.

Operations are read as sequences of modules, so that every space profits that builds its own from the usual ones.
Each saving is a function of its own here; the plain way is `operation(x)` times its weight.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import batch_norm

from cleave.net.noise import DropPath
from cleave.ops.convolution import Conv2d, convolve
from cleave.ops.library import AveragePool, Halving, MaxPool, Zero
from cleave.ops.steps import Step


@dataclass(frozen=True)
class Use:
    """An operation, the weight (a scalar) of its output in a sum, and what drops it for some images.

    A weight of None counts as 1. `idle`: no gradient goes through the operation.
    """

    operation: nn.Module
    weight: Tensor | None
    drop: DropPath | None = None
    idle: bool = False


RELU = nn.ReLU()

Term = tuple[Tensor, Tensor | None]
"""An output and the weight that it still has to be multiplied by."""

Known = dict[Hashable, Tensor]
"""What functions of the input came to, by their names."""


def fan_out(x: Tensor, uses: Sequence[Use]) -> list[Term | None]:
    """The term of every use, all on the input `x` [n, channels, height, width]; None where it is zero throughout."""
    known: Known = {}
    terms: dict[int, Term] = {}
    for positions in alike(uses):
        group = [uses[position] for position in positions]
        found = [single(x, known, group[0])] if len(group) == 1 else together(x, known, group)
        terms |= zip(positions, found, strict=True)
    return [dropped(terms.get(position), use.drop) for position, use in enumerate(uses)]


def dropped(term: Term | None, drop: DropPath | None) -> Term | None:
    """A term of which some images have zeros."""
    if term is None or drop is None:
        return term
    output, weight = term
    return drop(output), weight


def total(terms: Iterable[Term | None]) -> Tensor | None:
    """The weighted sum of terms, which are left as they are; None where all are zero."""
    present = [term for term in terms if term is not None]
    if not present:
        return None
    (first, weight), *rest = present
    result, own = (first, False) if weight is None else (weight * first, True)
    for term in rest:
        result, own = add(result, term, own), True
    return result


class Whole(Function):
    """The same, but that its gradient lies in one piece."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous(memory_format=torch.channels_last)


def side_by_side(outputs: Sequence[Tensor]) -> Tensor:
    """The channels of all. `torch.cat` alone has gradients that are slices of the whole one, with which a normalisation
    takes 8 to 24 times as long on a CPU."""
    return torch.cat([Whole.apply(output) for output in outputs], dim=1)


def add(result: Tensor, term: Term, in_place: bool) -> Tensor:
    """One pass over the memory, with a weight as without, and no new memory where the sum so far is nobody else's."""
    output, weight = term
    if weight is None:
        return result.add_(output) if in_place else result + output
    weight = weight.to(output.dtype)  # under autocast, where all would become float32
    return result.addcmul_(output, weight) if in_place else torch.addcmul(result, output, weight)


def alike(uses: Sequence[Use]) -> list[list[int]]:
    """The positions of what runs as one; what only makes zeros is not run."""
    groups: dict[Hashable, list[int]] = {}
    for position, use in enumerate(uses):
        if type(use.operation) is not Zero:
            together = None if use.idle else signature(use.operation)
            groups.setdefault(together or position, []).append(position)
    return list(groups.values())


def signature(operation: nn.Module) -> Hashable:
    """Equal for operations that can run as one on the same input; None for those that run by themselves."""
    if (names := functions(operation)) is not None:
        return names
    layers = convolution(operation)
    if layers is None:
        return None
    conv, norm = layers
    return conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation, norm.eps, norm.affine


def convolution(operation: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d] | None:
    """The layers of ReLU, convolution, normalisation by the batch; None for any other operation."""
    match parts(operation):
        case [nn.ReLU() as relu, nn.Conv2d(groups=1, bias=None, padding_mode="zeros") as conv, norm] if by_batch(norm):
            plain = type(relu) is nn.ReLU and type(conv) in (nn.Conv2d, Conv2d)  # a subclass may do something else
            return (conv, norm) if plain else None
    return None


def functions(operation: nn.Module) -> Hashable:
    """The names of an operation's modules, if all are functions of their input alone; None for any other."""
    names = tuple(function(module) for module in parts(operation))
    return None if None in names else names


def function(module: nn.Module | Step) -> Hashable:
    """What names a function without parameters; None for any other module, and for a subclass, which may do other."""
    if isinstance(module, Step):
        return module
    if isinstance(module, AveragePool | MaxPool) and type(module) in (AveragePool, MaxPool):
        return type(module), module.stride
    if by_batch(module) and not module.affine:
        return nn.BatchNorm2d, module.eps
    return nn.ReLU if type(module) is nn.ReLU else None


def parts(operation: nn.Module) -> list[nn.Module]:
    """The modules that an operation is a sequence of."""
    return list(operation) if type(operation) is nn.Sequential else [operation]


def by_batch(norm: nn.Module | None) -> TypeGuard[nn.BatchNorm2d]:
    """Whether a module normalises by the batch and keeps no statistics."""
    return type(norm) is nn.BatchNorm2d and not norm.track_running_stats


def single(x: Tensor, known: Known, use: Use) -> Term:
    """One use by itself: its beginning may be known, and its weight goes into its normalisation if it ends with one."""
    if use.idle:
        with torch.no_grad():
            return use.operation(x), use.weight
    x, modules = begun(x, known, parts(use.operation))
    norm = modules[-1] if modules else None
    if by_batch(norm):
        return normalised(run(modules[:-1], x), [(norm, use.weight)]), None
    return run(modules, x), use.weight


def begun(x: Tensor, known: Known, modules: list[nn.Module]) -> tuple[Tensor, list[nn.Module]]:
    """What the beginning of an operation comes to, as far as others may have it in common; and the modules after it."""
    first, rest = modules[:1], modules[1:]
    if function(modules[0]) is None:
        return x, modules
    output = once(known, first, x)
    layer = rest[0] if rest else None
    if isinstance(layer, Conv2d | Halving) and type(layer) in (Conv2d, Halving) and (steps := layer.steps(output)):
        return layer(output, once(known, [*first, *steps], x)), rest[1:]
    return output, rest


def run(modules: Sequence[nn.Module], x: Tensor) -> Tensor:
    return reduce(lambda value, module: module(value), modules, x)


def once(known: Known, modules: Sequence[nn.Module | Step], x: Tensor) -> Tensor:
    """The output of modules that are functions of their input, each computed when it is first needed."""
    names: tuple[Hashable, ...] = ()
    for module in modules:
        names = (*names, function(module))
        if names not in known:
            known[names] = torch.relu(x) if type(module) is nn.ReLU else module(x)  # the module may be in place
        x = known[names]
    return x


def together(x: Tensor, known: Known, group: Sequence[Use]) -> list[Term]:
    """Uses of one signature: the same function for all, or one convolution."""
    operation = group[0].operation
    if functions(operation) is None:
        return bundled(x, known, group)
    output = once(known, parts(operation), x)
    return [(output, use.weight) for use in group]


def bundled(x: Tensor, known: Known, group: Sequence[Use]) -> list[Term]:
    """Uses of one signature as one convolution and one normalisation over the channels of all.

    Depthwise ones are not: side by side they are slower on a CPU, by half to seven times (docs/decisions.md).
    """
    layers = list(filter(None, (convolution(use.operation) for use in group)))
    convs = [conv for conv, _ in layers]
    weight, first = torch.cat([conv.weight for conv in convs]), convs[0]
    x = once(known, [RELU], x)
    outputs = convolve(x, weight, None, first.stride, first.padding, first.dilation)
    found = normalised(outputs, [(norm, use.weight) for (_, norm), use in zip(layers, group, strict=True)])
    return [(part, None) for part in found.chunk(len(group), dim=1)]


def normalised(x: Tensor, norms: Sequence[tuple[nn.BatchNorm2d, Tensor | None]]) -> Tensor:
    """Batch normalisation of layers whose channels lie side by side, each layer's output times its weight.

    The weight goes into the scale, which saves a pass forwards, two backwards, and a copy of the output.
    """
    first, _ = norms[0]
    scale, shift = None, None
    if first.affine or any(weight is not None for _, weight in norms):
        # torch.cat also makes it contiguous: on a CPU the gradient for an expanded scale is wrong (torch 2.14).
        scale = torch.cat([weighted(norm.weight, weight, norm.num_features, x) for norm, weight in norms])
    if first.affine:
        shift = torch.cat([weighted(norm.bias, weight, norm.num_features, x) for norm, weight in norms])
    return batch_norm(x, None, None, scale, shift, training=True, eps=first.eps)


def weighted(parameter: Tensor | None, weight: Tensor | None, channels: int, like: Tensor) -> Tensor:
    """A layer's scale or shift [channels] (None: 1) times its weight (None: 1)."""
    if parameter is None:
        return (like.new_ones(()) if weight is None else weight).expand(channels)
    return parameter if weight is None else parameter * weight
