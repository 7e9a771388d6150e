"""A user's own files: methods, splitters, criteria, operations, spaces and sources of images. Loading one runs it.

They are loaded before a recipe is checked, in every process, under a module name that follows from their bytes, so
that what they define can be sent from one process to another. Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import linecache
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isabstract, isclass
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from cleave.errors import UserError, brief
from cleave.files import read_bytes
from cleave.places import expanded
from cleave.registry import registering

LIMIT = 2**20
"""Bytes of a file; nobody writes as many lines."""
ALLOW = "--changed-extensions"
"""The flag that lets a run go on with other code than it was begun with."""


@dataclass(frozen=True)
class Extension:
    """A file that was loaded, the SHA-256 of its bytes, and the module that it became."""

    file: Path
    sha256: str
    module: ModuleType


LOADED: dict[Path, Extension] = {}
"""What this process has loaded, in that order."""


def load_extension(file: str | Path, expected: str | None = None) -> Extension:
    """Runs a file, unless this process has run the same bytes before.

    UserError in one line, with file, line and cause, where it is not there or fails, or is not of the SHA-256 expected.
    """
    path = expanded(str(file)).absolute()
    data = read_bytes(path, LIMIT)
    sha256 = hashlib.sha256(data).hexdigest()
    if expected not in (None, sha256):
        raise UserError(f"{path}: was changed while the run was going on; put it back, or resume with {ALLOW}")
    before = LOADED.get(path)
    if before is None or before.sha256 != sha256:
        LOADED[path] = Extension(path, sha256, imported(path, data, sha256))
    return LOADED[path]


def load_all(files: Iterable[str]) -> list[str]:
    """Runs several, and gives their whole paths."""
    return [str(load_extension(each).file) for each in files]


def imported(path: Path, data: bytes, sha256: str) -> ModuleType:
    """The module of a file's bytes. It can be found by its name from the start, as pickling its classes needs."""
    name = f"cleave_extension_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{sha256[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    linecache.checkcache(str(path))
    try:
        with telling_lines(path), registering(path):
            exec(compile(data, str(path), "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def telling_lines(path: Path) -> Iterator[None]:
    """Has what a user's code raises, which can be anything, end as one line that names its file and line."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except (Exception, SystemExit) as error:
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        line = line_of(path, error)
        where = f"{path}, line {line}" if line else str(path)
        raise UserError(f"{where}: {kind}{brief(what, 300)}") from error


def line_of(path: Path, error: BaseException) -> int | None:
    """The last line of the file that an error came through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return lines[-1] if lines else None


def split_entry(entry: str) -> tuple[str, str | None]:
    """ "FILE.py:Class" as (file, class), and what is only a file or a name as (it, None)."""
    file, colon, name = entry.rpartition(":")
    return (file, name) if colon and file.endswith(".py") else (entry, None)


def is_entry(name: object) -> bool:
    """Whether the name of a space is that of a class in a file."""
    return isinstance(name, str) and split_entry(name)[1] is not None


def class_in(entry: str, base: type, what: str) -> Any:  # noqa: ANN401
    """The class of "FILE.py:Class", which has to be a whole one of a kind; the file is run if it was not before."""
    file, name = split_entry(entry)
    extension = load_extension(file)
    path, module = extension.file, extension.module
    assert name is not None
    found = getattr(module, name, None)
    own = [each for each, kind in vars(module).items() if isclass(kind) and kind.__module__ == module.__name__]
    if found is None:
        raise UserError(f"{path}: has no class {brief(name)}; its classes: {', '.join(own) or 'none'}")
    if not isclass(found) or not issubclass(found, base):
        raise UserError(f"{path}: {name} is no {what}; make it a subclass of cleave.{what.lower()}.{what}")
    if isabstract(found):
        raise UserError(f"{path}: {name} lacks {', '.join(sorted(vars(found)['__abstractmethods__']))}")
    return found


def use_extensions(raw: dict[str, Any]) -> dict[str, Any]:
    """A raw recipe whose files have been run, and are named by whole paths; the rest is checked later."""
    listed, space = raw.get("extensions"), raw.get("space")
    changes: dict[str, Any] = {}
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
        changes["extensions"] = load_all(listed)
    if isinstance(space, Mapping) and is_entry(space.get("name")):
        file, name = split_entry(space["name"])
        load_extension(file)
        changes["space"] = {**space, "name": f"{expanded(file).absolute()}:{name}"}
    return {**raw, **changes}


def file_hashes(extensions: Iterable[str], space: str) -> dict[str, str]:
    """The SHA-256 of each file that a resolved recipe names, as it was loaded."""
    named = [split_entry(space)[0]] if is_entry(space) else []
    return {file: load_extension(file).sha256 for file in (*extensions, *named)}


def check_unchanged(begun: Mapping[str, str], allowed: bool | None, say: Callable[[str], None]) -> None:
    """UserError where a file is not as a run was begun with, unless that is allowed: then it is said. Runs nothing.

    `allowed` is None where there is no flag by which it could be.
    """
    for file, sha256 in begun.items():
        if hashlib.sha256(read_bytes(Path(file), LIMIT)).hexdigest() == sha256:
            continue
        if not allowed:
            way_out = "" if allowed is None else f", or allow it with {ALLOW}"
            raise UserError(f"{file}: is not as it was when the run was begun; put it back{way_out}")
        say(f"{file}: is not as it was when the run was begun ({ALLOW}): figures may differ from a run in one piece")
