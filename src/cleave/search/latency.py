"""The latency table of a search: whether it needs one, and that it is of this machine and these networks."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cleave.deploy.table import FOREIGN, LatencyTable, open_table
from cleave.errors import UserError
from cleave.files import refuse_pipe
from cleave.method import METHODS
from cleave.net.cost import costs
from cleave.net.sized import Sized
from cleave.places import expanded
from cleave.run.reading import read_file
from cleave.settings import Recipe


def learns_by_latency(recipe: Recipe) -> bool:
    """Whether the method goes by milliseconds."""
    return "milliseconds" in METHODS[recipe.method.name].figures(recipe.method)


def goes_by_latency(recipe: Recipe) -> bool:
    """Whether anything of a search goes by milliseconds."""
    return learns_by_latency(recipe) or recipe.limits.latency is not None


def resolve_latency(recipe: Recipe) -> str | None:
    """The table's name with its absolute path; UserError where it is needed and not given, or of another machine."""
    if recipe.latency is None:
        if goes_by_latency(recipe):
            raise UserError("latency: milliseconds are asked for; give latency=FILE, a table of cleave measure")
        return None
    file = file_of(recipe.latency)
    refuse_pipe("latency", file)
    open_table(recipe.latency)
    return f"{FOREIGN if recipe.latency.startswith(FOREIGN) else ''}{expanded(str(file)).absolute()}"


def file_of(asked: str) -> Path:
    return Path(asked.removeprefix(FOREIGN))


def table_for(asked: str, networks: Sized) -> LatencyTable:
    """A table that was found to be of this machine before; UserError unless it has all of the networks."""
    table = open_table(asked, here=False)
    table.check_for(networks)
    space = networks.space
    costs(space, networks.size, networks.image, networks.classes, latency=table).count(space.parts(space.region))
    return table


def hash_of(recipe: Recipe) -> dict[str, str]:
    """What a run's environment has of its table; nothing where there is none."""
    if recipe.latency is None:
        return {}
    return {"latency": hashlib.sha256(read_file(file_of(recipe.latency))).hexdigest()}


def check_unchanged_table(before: object, recipe: Recipe, path: Path) -> None:
    """UserError where the table is not the one that a run was begun with (SHA-256 `before`)."""
    if before != hash_of(recipe).get("latency"):
        raise UserError(f"{recipe.latency}: is not the table that {path} was started with; put it back")
