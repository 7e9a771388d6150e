"""The formats in which a network is handed over, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cleave.errors import UserError, named
from cleave.export import onnx_file, program
from cleave.export.handed import Classifier, Handed
from cleave.export.plain import model_file
from cleave.extras import EXTRAS, need_extra

EXTRA = "export"


@dataclass(frozen=True)
class Format:
    """How a network is written into a folder and opened there. `file`: by which it is known to be there.

    `needs`: packages without which it does not run; `extra`: whether writing it needs those of the extra.
    """

    file: str
    write: Callable[[Handed, Path], None]
    opened: Callable[[Path], Classifier]
    needs: tuple[str, ...] = ()
    extra: bool = False


FORMATS: dict[str, Format] = {
    "onnx": Format(onnx_file.FILE, onnx_file.write, onnx_file.opened, ("onnxruntime",), extra=True),
    "torch": Format(program.FILE, program.write, program.opened),
    "plain": Format(model_file.FILE, model_file.write, model_file.opened),
}


def installed(names: Iterable[str]) -> bool:
    return all(find_spec(name) is not None for name in names)


def asked_formats(asked: Sequence[str] | None) -> list[str]:
    """The names of formats that are asked for; None: of all that can be written here. UserError for others."""
    if asked is None:
        return [name for name, each in FORMATS.items() if not each.extra or installed(EXTRAS[EXTRA])]
    names = list(dict.fromkeys(named("--format", each, {name: name for name in FORMATS}) for each in asked))
    for name in names:
        if FORMATS[name].extra:
            need_extra(EXTRA, f"cleave export --format {name}")
    return names


def found_in(folder: Path) -> str:
    """The first format of a folder that can be opened here; UserError where there is none."""
    there = [name for name, each in FORMATS.items() if (folder / each.file).is_file()]
    for name in there:
        if installed(FORMATS[name].needs):
            return name
    if there:
        raise UserError(f"{folder}: holds {', '.join(there)}; pip install {' '.join(FORMATS[there[0]].needs)}")
    raise UserError(f"{folder}: is no export (none of {', '.join(each.file for each in FORMATS.values())} in it)")
