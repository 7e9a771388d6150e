"""A study as one page of HTML that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.report import Page, Paragraph, Section
from cleave.run.durable import write_bytes
from cleave.run.reading import read_json
from cleave.study.telling.figures import Drawings, Subject, draw
from cleave.study.telling.metrics_text import title
from cleave.study.telling.page_parts import (
    Part,
    cluster_section,
    cost_section,
    figure_section,
    interference_section,
    pruning_section,
    ranking_section,
    recipe_section,
    stability_section,
)


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
    page = Page(f"Weight sharing in {report['space']}", opening(report), sections(subject, report, made, drawings))
    write_bytes(path, page.html().encode())
    return path


def sections(
    subject: Subject, report: Part, made: Provenance | None = None, drawings: Drawings | None = None
) -> list[Section]:
    """What is on the page of a study, as in `write_page`."""
    made = made or Provenance()
    found = [
        ranking_section(report),
        stability_section(report),
        interference_section(subject),
        cluster_section(subject.log),
        pruning_section(subject),
        figure_section(drawings or draw(subject)),
        cost_section(made.ledger),
        recipe_section(made.recipe, made.environment),
    ]
    return [each for each in found if each]


def opening(report: Part) -> list[Paragraph]:
    """What was run, in words."""
    lines = [f"Log: {report['log']}", *title(report).splitlines()]
    if truth := report["truth"]:
        runs = f", mean of {truth['runs']} runs" if truth["runs"] else ""
        lines.append(f"Truth: {truth['file']}{runs}; best {truth['best']:.2f} %, mean {truth['mean']:.2f} %.")
    if report["images"] == "test":
        lines.append("Children are ranked by test images, as in the paper: nothing is held back to report by.")
    return [Paragraph(line) for line in lines]
