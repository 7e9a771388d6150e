"""Operations that run together give what they give one by one, forwards and backwards, with each saving or without."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cleave.net import fan_out as module
from cleave.net.fan_out import Use, fan_out, side_by_side, total
from cleave.ops import Conv2d, Norm, Operations
from cleave.ops.library import AveragePool
from cleave.ops.steps import Phases
from tests import toys
from tests.reference.fan_out import outputs

assert toys.TOYS, "its operations are registered"
OPERATIONS = [
    "none", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "max_pool_3x3", "dil_conv_5x5", "skip_connect",
    "toy_sep_conv", "toy_mb3_e2", "toy_reduce", "bn_relu", "conv_3x3_bn",
]  # fmt: skip
NORMS = {
    "batch": Norm(affine=False),
    "affine": Norm(affine=True),
    "running": Norm(affine=True, running=True),
    "running without affine": Norm(affine=False, running=True),
}
CHANNELS = 4


def some_uses(norm: Norm, dtype: torch.dtype, stride: int = 1, count: int = 12) -> list[Use]:
    """Random operations, each name more than once, some with a weight."""
    names = [name for name in OPERATIONS if stride == 1 or name not in ("skip_connect", "bn_relu")]
    return [some_use(random.choice(names), norm, dtype, stride) for _ in range(count)]


def some_use(
    name: str, norm: Norm, dtype: torch.dtype = torch.float64, stride: int = 1, weighted: bool | None = None
) -> Use:
    operation = Operations(norm=norm).make(name, CHANNELS, CHANNELS, stride).to(dtype)
    for parameter in operation.parameters():
        nn.init.normal_(parameter)
    weighted = random.random() < 0.7 if weighted is None else weighted
    return Use(operation, torch.randn((), dtype=dtype, requires_grad=True) if weighted else None)


def some_images(dtype: torch.dtype = torch.float64) -> Tensor:
    x = torch.randn(5, CHANNELS, 6, 6, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return x.requires_grad_()


def weighed(term: module.Term | None) -> Tensor | int:
    if term is None:
        return 0
    output, weight = term
    return output if weight is None else output * weight


def gradients(x: Tensor, uses: Sequence[Use], found: Sequence[Tensor | int], targets: Sequence[Tensor]) -> list[Tensor]:
    """Of the image, all weights and all parameters, each output paired with a random direction."""
    inputs = [x, *(use.weight for use in uses if use.weight is not None)]
    inputs += [parameter for use in uses for parameter in use.operation.parameters()]
    loss = sum((output * target).sum() for output, target in zip(found, targets, strict=True))
    assert isinstance(loss, Tensor)
    return list(torch.autograd.grad(loss, inputs, materialize_grads=True))


def check_equal(uses: Sequence[Use], x: Tensor, tolerance: float) -> None:
    plain = outputs(x, uses)
    together = [weighed(term) for term in fan_out(x, uses)]
    for one, other in zip(together, plain, strict=True):
        torch.testing.assert_close(one + torch.zeros_like(other), other, rtol=tolerance, atol=tolerance)
    targets = [torch.randn_like(output) for output in plain]
    ours, theirs = (gradients(x, uses, found, targets) for found in (together, plain))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * max(1.0, float(other.abs().max())))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("norm", NORMS)
def test_outputs_and_gradients_are_those_of_each_operation_by_itself(norm: str, stride: int) -> None:
    check_equal(some_uses(NORMS[norm], torch.float64, stride), some_images(), 1e-9)


def test_they_are_in_single_precision_too() -> None:
    """The scale of a normalisation must be contiguous: torch's gradient for an expanded one is wrong on a CPU."""
    check_equal(some_uses(NORMS["batch"], torch.float32), some_images(torch.float32), 1e-4)


def each_by_itself(uses: Sequence[Use]) -> list[list[int]]:
    return [[position] for position in range(len(uses))]


