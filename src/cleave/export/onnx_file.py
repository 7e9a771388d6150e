"""The ONNX file of a network, with the names of its classes inside."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.export.deployed import INPUT, OUTPUTS
from cleave.export.handed import Answers, Classifier, Handed

if TYPE_CHECKING:
    from onnx import ModelProto

FILE = "model.onnx"
LEAST, MOST, USUAL = 18, 25, 18
"""Opsets. Resizing with antialiasing came with 18, which torch writes; newer ones are converted from that."""
SIZES = {0: "n", 2: "height", 3: "width"}
"""The names of an input's dimensions that may be anything."""


def check_opset(opset: int | None) -> int:
    """The opset, None for the usual one; UserError where it cannot be had."""
    if opset is None:
        return USUAL
    if not LEAST <= opset <= MOST:
        why = "resizing with antialiasing, which is in the graph, came with 18" if opset < LEAST else "is not known yet"
        raise UserError(f"--opset {opset}: {why}; give {LEAST} to {MOST}, or leave it out for {USUAL}")
    return opset


def write(handed: Handed, folder: Path) -> None:
    """By torch's exporter; UserError where it gives another opset than was asked for."""
    written = torch.onnx.export(
        handed.program,
        dynamo=True,
        verbose=False,
        opset_version=handed.opset,
        input_names=[INPUT],
        output_names=list(OUTPUTS),
    )
    assert written is not None
    model = written.model_proto
    if (found := opset_of(model)) != handed.opset:
        raise UserError(f"--opset {handed.opset}: torch.onnx wrote opset {found}; leave it out for {USUAL}")
    name_sizes(model)
    describe(model, {"classes": json.dumps(handed.classes), **handed.told})
    (folder / FILE).write_bytes(model.SerializeToString())


def opset_of(model: ModelProto) -> int:
    version: int = next(each.version for each in model.opset_import if each.domain == "")
    return version


def name_sizes(model: ModelProto) -> None:
    """Gives dimensions that may be any size names that say what they are."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    names = {dims[place].dim_param: name for place, name in SIZES.items()}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_param = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), dim.dim_param)


def describe(model: ModelProto, told: Mapping[str, str]) -> None:
    from onnx.helper import set_model_props

    set_model_props(model, dict(told))


def opened(folder: Path, file: str = FILE) -> Classifier:
    """In onnxruntime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])
    return partial(run, session)


def run(session: Any, images: Tensor) -> Answers:  # noqa: ANN401  an onnxruntime.InferenceSession
    probabilities, logits = session.run(list(OUTPUTS), {INPUT: images.numpy()})
    return torch.from_numpy(probabilities), torch.from_numpy(logits)
