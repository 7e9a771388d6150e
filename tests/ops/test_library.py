"""Operations against their plain definitions, in float64 on fresh random inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from cleave.errors import UserError
from cleave.ops import OPERATIONS, Norm, Operations, operation
from cleave.ops.library import AveragePool, MaxPool, Zero
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
    assert Operations(norm=Norm(affine=False)).make(name, 4, 4, 1)(x).shape == x.shape


@pytest.mark.parametrize("name", ["nor_conv_1x1", "nor_conv_3x3"])
def test_convolutions_have_the_right_gradient(name: str) -> None:
    op = Operations(norm=Norm(affine=False)).make(name, 2, 3, 1).double()
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


def test_a_name_that_is_registered_again_is_the_later_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "none", OPERATIONS["none"])
    operation("none")(lambda channels_in, channels_out, stride, norm: nn.Identity())
    assert isinstance(Operations(norm=Norm()).make("none", 2, 2, 1), nn.Identity)


def test_an_unknown_operation_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match=r"operation: unknown 'nor_conv_3x'; did you mean 'nor_conv_3x3'\?"):
        Operations(norm=Norm()).make("nor_conv_3x", 2, 2, 1)


SIZES = [(4, 4), (5, 7), (16, 9), (1, 6), (6, 1), (1, 1)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", SIZES)
def test_max_pooling_is_torchs_own_with_and_without_gradients(stride: int, size: tuple[int, int]) -> None:
    x = torch.randn(3, 5, *size, dtype=torch.float64, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    ours, theirs = MaxPool(stride)(x), nn.MaxPool2d(3, stride, 1)(twin)
    assert torch.equal(ours, theirs)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, twin.grad)
    before = x.detach().clone()
    with torch.no_grad():
        assert torch.equal(MaxPool(stride)(x), theirs)
    assert torch.equal(MaxPool(stride)(before), theirs), "an input without gradient"
    assert torch.equal(before, x), "the input was changed"


@pytest.mark.parametrize("size", SIZES)
def test_max_pooling_takes_any_layout_in_memory_and_ties(size: tuple[int, int]) -> None:
    x = torch.randint(-2, 3, (2, 4, *size)).float()
    expected = nn.MaxPool2d(3, 1, 1)(x)
    assert torch.equal(MaxPool(1)(x.contiguous(memory_format=torch.channels_last)), expected)
    assert torch.equal(MaxPool(1)(x.transpose(2, 3)), expected.transpose(2, 3))


def separable_half(channels_in: int, channels_out: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    reach = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_in, kernel, stride, reach, dilation, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out, affine=False),
    ]


TWINS = {
    "max_pool_3x3": lambda c, s: [nn.MaxPool2d(3, s, 1), nn.BatchNorm2d(c, affine=False)],
    "sep_conv_3x3": lambda c, s: [*separable_half(c, c, 3, s, 1), *separable_half(c, c, 3, 1, 1)],
    "sep_conv_5x5": lambda c, s: [*separable_half(c, c, 5, s, 1), *separable_half(c, c, 5, 1, 1)],
    "dil_conv_5x5": lambda c, s: separable_half(c, c, 5, s, 2),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", TWINS)
def test_the_operations_of_the_64_are_those_written_with_torchs_modules(name: str, stride: int, training: bool) -> None:
    ours = (
        Operations(norm=Norm(affine=False, running=True, momentum=0.1))
        .make(name, 4, 4, stride)
        .double()
        .train(training)
    )
    twin = nn.Sequential(*TWINS[name](4, stride)).double().train(training)
    twin.load_state_dict(ours.state_dict())  # the same names, so that nothing is left out
    for _ in range(2):
        x = torch.randn(6, 4, 9, 7, dtype=torch.float64)
        torch.testing.assert_close(ours(x), twin(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(dict(ours.state_dict()), dict(twin.state_dict()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5"])
def test_separable_operations_have_the_right_gradient(name: str) -> None:
    op = Operations(norm=Norm(affine=False)).make(name, 2, 3, 1).double()
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    x = (x + 0.1 * x.sign()).requires_grad_()
    out = op[:3](x)  # up to the second ReLU, whose kink would be in the way
    out.sum().backward()
    assert x.grad is not None
    assert gradcheck(op[:3], (x,))


def test_running_statistics_take_the_asked_share_of_a_new_batch() -> None:
    momentum = float(torch.rand(()) * 0.8 + 0.1)
    layer = Norm(affine=False, running=True, momentum=momentum)(3).double()
    x = 2 + 3 * torch.randn(8, 3, 5, 5, dtype=torch.float64)
    layer(x)
    torch.testing.assert_close(layer.running_mean, momentum * x.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(layer.running_var, 1 - momentum + momentum * x.var(dim=(0, 2, 3)))
