"""What runs a network where it is used, and how a module becomes what that takes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cleave.errors import UserError
from cleave.extras import need_extra

Call = Callable[[], object]
"""Runs a program once on its input, and waits until it is done."""
Runtime = Callable[[ExportedProgram, Tensor, int], Call]
"""(program, input, threads) -> call"""


def folded(module: nn.Module) -> nn.Module:
    """A copy for use: in evaluation mode, normalisations in the weights of the convolutions before them.

    That is where one follows the other in a `Sequential`, as in all operations of cleave's own.
    """
    copy = deepcopy(module).eval()
    for each in [each for each in copy.modules() if isinstance(each, nn.Sequential)]:
        for (name, conv), (after, norm) in pairwise(list(each.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
                setattr(each, name, fuse_conv_bn_eval(conv, norm))
                setattr(each, after, nn.Identity())
    return copy.requires_grad_(False)


def program_of(module: nn.Module, x: Tensor) -> ExportedProgram:
    """A module as what is exported of it for inputs like `x`: what leads nowhere is gone, and so is Python."""
    with torch.no_grad():
        return torch.export.export(folded(module).to(memory_format=torch.channels_last), (x,), strict=False)


def in_torch(program: ExportedProgram, x: Tensor, threads: int) -> Call:
    """The threads are those of torch when it is called."""
    run = program.module(check_guards=False)

    def call() -> None:
        with torch.inference_mode():
            run(x)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)

    return call


def in_onnxruntime(program: ExportedProgram, x: Tensor, threads: int) -> Call:
    """One operator after the other, each on so many threads. Input and output stay where they are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors
    exported = torch.onnx.export(program, dynamo=True, verbose=False)
    assert exported is not None
    data = exported.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    binding, (given,), (made,) = session.io_binding(), session.get_inputs(), session.get_outputs()
    value = onnxruntime.OrtValue.ortvalue_from_numpy(x.contiguous().numpy())
    binding.bind_ortvalue_input(given.name, value)
    binding.bind_output(made.name)
    return partial(session.run_with_iobinding, binding)


RUNTIMES: dict[str, Runtime] = {"torch": in_torch, "onnx": in_onnxruntime}
PACKAGES = {"torch": ("torch",), "onnx": ("torch", "onnxruntime")}
"""By runtime, whose versions its figures hang on."""


def check_runtime(runtime: str, device: str) -> None:
    """UserError where there is no such runtime, or not here, or not on this device."""
    if runtime not in RUNTIMES:
        raise UserError(f"--runtime {runtime}: is none of {', '.join(RUNTIMES)}")
    if runtime == "onnx":
        need_extra("export", "cleave measure --runtime onnx")
        if device != "cpu":
            raise UserError(f"--runtime onnx: runs on the CPU, not on {device}; use --runtime torch or --device cpu")
