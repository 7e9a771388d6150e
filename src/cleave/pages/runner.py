"""`cleave report`: a page from finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from cleave.errors import UserError, refuse_repeats
from cleave.pages.kinds import Asked, told_by
from cleave.pages.page import make_page
from cleave.pages.verdicts import between
from cleave.run.durable import write_bytes
from cleave.run.folder import names_of


def write_report(runs: Sequence[Path], out: Path | None, asked: Asked) -> dict[str, Any]:
    """Writes the page of finished runs; returns {"page", "runs"}.

    `out`: None for report.html in the first run's folder, or for a file one of its name that ends in .html. UserError
    where a run is not finished, or is none.
    """
    if not runs:
        raise UserError("cleave report: give one finished run or more: cleave report RUN...")
    refuse_repeats("RUN", [str(run.resolve()) for run in runs])
    told = [told_by(run, name, asked) for run, name in zip(runs, names_of(runs), strict=True)]
    path = out or page_of(runs[0])
    write_bytes(path, make_page(told, between(list(chain.from_iterable(told)), asked)).html().encode())
    return {"page": str(path), "runs": [str(run) for run in runs]}


def page_of(run: Path) -> Path:
    return run / "report.html" if run.is_dir() else run.with_suffix(".html")
