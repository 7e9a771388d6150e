"""Programs compute what their modules compute, with normalisations in the weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cleave.cli import run
from cleave.deploy import runtimes
from cleave.deploy.runtimes import batches, check_runtime, folded, in_onnxruntime, in_torch, program_of
from cleave.deploy.subjects import drawn, network_of, units_of
from cleave.errors import UserError
from cleave.ops import Conv2d
from cleave.space import find_space
from tests.deploy.made import SMALL, small
from tests.test_extras import hide


def with_statistics(module: nn.Module) -> nn.Module:
    """Its normalisations have seen something that is not standard."""
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d) and each.track_running_stats:
            each.running_mean, each.running_var = torch.randn_like(each.running_mean), torch.rand_like(each.running_var)  # type: ignore[type-var,assignment,arg-type]
    return module.double().eval()


@pytest.mark.parametrize("name", ["nasbench201", "darts", "cells64", "mobilenet-proxyless"])
def test_a_folded_network_is_the_network(name: str) -> None:
    asked = small(find_space(name))
    (arch,) = drawn(asked, 1).values()
    network = with_statistics(network_of(asked, arch))
    images = torch.randn(2, *asked.image, dtype=torch.float64)
    with torch.no_grad():
        program = program_of(network, (images,)).module()
        torch.testing.assert_close(folded(network)(images), network(images))
        torch.testing.assert_close(program(images), network(images))


def test_a_normalisation_behind_a_convolution_is_gone_and_another_stays() -> None:
    norms = [nn.BatchNorm2d(3), nn.BatchNorm2d(4), nn.BatchNorm2d(4, track_running_stats=False)]
    module = nn.Sequential(norms[0], Conv2d(3, 4, 1, bias=False), norms[1], Conv2d(4, 4, 1), norms[2])
    kinds = [type(each).__name__ for each in folded(module)]
    assert kinds == ["BatchNorm2d", "Conv2d", "Identity", "Conv2d", "BatchNorm2d"]
    assert [type(each).__name__ for each in module][2] == "BatchNorm2d"


def test_cases_are_packed_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "TOGETHER", 10)
    cases = [(nn.Sequential(*map(nn.Linear, [1] * size, [1] * size)), torch.zeros(1)) for size in (3, 5, 1, 29, 4, 4)]
    packed = [[len(list(module.children())) for module, _ in batch] for batch in batches(cases)]
    assert packed == [[3, 5], [1], [29], [4, 4]]


def test_a_call_in_torch_runs_the_module() -> None:
    seen: list[torch.Size] = []

    class Seen(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.shape)
            return x + 1

    (call,) = in_torch([(Seen(), torch.zeros(1, 2))], threads=1)
    call()
    assert seen == [(1, 2)]  # when it was exported: what is called is the program


def test_onnxruntime_gives_what_torch_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that does nothing, blocks and networks, written in two files."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    (arch,) = drawn(SMALL, 1).values()
    modules = [(nn.Identity(), (1, 1, 1)), *((module, unit.input) for unit, module in units_of(SMALL).items())]
    cases = [(module.eval(), torch.randn(2, *shape)) for module, shape in modules]
    cases.append((network_of(SMALL, arch).eval(), torch.randn(2, *SMALL.image)))
    monkeypatch.setattr(runtimes, "TOGETHER", 60)
    assert len(list(batches(cases))) > 1
    calls: list[Any] = in_onnxruntime(cases, threads=1)
    for call, (module, x) in zip(calls, cases, strict=True):
        call()
        (binding,) = call.args
        with torch.no_grad():
            expected = module(x)
        (output,) = binding.copy_outputs_to_cpu()
        torch.testing.assert_close(torch.from_numpy(output), expected, rtol=1e-3, atol=1e-4)


def test_a_runtime_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,  # noqa: ANN401
) -> None:
    with pytest.raises(UserError, match="--runtime tflite: is none of torch, onnx"):
        check_runtime("tflite", "cpu")
    monkeypatch.setattr(runtimes, "need_extra", lambda *names: None)
    with pytest.raises(UserError, match=r"runs on the CPU, not on cuda:1; use --runtime torch or --device cpu"):
        check_runtime("onnx", "cuda:1")
    monkeypatch.undo()
    hide(monkeypatch, "onnx", "onnxruntime")
    monkeypatch.chdir(tmp_path)
    assert run(["measure", "nasbench201", "--runtime", "onnx", "--out", "table.json"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("cleave: cleave measure --runtime onnx: needs onnx, onnxruntime")
    assert said.endswith("not installed here; pip install 'cleave-nas[export]'")
    assert list(tmp_path.iterdir()) == []
