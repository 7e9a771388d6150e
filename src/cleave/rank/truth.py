"""With what a ranking is compared: architectures, and their accuracies when each is trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from cleave.bench.table import DATASETS, Table, dataset_of, need
from cleave.csv_file import CsvRow, by_name, column_of, find_column, read_rows
from cleave.data.chance import Chance
from cleave.data.report import IMAGES
from cleave.errors import UserError, named, shown
from cleave.net.cost import Costs, costs
from cleave.net.units import Image
from cleave.rank.columns import Numbers, early
from cleave.rank.predictions import ARCH
from cleave.rank.published import published_rows
from cleave.rank.question import RankQuestion
from cleave.run.reading import read_json
from cleave.search.problem import limited
from cleave.search.runner import ImagesFile
from cleave.settings import Recipe
from cleave.space import Arch, Space
from cleave.space.sample import distinct

TABLE, FILE, ALONE = "table", "file", "alone"
"""Where accuracies are from."""
ACCURACY, TRUE, JUDGED = "accuracy", "true", "judged"
"""Columns of the file that a ranking writes: what a supernet gives, and the truth."""
FEWEST = 2
"""Architectures that can be ranked."""


class Inputs(NamedTuple):
    """What the networks of a run are given, and how many classes they tell apart."""

    image: Image
    classes: int


UNSEEN = Inputs((3, 32, 32), 10)
"""In the place of what a run will show that is not yet searched."""


def inputs_of(path: Path) -> Inputs:
    """Those of a run in its folder."""
    seen = read_json(path / IMAGES, ImagesFile)
    return Inputs((seen["channels"], seen["size"], seen["size"]), len(seen["classes"]))


@dataclass(frozen=True)
class Truth:
    """Architectures and how they do when trained alone.

    accuracies: percent, in their order; None where they are still to be trained. told: what they are, for people.
    dataset: of which images. costs: of the networks that are meant. early, published: other columns and rows that
    only the table has.
    """

    archs: Sequence[Arch]
    accuracies: Numbers | None
    told: Mapping[str, Any]
    dataset: str
    costs: Costs
    early: Mapping[str, Numbers] = field(default_factory=dict)
    published: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def truth_for(recipe: Recipe, space: Space, question: RankQuestion, inputs: Inputs | None) -> Truth:
    """The truth that is asked for; UserError where there is none. `inputs`: None before the search."""
    if question.truth is not None:
        return of_file(question.truth, recipe, space, question, inputs)
    if question.alone is not None:
        return to_train(question.alone, recipe, space, question, inputs)
    return of_table(recipe, space, question)


def of_table(recipe: Recipe, space: Space, question: RankQuestion) -> Truth:
    """Test accuracies of the benchmark. Costs are those of its networks: 10 classes and 32 x 32 pixels."""
    dataset = dataset_of(recipe.data.name)
    if question.dataset:
        dataset = named("--dataset", question.dataset, {each: each for each in DATASETS})
    table = need(question.benchmark or (Path(recipe.benchmark) if recipe.benchmark else None))
    archs = chosen(space, question)
    rows = [place(table, space.format(arch)) for arch in archs]
    true = table.accuracies(dataset, "test")[rows].astype(np.float64)  # for scoring only: nothing is chosen by it
    told = {"from": TABLE, "file": table.name}
    found = early(table, dataset, rows)
    return Truth(archs, true, told, dataset, costs(space), found, published_rows(space, dataset))


def place(table: Table, name: str) -> int:
    """An architecture's index in the table; UserError where it lacks it."""
    try:
        return table.index(name)
    except UserError as error:
        raise UserError(
            f"{table.name}: lacks architecture {name}, which is to be ranked; give --benchmark a whole table"
        ) from error


