"""Where a run is made: versions and hardware, which its figures may hang on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch

import cleave
from cleave.engine.progress import Callback
from cleave.errors import UserError


def surroundings(device: str, threads: int) -> dict[str, Any]:
    """Versions and hardware."""
    return {
        "cleave": cleave.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a class of its own
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "threads": threads,
    }


def cpu_name() -> str:
    """The processor's name and cores, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or 'unknown'}, {os.cpu_count()} cores"


def compare(before: Mapping[str, Any], now: Mapping[str, Any], images: str, path: Path, callback: Callback) -> None:
    """UserError where the images are others; a word where the outcome may no longer be the same byte for byte."""
    if before.get("images") != now["images"]:
        raise UserError(f"{images}: not the images that {path} was started with; put them back")
    for name, key in {"teacher": "training.teacher", "supernet": "begin.run", "pretrained": "begin.file"}.items():
        if before.get(name) != now.get(name):
            raise UserError(f"{key}: not the weights that {path} was started with; put them back")
    for name in ("cleave", "torch", "numpy", "machine", "device"):
        if before.get(name) != now[name]:
            callback.say(f"{name} was {before.get(name)} and is now {now[name]}: figures may differ in the last digits")
