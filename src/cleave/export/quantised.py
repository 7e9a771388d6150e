"""The same network in int8, by onnxruntime's static quantisation, beside the float one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from cleave.data.images import Images
from cleave.deploy.one import time_calls
from cleave.deploy.runtimes import onnx_call
from cleave.engine.environment import cpu_name
from cleave.engine.stop import Stop
from cleave.export import onnx_file
from cleave.export.check import Agreement, Examples, logits_of
from cleave.export.deployed import INPUT
from cleave.retrain.compare import of_images
from cleave.streams import quiet

FILE = "model.int8.onnx"
CALIBRATION = 256
"""Training images by which the ranges of activations are found."""
BATCH = 8
QUANTISED = ["Conv", "Gemm", "MatMul"]
"""Kinds of operations that are computed in int8; what is done to pixels is not."""
FLOAT, INT8 = "float32", "int8"


class Shown:
    """What calibration is shown, as onnxruntime asks for it."""

    def __init__(self, pixels: Tensor) -> None:
        self.left: Iterator[NDArray[Any]] = (piece.numpy() for piece in torch.split(pixels, BATCH))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        images = next(self.left, None)
        return None if images is None else {INPUT: images}


def quantise(folder: Path, train: Images) -> None:
    """Writes the int8 file beside the float one, with the same names and metadata."""
    from onnxruntime.quantization import quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    pixels = train.at(torch.arange(len(train)))[0]
    ready = folder / f".{FILE}"
    with quiet():
        quant_pre_process(folder / onnx_file.FILE, ready, skip_symbolic_shape=True)
        quantize_static(ready, folder / FILE, Shown(pixels), op_types_to_quantize=QUANTISED, per_channel=True)
    ready.unlink()


def compared(folder: Path, examples: Examples, calibrated: int, stop: Stop) -> dict[str, Any]:
    """{"file", "calibration_images", "device", "top1", "figures": {"float32": {...}, "int8": {...}}}.

    Figures: accuracy on the images of the check in percent with its 95 % interval, milliseconds of one image by one
    thread, bytes of the file. "top1": percent of images with the same first class.
    """
    files = {FLOAT: folder / onnx_file.FILE, INT8: folder / FILE}
    logits = {
        kind: logits_of(onnx_file.opened(folder, file.name), examples.pixels, BATCH, stop)
        for kind, file in files.items()
    }
    calls = {kind: onnx_call(file.read_bytes(), examples.pixels[:1], 1) for kind, file in files.items()}
    times = time_calls(calls, 1)
    figures = {}
    for kind, found in logits.items():
        right = int((found.argmax(dim=1) == examples.labels).sum())
        held = {"images": len(found), "accuracy": 100 * right / len(found)}
        figures[kind] = {
            **held,
            "interval": list(of_images(held)),
            "milliseconds": times[kind].milliseconds,
            "spread": times[kind].spread,
            "bytes": files[kind].stat().st_size,
        }
    return {
        "file": FILE,
        "calibration_images": calibrated,
        "device": cpu_name(),
        "top1": Agreement.of(logits[INT8], logits[FLOAT]).top1,
        "figures": figures,
    }