def of_file(file: Path, recipe: Recipe, space: Space, question: RankQuestion, inputs: Inputs | None) -> Truth:
    """The architectures of a CSV file, or a sample of them; its column "true", or else "accuracy"."""
    header, rows = read_rows(file)
    text, column = find_column(file, header, [ARCH]), find_column(file, header, [TRUE, ACCURACY])
    archs = [arch_of(file, row.line, row.cells[text], space) for row in rows]
    refuse_twice(file, rows, [space.format(arch) for arch in archs])
    wanted = [place for place, arch in enumerate(archs) if not question.connected or space.valid(arch)]
    if len(wanted) < FEWEST:
        raise UserError(f"--truth {file}: has {len(wanted)} architectures to rank; give {FEWEST} or more")
    wanted = [wanted[place] for place in picked(len(wanted), question, f"architectures in {file}")]
    true, told = column_of(file, [rows[place] for place in wanted], column), {"from": FILE, "file": str(file)}
    own = costs_of(recipe, space, inputs)
    return Truth([archs[place] for place in wanted], true, {**told, "column": column}, recipe.data.name, own)


def arch_of(file: Path, line: int, text: str, space: Space) -> Arch:
    """The architecture in a line; UserError where it is none of the space."""
    try:
        arch = space.parse(text)
    except (ValueError, LookupError) as error:
        raise UserError(f"{file}: line {line}: {shown(text)} is no architecture of {space.name}") from error
    if arch not in space.region:
        raise UserError(f"{file}: line {line}: {shown(text)} has what the run's {space.name} does not offer")
    return arch


def refuse_twice(file: Path, rows: Sequence[CsvRow], names: Sequence[str]) -> None:
    """UserError where two lines are of one architecture, however they write it."""
    by_name(file, [CsvRow(row.line, {ARCH: name}) for row, name in zip(rows, names, strict=True)], ARCH)


def to_train(epochs: int, recipe: Recipe, space: Space, question: RankQuestion, inputs: Inputs | None) -> Truth:
    """A sample of valid architectures, each of which is to be trained."""
    connected = replace(question, connected=True)
    archs = chosen(space, connected) if space.tabulated else drawn(within_limits(recipe, space, inputs), question)
    return Truth(archs, None, {"from": ALONE, "epochs": epochs}, recipe.data.name, costs_of(recipe, space, inputs))


def costs_of(recipe: Recipe, space: Space, inputs: Inputs | None) -> Costs:
    """At the run's own size."""
    return costs(space, recipe.space.size, *(inputs or UNSEEN))


def within_limits(recipe: Recipe, space: Space, inputs: Inputs | None) -> Space:
    """What a search could choose from, as far as that is known."""
    return space if inputs is None else limited(recipe, space, *inputs)


def drawn(space: Space, question: RankQuestion) -> list[Arch]:
    """Different valid architectures of a space that may be too large to list; those that begin alike stand together."""
    assert question.sample is not None
    archs = distinct(space, space.region, question.sample, Chance(question.seed, "rank").generator("sample"))
    if len(archs) < question.sample:
        raise UserError(
            f"--sample {question.sample}: only {len(archs)} valid architectures were found; give at most that"
        )
    return sorted(archs, key=space.format)


def chosen(space: Space, question: RankQuestion) -> list[Arch]:
    """All architectures of a space that can be listed, or a seeded sample without replacement, in its own order."""
    archs = architectures(space, question.connected)
    kind = "connected architectures" if question.connected else "architectures"
    return [archs[place] for place in picked(len(archs), question, kind)]


def picked(count: int, question: RankQuestion, kind: str) -> list[int]:
    """The places of all, or of a seeded sample without replacement, in order. `kind`: what there are so many of."""
    if question.sample is None:
        return list(range(count))
    if question.sample > count:
        raise UserError(f"--sample {question.sample}: there are {count} {kind}; give at most that")
    shuffled = torch.randperm(count, generator=Chance(question.seed, "rank").generator("sample"))
    return sorted(shuffled[: question.sample].tolist())


def architectures(space: Space, connected: bool) -> list[Arch]:
    """Every architecture of a tabulated space; `connected`: only those that compute something."""
    allowed = space.region.allowed
    archs = (dict(zip(allowed, names, strict=True)) for names in product(*allowed.values()))
    return [arch for arch in archs if not connected or space.valid(arch)]