def anew(known: dict[Any, Tensor], steps: Sequence[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    for each in steps:
        x = each(x)
    return x


SAVINGS: dict[str, tuple[str, Callable[..., Any]]] = {
    "bundles": ("alike", each_by_itself),
    "the same function once": ("functions", lambda operation: None),
    "beginnings": ("once", anew),
    "weights in the normalisation": ("by_batch", lambda norm: False),
}


@pytest.mark.parametrize("saving", SAVINGS)
def test_each_saving_can_be_switched_off_and_changes_no_number(saving: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uses, x = some_uses(NORMS["affine"], torch.float64), some_images()
    fast = [weighed(term) for term in fan_out(x, uses)]
    monkeypatch.setattr(module, *SAVINGS[saving])
    slow = [weighed(term) for term in fan_out(x, uses)]
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one + torch.zeros_like(x), other + torch.zeros_like(x))
    check_equal(uses, x, 1e-9)


class Calls(TorchFunctionMode):
    """Counts the functions of torch that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        self.names[getattr(function, "__name__", "")] += 1
        return function(*args, **(kwargs or {}))


def calls(uses: Sequence[Use]) -> Counter[str]:
    x = some_images()
    with Calls() as seen:
        fan_out(x, uses)
    return seen.names


def test_convolutions_of_one_kind_are_one_and_beginnings_are_shared() -> None:
    names = [
        "nor_conv_3x3",
        "nor_conv_1x1",
        "nor_conv_3x3",
        "avg_pool_3x3",
        "nor_conv_3x3",
        "avg_pool_3x3",
        "toy_sep_conv",
    ]
    seen = calls([some_use(name, NORMS["batch"]) for name in names])
    assert seen["relu"] == 1
    assert seen["conv2d"] == 2 + 2  # one for each size of kernel, two for the separable one
    assert seen["convolution"] == 2  # of the pooling: sums and counts
    assert seen["batch_norm"] == 3


def test_pooling_and_its_normalisation_are_done_once_for_all_edges() -> None:
    seen = calls([some_use("max_pool_3x3", NORMS["batch"]) for _ in range(3)])
    assert (seen["max_pool2d"], seen["batch_norm"]) == (1, 1)


def test_dilated_convolutions_of_one_input_take_it_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, taking = [], Phases.__call__

    def watched(step: Phases, x: Tensor) -> Tensor:
        seen.append(step.dilation)
        return taking(step, x)

    uses, x = [some_use("dil_conv_5x5", NORMS["batch"]) for _ in range(3)], some_images()
    monkeypatch.setattr(Phases, "__call__", watched)
    fan_out(x, uses)
    assert seen == [(2, 2)]


def test_parts_of_a_concatenation_have_gradients_in_one_piece() -> None:
    outputs = [some_images() for _ in range(2)]
    target, seen = torch.randn(5, 2 * CHANNELS, 6, 6, dtype=torch.float64), []
    for output in outputs:
        output.register_hook(seen.append)
    joined = side_by_side(outputs)
    assert torch.equal(joined, torch.cat(outputs, dim=1))
    (joined * target).sum().backward()
    assert all(gradient.is_contiguous(memory_format=torch.channels_last) for gradient in seen)
    assert torch.equal(torch.cat([output.grad for output in outputs], dim=1), target)  # type: ignore[misc]


class Steep(nn.ReLU):
    """A user's own: not what its class is."""

    def forward(self, input: Tensor) -> Tensor:
        return 3 * super().forward(input)


class Sums(AveragePool):
    def forward(self, x: Tensor) -> Tensor:
        return 9 * super().forward(x)


@pytest.mark.parametrize("first", [Steep, lambda: Sums(1)])
def test_a_subclass_is_not_taken_for_its_class(first: Callable[[], nn.Module]) -> None:
    def conv() -> nn.Module:
        return Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False).double()

    plain = [some_use(name, NORMS["batch"]) for name in ("nor_conv_3x3", "avg_pool_3x3")]
    own = [Use(nn.Sequential(first(), conv(), NORMS["batch"](CHANNELS)), None) for _ in range(2)]
    check_equal([*plain, *own, Use(nn.Sequential(first()), None)], some_images(), 1e-9)


def test_what_keeps_statistics_runs_by_itself_and_moves_them() -> None:
    uses = [some_use("nor_conv_3x3", NORMS["running"]) for _ in range(3)]
    assert calls(uses)["conv2d"] == 3
    assert all(use.operation[2].num_batches_tracked == 1 for use in uses)  # type: ignore[index, union-attr]


def test_none_is_not_run() -> None:
    uses = [some_use("none", NORMS["batch"]) for _ in range(3)]
    assert fan_out(some_images(), uses) == [None, None, None]
    assert not calls(uses)


def test_a_sum_is_that_of_the_weighted_terms() -> None:
    tensors = [torch.randn(2, 3, dtype=torch.float64) for _ in range(4)]
    weights = [torch.randn((), dtype=torch.float64), None, torch.randn((), dtype=torch.float64), None]
    terms = [*zip(tensors, weights, strict=True), None]
    random.shuffle(terms)
    expected = sum(tensor * (1 if weight is None else weight) for tensor, weight in zip(tensors, weights, strict=True))
    result = total(terms)
    assert result is not None
    torch.testing.assert_close(result, expected)


def test_a_sum_of_nothing_is_none() -> None:
    assert total([None, None]) is None
    assert total([]) is None


def test_a_sum_leaves_its_terms_as_they_were() -> None:
    tensors = [torch.randn(3) for _ in range(3)]
    before = [tensor.clone() for tensor in tensors]
    total((tensor, None) for tensor in tensors)
    assert all(torch.equal(one, other) for one, other in zip(tensors, before, strict=True))


def test_outputs_stay_in_the_layout_that_convolutions_like() -> None:
    uses = [some_use(name, NORMS["batch"]) for name in ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")]
    sums = total(fan_out(some_images(), uses))
    assert sums is not None
    assert sums.is_contiguous(memory_format=torch.channels_last)
