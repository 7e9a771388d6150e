"""Operations against their plain definitions, in float64 on fresh random inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from cleave.net.ops import OPERATIONS, AveragePool, Norm, Zero, make, operation
from cleave.space.nb201 import OPERATIONS as NB201
from tests.reference.network import average_pool


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (16, 9), (1, 1)])
def test_average_pooling_is_torchs_own(stride: int, size: tuple[int, int]) -> None:
    x = torch.randn(3, 5, *size, dtype=torch.float64, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    ours, theirs = AveragePool(stride)(x), nn.AvgPool2d(3, stride, 1, count_include_pad=False)(twin)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    torch.testing.assert_close(x.grad, twin.grad)


def test_average_pooling_is_the_mean_of_the_neighbours_inside() -> None:
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(AveragePool(1)(x), average_pool(x))


@pytest.mark.parametrize("name", NB201)
def test_operations_keep_the_shape_at_stride_one(name: str) -> None:
    x = torch.randn(2, 4, 6, 6)
    assert make(name, 4, 4, 1, Norm(affine=False))(x).shape == x.shape


@pytest.mark.parametrize("name", ["nor_conv_1x1", "nor_conv_3x3"])
def test_convolutions_have_the_right_gradient(name: str) -> None:
    op = make(name, 2, 3, 1, Norm(affine=False)).double()
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    x = (x + 0.1 * x.sign()).requires_grad_()  # away from the kink of ReLU
    assert gradcheck(op, (x,))


@pytest.mark.parametrize(("size", "stride"), [(8, 1), (8, 2), (7, 2)])
def test_zero_has_the_shape_of_a_convolution(size: int, stride: int) -> None:
    x = torch.full((2, 3, size, size), float("nan"))
    out = Zero(5, stride)(x)
    assert out.shape == nn.Conv2d(3, 5, 3, stride, padding=1)(x).shape
    assert out.eq(0).all()


def test_without_running_statistics_evaluation_normalises_by_the_batch() -> None:
    x = 5 + 3 * torch.randn(16, 4, 5, 5)
    layer = Norm(affine=False)(4).eval()
    torch.testing.assert_close(layer(x).mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    tracking = Norm(affine=False, running=True)(4).eval()
    assert tracking(x).mean() > 1


def test_a_name_cannot_be_registered_twice() -> None:
    with pytest.raises(AssertionError, match="registered twice"):
        operation("none")(OPERATIONS["none"])
