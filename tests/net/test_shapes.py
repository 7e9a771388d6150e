"""Shapes without values are those of torch itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cleave.net.count import MultiplyAdds
from cleave.net.shapes import SHAPES, shaped
from tests.fresh import fresh

Case = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def some(*shape: int) -> Tensor:
    return torch.ones(shape)


def images() -> Tensor:
    """[n, 4, height, width]."""
    n, height, width = fresh().integers([1, 9, 9], [4, 16, 16])
    return some(n, 4, height, width)


def window() -> tuple[int, int, int]:
    """A kernel, a stride and a padding."""
    kernel = int(fresh().integers(1, 6))
    return kernel, int(fresh().integers(1, 4)), int(fresh().integers(0, kernel // 2 + 1))


def cases() -> dict[str, Case]:
    kernel, stride, pad = window()
    x, last = images(), (2, 3)
    weight = some(6, 2, kernel, kernel)
    pooling = (x, kernel, stride, pad)
    return {
        "batch_norm": (functional.batch_norm, (x, None, None), {"training": True}),
        "reciprocal": (Tensor.reciprocal, (x,), {}),
        "a sum with what is broadcast": (Tensor.add, (x, some(4, 1, 1)), {}),
        "a sum that is weighted": (Tensor.add, (x, x), {"alpha": 2}),
        "a sum with a number": (Tensor.add, (x, 2.0), {}),
        "in place": (Tensor.add_, (x, some(1, 4, 1, 1)), {}),
        "a product": (Tensor.mul, (some(1, 4, 1, 1), x), {}),
        "the larger ones": (torch.maximum, (x, x), {}),
        "joined": (torch.cat, ([x, x[:, :1]],), {"dim": 1}),
        "joined from behind": (torch.cat, ((x, x), -1), {}),
        "a mean": (Tensor.mean, (x, last), {}),
        "a mean that keeps its dimensions": (Tensor.mean, (x, (-1, -2)), {"keepdim": True}),
        "a mean of one dimension": (Tensor.mean, (x, 1, True), {}),
        "a mean of all": (Tensor.mean, (x,), {}),
        "matrices": (Tensor.matmul, (some(3, 1, 4, 5), some(2, 5, 7)), {}),
        "a layer": (functional.linear, (some(3, 2, 5), some(7, 5)), {"bias": some(7)}),
        "a convolution": (torch.conv2d, (x, weight, None, stride, pad, 1, 2), {}),
        "a convolution by name": (
            torch.conv2d,
            (x, some(8, 2, 3, 3)),
            {"bias": some(8), "stride": (1, 2), "padding": (1, 0), "dilation": [2, 1], "groups": 2},
        ),
        "a convolution of one image": (torch.conv2d, (x[0], some(8, 4, 2, 3)), {}),
        "any convolution": (torch.convolution, (x, weight, None, [stride] * 2, [pad] * 2, [1], False, [0], 2), {}),
        "means": (functional.avg_pool2d, pooling, {}),
        "means of windows side by side": (functional.avg_pool2d, (x, kernel), {}),
        "means up to the edge": (functional.avg_pool2d, (*pooling, True, False), {}),
        "maxima": (functional.max_pool2d, pooling, {}),
        "maxima far apart": (functional.max_pool2d, (x, 2, stride), {"dilation": 3, "ceil_mode": True}),
    }


def moved(value: Any) -> Any:  # noqa: ANN401
    """To the device without values."""
    if isinstance(value, list | tuple):
        return type(value)(moved(each) for each in value)
    return value.to("meta") if isinstance(value, Tensor) else value


@pytest.mark.parametrize("repeat", range(5))
def test_shapes_are_torchs(repeat: int) -> None:
    for name, (function, args, kwargs) in cases().items():
        found = shaped(function, moved(args), kwargs)
        assert found is not None, name
        assert found.is_meta
        assert found.shape == function(*args, **kwargs).shape, name


def test_every_function_is_tried() -> None:
    tried = {function for function, _, _ in cases().values()}
    alike = {key for key, shape in SHAPES.items() if shape is SHAPES[functional.batch_norm]}
    assert set(SHAPES) - tried <= alike


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (torch.conv2d, (some(1, 4, 8, 8), some(8, 4, 3, 3)), {"padding": "same"}),
        (torch.convolution, (some(1, 4, 8, 8), some(4, 8, 3, 3), None, [2], [0], [1], True, [0], 1), {}),
        (functional.max_pool2d, (some(1, 4, 8, 8), 2), {"return_indices": True}),
        (Tensor.matmul, (some(3, 4), some(4)), {}),
        (functional.linear, (some(3, 4), some(4)), {}),
        (Tensor.mean, (some(3, 4),), {"axis": 1}),
        (Tensor.mean, (some(3, 4), 1), {"keepdims": True}),
        (torch.sort, (some(3),), {}),
    ],
)
def test_torch_is_asked_for_anything_else(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    function(*args, **kwargs)
    assert shaped(function, moved(args), kwargs) is None


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (torch.conv2d, (some(1, 4, 8, 8), some(8, 3, 3, 3))),
        (Tensor.matmul, (some(3, 4), some(5, 4))),
        (functional.linear, (some(3, 4), some(7, 5))),
        (torch.cat, ([some(1, 4, 8), some(1, 4, 7)], 1)),
        (Tensor.add, (some(3, 4), some(3, 5))),
    ],
)
def test_what_does_not_fit_together_is_an_error_as_ever(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    with pytest.raises(RuntimeError), MultiplyAdds():
        function(*moved(args))


def test_tensors_with_values_are_left_to_torch() -> None:
    assert shaped(Tensor.add, (some(2), some(2)), {}) is None
