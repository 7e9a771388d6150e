"""What is drawn: an architecture that was written down, or the one that a run chose."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.extensions import is_entry
from cleave.run.origin import SEARCH, read_origin
from cleave.run.resumable import unfinished
from cleave.run.view import view
from cleave.space import Arch, Layout, Space, find_space
from cleave.space.drawing import svg
from cleave.space.registry import settings_from

USUAL = "nasbench201"


@dataclass(frozen=True)
class Drawn:
    """An architecture with its space, and what its networks look like."""

    space: Space
    layout: Layout
    arch: Arch

    def svg(self) -> str:
        return svg(self.space, self.layout, self.arch)

    def to_json(self) -> dict[str, Any]:
        return {"space": self.space.name, "arch": self.space.format(self.arch), "drawing": self.space.draw(self.arch)}


def find_drawn(asked: str, space: str | None) -> Drawn:
    """That of a run folder, or of an architecture in the notation of a space (None: the usual one)."""
    return of_run(Path(asked), space) if os.path.isdir(asked) else of_text(asked, space)


def of_text(text: str, name: str | None) -> Drawn:
    """UserError where the space has no such architecture."""
    space = find_space(name or USUAL)
    return Drawn(space, space.layout(space.paper_size, 3), parsed(space, text, name))


def parsed(space: Space, text: str, name: str | None) -> Arch:
    """The architecture that a text writes down; UserError, which asks for the space where none was named."""
    try:
        return space.parse(text)
    except UserError as error:
        if name is not None:
            raise
        raise UserError(f"{error} (or name another space than {space.name}: --space)") from error


def of_run(run: Path, name: str | None) -> Drawn:
    """What a finished run chose; UserError where it is not finished.

    `name`: its space again, where that is a class in a file: the file is run, which nobody is to do unasked.
    """
    told, settings = view(run), read_origin(run, SEARCH).recipe["space"]
    if told.get("status") == "unfinished":
        raise unfinished(run)
    refuse_unasked(run, settings["name"], name)
    if name is not None and find_space(name).name != told["space"]:
        raise UserError(f"{run}: is of the space {told['space']}; leave --space out")
    asked = settings_from(settings)
    space = find_space(asked)
    return Drawn(space, space.layout(asked.size, 3), space.parse(told["chosen"]["arch"]))


def refuse_unasked(run: Path, space: str, name: str | None) -> None:
    """UserError where a run's space is a class in a file, which would be run, and it was not named again."""
    if is_entry(space) and name != space:
        raise UserError(f"{run}: its space is a class in a file, which would be run; name it: --space {space}")
