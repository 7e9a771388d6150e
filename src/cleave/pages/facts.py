"""What a finished run tells, in words that all kinds of runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cleave.report import Section
from cleave.report.charts import Series

Interval = tuple[float, float]


@dataclass(frozen=True)
class Standing:
    """How good a network is (percent, with its 95 % interval) and what it costs.

    `judged`: by which images and weights, as in "test images"; what is judged alike is shown in one chart.
    `milliseconds`: as measured. `seconds`: that it took to find and train it. None where that is not known.
    """

    name: str
    judged: str
    accuracy: float
    interval: Interval
    multiply_adds: int | None = None
    parameters: int | None = None
    milliseconds: float | None = None
    seconds: float | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Curve:
    """How a figure went, epoch by epoch; curves of the same `chart` are drawn together."""

    chart: str
    line: Series


@dataclass(frozen=True)
class Answered:
    """A training that was asked about test images: its folder, and the SHA-256 of these."""

    run: Path
    images: str


@dataclass(frozen=True)
class Facts:
    """What a run tells; what it does not know is left empty, and then nothing of it is on the page.

    `name` is what the page calls the run, `title` what it is. `verdicts` are plain sentences. Standings, curves and
    costs are put beside those of other runs on the page; `sections` are of this run alone, and those of several runs
    that have one name become one. `used`: what is to be cited, as in "method darts" (`cleave.pages.citations`).
    """

    name: str
    title: str
    summary: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    warnings: Sequence[str] = ()
    standings: Sequence[Standing] = ()
    curves: Sequence[Curve] = ()
    costs: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    used: Sequence[str] = ()
    sections: Sequence[Section] = ()
    answered: Answered | None = None
    decides: bool = False
    """Whether its verdicts are on test images, so that none has to be found of runs beside it."""
