from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.utils._python_dispatch import TorchDispatchMode

from cleave.net import Conv2d, Norm, build
from cleave.net.fan_out import Use, fan_out
from cleave.ops import OPERATIONS, Operation, Operations, convolution
from cleave.ops.convolution import convolve, faulty_layers
from cleave.space import Layer, Layout, Region
from tests.reference.convolution import convolution as written_out


def gradients(output: Tensor, *inputs: Tensor) -> list[Tensor]:
    """Of a function that treats every output differently."""
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).reshape(output.shape)
    return [output, *torch.autograd.grad((output * weights).sum(), inputs)]


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "padding", "dilation"),
    [(1, 0, 1), (1, 1, 1), (3, 1, 1), (3, 2, 2), (5, 4, 2), (3, 3, 2), (3, 0, 2), (3, 3, 3), (3, 4, 4)],
)
@pytest.mark.parametrize("grouped", [False, True])
def test_every_form_is_the_convolution_written_out(
    side: int, stride: int, kernel: int, padding: int, dilation: int, grouped: bool
) -> None:
    for channels in range(1, 13) if kernel == 1 else (1, 2, 5):
        groups = channels if grouped else 1
        generator = torch.Generator().manual_seed(channels)
        x = torch.randn(2, channels, side, side + 1, generator=generator, dtype=torch.float64).requires_grad_()
        weight = torch.randn(
            2 * channels, channels // groups, kernel, kernel, generator=generator, dtype=torch.float64
        ).requires_grad_()
        ours = convolve(x, weight, None, (stride, stride), (padding, padding), (dilation, dilation), groups)
        right = written_out(x, weight, stride, padding, dilation, groups)
        for one, other in zip(gradients(ours, x, weight), gradients(right, x, weight), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_a_layer_is_torchs_own_but_for_its_form() -> None:
    for options in (
        {},
        {"padding": 1},
        {"bias": False},
        {"padding": (2, 1), "padding_mode": "reflect"},
        {"padding": "valid"},
    ):
        torch.manual_seed(0)
        ours = Conv2d(3, 4, 1, stride=2, dtype=torch.float64, **options)  # type: ignore[arg-type]
        torch.manual_seed(0)
        torchs = nn.Conv2d(3, 4, 1, stride=2, dtype=torch.float64, **options)  # type: ignore[arg-type]
        x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
        torch.testing.assert_close(ours(x), torchs(x), rtol=1e-12, atol=1e-12)
        assert list(ours.state_dict()) == list(torchs.state_dict())
        assert type(ours).__name__ == "Conv2d"  # the names of tensors in a study have it


@pytest.mark.parametrize("setting", ["AVX2", "ALL"])
def test_no_gradient_writes_behind_its_memory(setting: str) -> None:
    """In a process of its own: where one does, the process aborts at some later time."""
    command = [sys.executable, "-m", "tests.net.strided_pointwise", "cleave"]
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": setting}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_may_be_a_word(padding: str, dilation: int) -> None:
    x, weight = torch.randn(2, 4, 8, 8, dtype=torch.float64), torch.randn(4, 1, 3, 3, dtype=torch.float64)
    ours = convolve(x, weight, None, (1, 1), padding, (dilation, dilation), 4)
    torch.testing.assert_close(ours, conv2d(x, weight, None, 1, padding, dilation, 4))


@pytest.mark.parametrize(
    ("stride", "dilation", "sides", "seen"),
    [
        ((1, 1), (2, 2), (8, 6), (16, (1, 1), (1, 1))),  # of 4 images, 4 phases each
        ((1, 1), (2, 1), (8, 6), (8, (1, 1), (1, 1))),
        ((1, 1), (2, 2), (8, 7), (4, (1, 1), (2, 2))),  # phases of unequal size: as it is
        ((2, 2), (2, 2), (8, 7), (4, (1, 1), (1, 1))),
        ((2, 2), (4, 4), (8, 8), (16, (1, 1), (1, 1))),
        ((2, 2), (1, 1), (8, 8), (4, (2, 2), (1, 1))),
        ((2, 1), (2, 2), (8, 8), (8, (1, 1), (1, 1))),  # every second row, and then in phases of columns
    ],
)
def test_the_shape_decides_the_form(
    stride: tuple[int, int], dilation: tuple[int, int], sides: tuple[int, int], seen: tuple[object, ...]
) -> None:
    x, weight = torch.randn(4, 3, *sides, requires_grad=True), torch.randn(3, 1, 3, 3)
    with Forms() as forms:
        convolve(x, weight, None, stride, dilation, dilation, groups=3)
    assert forms.seen == [seen]


def test_without_gradients_a_dilated_convolution_is_not_taken_apart() -> None:
    """Forwards torch is faster."""
    with Forms() as forms, torch.no_grad():
        convolve(torch.randn(4, 3, 8, 8), torch.randn(3, 1, 3, 3), None, (1, 1), (2, 2), (2, 2), groups=3)
    assert forms.seen == [(4, (1, 1), (2, 2))]


class Forms(TorchDispatchMode):
    """Notes every convolution that reaches torch: (images, stride, dilation)."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if function is torch.ops.aten.convolution.default:
            self.seen.append((len(args[0]), tuple(args[3]), tuple(args[5])))
        return function(*args, **(kwargs or {}))


class Convolutions(TorchDispatchMode):
    """Notes what every convolution that reaches torch looks like: (kernel, stride)."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Sequence[int], Sequence[int]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if function is torch.ops.aten.convolution.default:
            self.seen.append((tuple(args[1].shape[2:]), tuple(args[3])))
        return function(*args, **(kwargs or {}))


def strided_pointwise(seen: list[tuple[Sequence[int], Sequence[int]]]) -> list[tuple[Sequence[int], Sequence[int]]]:
    return [(kernel, stride) for kernel, stride in seen if tuple(kernel) == (1, 1) and max(stride) > 1]


@pytest.mark.parametrize("norm", [Norm(affine=False), Norm(running=True)])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_operation_hands_a_strided_pointwise_convolution_to_torch(name: str, norm: Norm) -> None:
    stride = 1 if name in ("skip_connect", "bn_relu") else 2
    x = torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    alone, together = (
        Operations(norm=norm).make(name, 4, 4, stride),
        [Operations(norm=norm).make(name, 4, 4, stride) for _ in range(2)],
    )
    with Convolutions() as convolutions:
        alone(x)
        fan_out(x, [Use(operation, None) for operation in together])
    assert strided_pointwise(convolutions.seen) == []


def test_what_watches_convolutions_sees_one_that_does() -> None:
    with Convolutions() as convolutions:
        conv2d(torch.randn(1, 2, 4, 4), torch.randn(3, 2, 1, 1), stride=2)
    assert strided_pointwise(convolutions.seen) == [((1, 1), (2, 2))]


def test_fan_out_bundles_users_convolutions_in_the_safe_form() -> None:
    operations = [nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1, 2, bias=False), Norm(affine=False)(4)) for _ in range(2)]
    with Convolutions() as convolutions:
        fan_out(torch.randn(2, 4, 8, 8), [Use(operation, None) for operation in operations])
    assert convolutions.seen == [((1, 1), (1, 1))]


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised first: not what its class's name says."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return conv2d(x, weight, padding=1)


