"""Exports run where cleave is not: in fresh environments that have torch only, or onnxruntime only.

These are made of the packages of this environment, with what they require and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import torch

import cleave
from tests.tiny import write_images

COUNT, SIZE = 100, (3, 20, 14)
IN_TORCH = f"""
import json, sys, torch
data = bytearray(open("images.bin", "rb").read())
images = torch.frombuffer(data, dtype=torch.uint8).view({COUNT}, *{SIZE})
{{open}}
with torch.inference_mode():
    print(json.dumps([network(each)[0].tolist() for each in images.split({{batch}})]))
"""
OPENED = {
    "torch": 'network = torch.export.load("export/model.pt2").module()',
    "plain": 'sys.path.insert(0, "export"); from model import load; network = load()',
}
IN_ONNXRUNTIME = f"""
import json, numpy, onnxruntime
from PIL import Image
images = numpy.fromfile("images.bin", dtype=numpy.uint8).reshape({COUNT}, *{SIZE})
session = onnxruntime.InferenceSession("export/model.onnx", providers=["CPUExecutionProvider"])
parts = [images[start : start + {{batch}}] for start in range(0, {COUNT}, {{batch}})]
print(json.dumps([session.run(["probabilities"], {{{{"images": part}}}})[0].tolist() for part in parts]))
"""


def required(*packages: str) -> set[str]:
    """Packages with all that they require here."""
    requirements = pytest.importorskip("packaging.requirements")
    found, left = set[str](), list(packages)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            asked = map(requirements.Requirement, distribution(name).requires or [])
            left += [each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def environment(folder: Path, *packages: str) -> Path:
    """The Python of a new environment that has these packages only."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in required(*packages):
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution(name).locate_file(top))
    return folder / "bin" / "python"


def answers(python: Path, program: str, folder: Path) -> torch.Tensor:
    """The probabilities of the images, [n, classes]."""
    command = [python, "-I", "-W", "ignore", "-c", program]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr
    batches: list[Any] = json.loads(found.stdout)
    return torch.tensor([row for batch in batches for row in batch])


def lacks(python: Path, *modules: str) -> bool:
    program = f"import importlib.util as u; print([u.find_spec(name) is None for name in {modules!r}])"
    told = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True).stdout
    return told.strip() == str([True] * len(modules))


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export and images."""
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("handed")
    arch = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
    data, settings = write_images(folder / "images", classes=3), {"space.channels": 4, "data.image_size": 8}
    keys = {**settings, "training.epochs": 3, "training.batch_size": 12, "device": "cpu"}
    run = cleave.train(arch, space="nasbench201", data=str(data), out=folder / "run", settings=keys)
    cleave.export(run, folder / "export")
    pixels = torch.randint(256, (COUNT, *SIZE), dtype=torch.uint8)
    (folder / "images.bin").write_bytes(bytes(pixels.flatten().tolist()))
    return folder


@pytest.mark.parametrize("batch", [1, 8])
def test_in_fresh_environments_the_same_images_are_classified_alike(
    handed_over: Path, tmp_path: Path, batch: int
) -> None:
    in_torch = environment(tmp_path / "torch", "torch")
    in_onnx = environment(tmp_path / "onnx", "onnxruntime", "numpy", "pillow")
    assert lacks(in_torch, "cleave", "onnxruntime", "safetensors", "numpy", "PIL")
    assert lacks(in_onnx, "cleave", "torch", "safetensors")
    found = {
        name: answers(in_torch, IN_TORCH.format(open=code, batch=batch), handed_over) for name, code in OPENED.items()
    }
    found["onnx"] = answers(in_onnx, IN_ONNXRUNTIME.format(batch=batch), handed_over)
    first, *others = found.values()
    assert first.shape == (COUNT, 3)
    sure = first.topk(2).values.diff().abs().flatten() > 1e-3
    assert sure.any()
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=1e-4)
        assert torch.equal(other.argmax(dim=1)[sure], first.argmax(dim=1)[sure])
