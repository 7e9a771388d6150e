"""Packages that only some commands need: the extras of the installation, each named after its command."""

from __future__ import annotations

from importlib.util import find_spec

from cleave.errors import UserError

EXTRAS = {
    "front": ("moocore",),
    "reproduce": ("matplotlib", "scipy"),
    "study": ("matplotlib", "pyarrow", "scipy"),
    "train": ("timm",),
}


def need_extra(command: str) -> None:
    """UserError where a package that a command needs is not installed; loads nothing."""
    missing = [package for package in EXTRAS[command] if find_spec(package) is None]
    if missing:
        raise UserError(
            f"cleave {command}: needs {', '.join(missing)}, not installed here; pip install 'cleave-nas[{command}]'"
        )