def test_fan_out_leaves_a_subclass_of_a_convolution_to_itself() -> None:
    norm, x = Norm(affine=False), torch.randn(2, 4, 8, 8)
    operations = [nn.Sequential(nn.ReLU(), Standardised(4, 4, 3, bias=False), norm(4)) for _ in range(2)]
    for term, operation in zip(fan_out(x, [Use(each, None) for each in operations]), operations, strict=True):
        assert term is not None
        torch.testing.assert_close(term[0], operation(x))


def user_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 4, 3, 2), nn.Conv2d(4, 4, 1), nn.Sequential(nn.Conv2d(4, 4, 1, 2)), Conv2d(4, 4, 1, 2)
    )


def test_a_users_layer_is_named_on_cpus_of_the_affected_kind_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "runs_avx2_kernels", lambda: True)
    assert faulty_layers(user_network()) == ["2.0"]
    monkeypatch.setattr(convolution, "runs_avx2_kernels", lambda: False)
    assert faulty_layers(user_network()) == []


@pytest.mark.parametrize("layer", [nn.Conv2d, Conv2d])
def test_building_a_network_warns_of_such_a_layer(layer: type[nn.Conv2d], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "runs_avx2_kernels", lambda: True)
    monkeypatch.setitem(OPERATIONS, "users", Operation(lambda width, out, stride, norm: layer(width, out, 1, stride)))
    layout = Layout((("first", Layer("choice", 3, 4, stride=2)),), features=4)
    region = Region({"choice": ("users", "none")})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build(layout, region, classes=2, seed=0)
    told = [str(each.message) for each in caught]
    assert len(told) == (layer is nn.Conv2d)
    assert all("blocks.first.edge.ops.users" in line and "cleave.net.Conv2d" in line for line in told)


@pytest.mark.parametrize(
    ("avx2", "avx512", "allowed", "affected"),
    [
        (True, False, "", True),
        (True, False, "ALL", True),
        (True, False, "AVX512_CORE", True),
        (True, False, "SSE41", False),
        (True, False, "AVX", False),
        (True, True, "", False),
        (True, True, "AVX2", True),
        (True, True, "avx2_vnni", True),
        (True, True, "AVX512_CORE", False),
        (False, False, "", False),  # no x86, or an old one
        (False, False, "AVX2", False),
    ],
)
def test_the_affected_kind_is_avx2_without_more(
    avx2: bool, avx512: bool, allowed: str, affected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: avx2)
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: avx512)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", allowed) if allowed else monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", False)
    assert convolution.runs_avx2_kernels() is affected
