"""A study as one page of HTML that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from cleave.errors import UserError
from cleave.run.durable import write_bytes
from cleave.run.reading import read_json
from cleave.study.telling.figures import Drawings, Subject, draw
from cleave.study.telling.metrics_text import title
from cleave.study.telling.page_parts import (
    Part,
    cluster_part,
    cost_part,
    figure_part,
    interference_part,
    measured,
    pruning_part,
)

SECTIONS = {
    "rankings": "", "stability": "stability", "interference": "interference", "clusters": "clusters",
    "pruning": "pruning", "figures": "", "cost": "cost", "recipe": "made",
}  # fmt: skip
"""By id, and what has to be known for them to be there."""


@dataclass(frozen=True)
class Provenance:
    """How a study came about, empty where that is not known: its ledger, recipe (YAML) and environment."""

    ledger: Sequence[Part] = ()
    recipe: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)


def read_made(folder: Path) -> Provenance:
    """What a study's folder says; what is not there is left empty."""
    recipe, ledger, environment = (folder / name for name in ("study.yaml", "ledger.json", "environment.json"))
    return Provenance(
        ledger=read_ledger(ledger) if ledger.is_file() else (),
        recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
        environment=read_json(environment) if environment.is_file() else {},
    )


def read_ledger(path: Path) -> list[Part]:
    """What each part cost; UserError where the file is damaged."""
    parts = read_json(path).get("parts")
    if not isinstance(parts, list):
        raise UserError(f"{path}: does not list what each part cost; it was altered")
    return parts


def write_page(
    path: Path, subject: Subject, report: Part, made: Provenance | None = None, drawings: Drawings | None = None
) -> Path:
    """Writes the page of a study; `report` is what `metrics_report.report` found of the same log and truth.

    `drawings`: the study's figures where they were drawn before. Equal arguments give equal bytes. UserError where
    the file cannot be written.
    """
    context = {
        **head(report),
        **measured(report),
        **interference_part(subject),
        **cluster_part(subject.log),
        **pruning_part(subject),
        **figure_part(drawings or draw(subject)),
        **cost_part(made.ledger if made else ()),
        "made": made if made and (made.recipe or made.environment) else None,
    }
    context["sections"] = [name for name, needed in SECTIONS.items() if not needed or context[needed]]
    write_bytes(path, template().render(context).encode())
    return path


def template() -> Template:
    loader = PackageLoader("cleave.study.telling", "")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("page.html.j2")


def head(report: Part) -> Part:
    """What was run, in words."""
    truth = report["truth"]
    runs = f", mean of {truth['runs']} runs" if truth and truth["runs"] else ""
    known = [f"Truth: {truth['file']}{runs}; best {truth['best']:.2f} %, mean {truth['mean']:.2f} %."] if truth else []
    test = ["Children are ranked by test images, as in the paper: nothing is held back to report by."]
    return {
        "title": f"Weight sharing in {report['space']}",
        "what": [f"Log: {report['log']}", *title(report).splitlines(), *known, *test * (report["images"] == "test")],
    }
