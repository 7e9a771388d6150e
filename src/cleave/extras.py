"""Packages that only some commands need: the extras of the installation, each named after what needs it."""

from __future__ import annotations

from importlib.util import find_spec

from cleave.errors import UserError

EXTRAS = {
    "compare": ("scipy",),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "front": ("moocore",),
    "reproduce": ("matplotlib", "scipy"),
    "s3": ("s3fs",),
    "slurm": ("submitit",),
    "study": ("matplotlib", "pyarrow", "scipy"),
    "tracking": ("tensorboard",),
    "train": ("timm", "huggingface_hub"),
    "verdict": ("scipy",),
}


def missing_of(extra: str) -> list[str]:
    """The packages of an extra that are not installed; loads nothing."""
    return [package for package in EXTRAS[extra] if find_spec(package) is None]


def need_extra(extra: str, command: str | None = None) -> None:
    """UserError where a package that a command (None: of the same name) needs is not installed; loads nothing."""
    if missing := missing_of(extra):
        command = command or f"cleave {extra}"
        raise UserError(f"{command}: needs {', '.join(missing)}, not installed here; pip install 'cleave-nas[{extra}]'")
