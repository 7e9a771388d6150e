"""`cleave export`: a network in files that run without cleave, checked before it is handed over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError
from cleave.export.card import CARD, README, facts_of, next_command
from cleave.export.check import BATCHES, IMAGES, Examples
from cleave.export.deployed import Deployed, check_alone
from cleave.export.formats import FORMATS, asked_formats
from cleave.export.handed import Handed
from cleave.export.onnx_file import check_opset
from cleave.export.quantised import CALIBRATION, FILE, compared, quantise
from cleave.export.subject import Subject, Whose, open_subject, some
from cleave.export.text import readme_of
from cleave.export.usage import usage
from cleave.run.durable import rename, saving, write_bytes, write_json
from cleave.run.folder import making
from cleave.run.mirror import sent
from cleave.run.outcome import hashes_of


@dataclass(frozen=True)
class ExportRequest:
    """What is exported, and where to. formats: None for all that can be written here; opset: None for the usual one;
    int8: whether the ONNX file comes in int8 too."""

    whose: Whose
    out: Path
    formats: Sequence[str] | None = None
    opset: int | None = None
    int8: bool = False


def export(request: ExportRequest, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """Writes the folder and returns what its card says, with "folder" and the "next" command.

    UserError for what the user can correct, and where a written network answers otherwise than the run's own;
    Interrupted when asked to stop. In both cases nothing is left behind.
    """
    formats = checked_formats(request, callback)
    opset = check_opset(request.opset)
    check_new(request.out)
    try:
        with callback.stop, made_whole(request.out) as folder:
            subject = open_subject(request.whose, callback, given)
            card = written(subject, formats, opset, request.int8, folder, callback)
    except (Interrupted, KeyboardInterrupt) as error:
        raise Interrupted("interrupted; nothing was exported") from error
    return {"folder": str(request.out), **card, "next": next_command(subject, request.out)}


def checked_formats(request: ExportRequest, callback: Callback) -> list[str]:
    """The formats; UserError for unknown ones, and where something is asked for that is of another one."""
    formats = asked_formats(request.formats)
    if request.formats is None and "onnx" not in formats:
        callback.say("no ONNX file: its packages are not installed here; pip install 'cleave-nas[export]'")
    for flag, there in {"--opset": request.opset is not None, "--int8": request.int8}.items():
        if there and "onnx" not in formats:
            raise UserError(f"{flag}: is of ONNX files; add --format onnx (pip install 'cleave-nas[export]')")
    return formats


def check_new(out: Path) -> None:
    if os.path.lexists(out):
        raise UserError(f"{out}: is there already and nothing is overwritten; give --out another folder")


@contextmanager
def made_whole(out: Path) -> Iterator[Path]:
    """A folder beside `out` that gets its name at the end; where anything fails it is removed."""
    folder = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with making(out):
        folder.mkdir(parents=True)
    try:
        yield folder
        check_new(out)
        with saving(out):
            rename(folder, out)
        sent(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def written(
    subject: Subject, formats: Sequence[str], opset: int, int8: bool, folder: Path, callback: Callback
) -> dict[str, Any]:
    """The card of what was written into a folder and found right."""
    check_alone(subject.network, f"space {subject.space.name}")
    facts = facts_of(subject)
    told = {key: facts[key] for key in ("title", "cleave", "space", "arch")}
    handed = Handed(Deployed(subject.network, subject.pixels).eval(), subject.train.classes, told, opset)
    examples = Examples(handed.deployed, subject.checked(IMAGES))
    found = {name: checked(name, handed, examples, folder, callback) for name in formats}
    check = {"images": len(examples.pixels), "held_out": subject.unseen, "batches": list(BATCHES), "formats": found}
    small = in_int8(subject, examples, folder, callback) if int8 else None
    hashes = hashes_of({file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()})
    card = {**facts, "check": check, "int8": small, "files": hashes, "formats": list(formats)}
    code = {name: usage(name, FORMATS[name].file, subject.pixels.channels) for name in formats}
    write_json(folder / CARD, card)
    write_bytes(folder / README, readme_of(card, code).encode())
    return card


def checked(name: str, handed: Handed, examples: Examples, folder: Path, callback: Callback) -> dict[str, Any]:
    """How a format that is written and opened again agrees with the run's own network."""
    callback.say(f"{name}: writing")
    with saving(folder / FORMATS[name].file):
        FORMATS[name].write(handed, folder)
    callback.say(f"{name}: checking by {len(examples.pixels)} images")
    return examples.check(name, FORMATS[name].opened(folder), callback.stop)


def in_int8(subject: Subject, examples: Examples, folder: Path, callback: Callback) -> dict[str, Any]:
    callback.say("int8: calibrating, then comparing accuracy and latency")
    train = some(subject.train, CALIBRATION)
    with saving(folder / FILE):
        quantise(folder, train)
    return compared(folder, examples, len(train), callback.stop)
