"""Gradients of depthwise convolutions by three columns at a time, compared with torch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from cleave.ops.convolution import convolve
from cleave.ops.depthwise import Depthwise, has_slow_gradient
from tests.reference.convolution import convolution


def some(rows: int, columns: int, channels: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    images = torch.randn(2, channels, 6, 9, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return images.requires_grad_(), torch.randn(channels, 1, rows, columns, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(
    ("kernel", "padding"),
    [((5, 5), (2, 2)), ((7, 7), (3, 3)), ((3, 4), (1, 0)), ((1, 6), (0, 3)), ((5, 8), (2, 1)), ((6, 9), (0, 0))],
)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_outputs_and_gradients_are_torchs(
    kernel: tuple[int, int], padding: tuple[int, int], layout: torch.memory_format
) -> None:
    x, weight = some(*kernel)
    x = x.detach().contiguous(memory_format=layout).requires_grad_()
    output, wanted = Depthwise.apply(x, weight, padding), conv2d(x, weight, None, 1, padding, 1, 3)
    torch.testing.assert_close(output, wanted)
    above = torch.randn_like(wanted)
    found, own = (torch.autograd.grad(each, [x, weight], above) for each in (output, wanted))
    torch.testing.assert_close(found, own)


def test_it_is_the_convolution_written_out() -> None:
    x, weight = some(5, 5)
    wanted = convolution(x, weight, 1, 2, 1, 3)
    above = torch.randn_like(wanted)
    found = torch.autograd.grad(Depthwise.apply(x, weight, (2, 2)), [x, weight], above)
    torch.testing.assert_close(found, torch.autograd.grad(wanted, [x, weight], above))


def test_gradients_of_gradients_are_right() -> None:
    x, weight = some(3, 5, channels=2)
    assert torch.autograd.gradgradcheck(lambda *given: Depthwise.apply(*given, (1, 2)), (x, weight))


def test_only_what_is_asked_for_has_a_gradient() -> None:
    x, weight = some(5, 5)
    for one in ([x], [weight]):
        (found,) = torch.autograd.grad(Depthwise.apply(x, weight, (2, 2)).sum(), one)
        (wanted,) = torch.autograd.grad(conv2d(x, weight, None, 1, 2, 1, 3).sum(), one)
        torch.testing.assert_close(found, wanted)


def test_it_is_taken_for_wide_kernels_of_stride_1_with_gradients_only() -> None:
    ones = (1, 1)
    x, weight = some(5, 5, dtype=torch.float32)
    assert has_slow_gradient(x, weight, ones, ones, 3)
    assert "Depthwise" in type(convolve(x, weight, padding=(2, 2), groups=3).grad_fn).__name__
    assert not has_slow_gradient(x, weight, (2, 2), ones, 3)
    assert not has_slow_gradient(x, weight, ones, (2, 2), 3)
    assert not has_slow_gradient(x, weight[..., :3], ones, ones, 3)
    assert not has_slow_gradient(x, torch.randn(6, 1, 5, 5, requires_grad=True), ones, ones, 3)
    assert not has_slow_gradient(x, weight.detach(), ones, ones, 3)
    assert not has_slow_gradient(x.double(), weight.double(), ones, ones, 3)
    assert not has_slow_gradient(x.to("meta"), weight.to("meta"), ones, ones, 3)
    with torch.no_grad():
        assert not has_slow_gradient(x, weight, ones, ones, 3)
