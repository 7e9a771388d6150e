"""What runs a network where it is used, and how a module becomes what that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cleave.errors import UserError
from cleave.extras import need_extra

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Call = Callable[[], object]
"""Runs a module once on its input, and waits until it is done."""
Case = tuple[nn.Module, Tensor]
"""A module and its input."""
Runtime = Callable[[Sequence[Case], int], list[Call]]
"""(cases, threads) -> a call of each"""
TOGETHER = 400
"""Layers at most that are written as one ONNX file: beginning one takes a second, writing long ones much longer."""


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


def program_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    """What is exported of a module for such inputs: what leads nowhere is gone, and so is Python."""
    from torch.export import export  # not at the top: it is slow to import

    with torch.no_grad():
        return export(folded(module).to(memory_format=torch.channels_last), inputs, strict=False)


def in_torch(cases: Sequence[Case], threads: int) -> list[Call]:
    """The threads are those of torch when it is called."""
    return [torch_call(program_of(module, (x,)), x) for module, x in cases]


def torch_call(program: ExportedProgram, x: Tensor) -> Call:
    run = program.module(check_guards=False)

    def call() -> None:
        with torch.inference_mode():
            run(x)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)

    return call


class SideBySide(nn.Module):
    """Several modules, each with an input and an output of its own."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        return [module(x) for module, x in zip(self.parts, inputs, strict=True)]


def in_onnxruntime(cases: Sequence[Case], threads: int) -> list[Call]:
    """One operator after the other, each on so many threads."""
    return [call for some in batches(cases) for call in onnx_calls(some, threads)]


def batches(cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Cases in their order, in lists of no more than `TOGETHER` layers, but for those that have more alone."""
    batch, layers = list[Case](), 0
    for case in cases:
        own = sum(1 for _ in case[0].modules())
        if batch and layers + own > TOGETHER:
            yield batch
            batch, layers = [], 0
        batch, layers = [*batch, case], layers + own
    if batch:
        yield batch


def onnx_calls(cases: Sequence[Case], threads: int) -> Iterator[Call]:
    """Of modules that are written together, and then taken apart."""
    from onnx.utils import Extractor

    ins, outs = ([f"{end}{number}" for number in range(len(cases))] for end in ("in", "out"))
    program = program_of(SideBySide(module for module, _ in cases), tuple(x for _, x in cases))
    written = torch.onnx.export(program, dynamo=True, verbose=False, input_names=ins, output_names=outs)
    assert written is not None
    extractor = Extractor(written.model_proto)
    for (_, x), given, made in zip(cases, ins, outs, strict=True):
        yield onnx_call(extractor.extract_model([given], [made]).SerializeToString(), x, threads)


def onnx_call(model: bytes, x: Tensor, threads: int) -> Call:
    """The input stays where it is."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding, (given,) = session.io_binding(), session.get_inputs()
    binding.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(x.contiguous().numpy()))
    for made in session.get_outputs():
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
