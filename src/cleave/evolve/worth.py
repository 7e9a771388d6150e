"""What evaluators are worth: how well they order architectures that nothing was learned from, beside multiply-adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from cleave.errors import UserError
from cleave.evolve.bench import CHECKED, Bench
from cleave.evolve.evaluators import EVALUATORS, MACS, ArchitectureEvaluator
from cleave.evolve.samples import NONE, Samples, drawn, measured, read_samples
from cleave.space import Arch
from cleave.stats.bootstrap import Numbers, interval
from cleave.stats.kendall import kendall

Row = dict[str, float | None]
"""{"tau", "low", "high"}: Kendall's tau with its 95 % interval; None where all are equal."""


@dataclass(frozen=True)
class Worth:
    """The rows of all evaluators that could be asked, and of multiply-adds; and those evaluators."""

    rows: Mapping[str, Row]
    evaluators: Mapping[str, ArchitectureEvaluator]
    samples: Samples
    architectures: int

    def against(self, name: str) -> str | None:
        """Why an evaluator is not to be used; None where it may be."""
        own = self.rows[name]["tau"]
        for floor in EVALUATORS[name].floors:
            least = self.rows[floor]["tau"] or 0.0  # what puts all in one place orders nothing
            if own is None or own < least:
                by = "none" if own is None else f"{own:.3f}"
                return f"its held-out tau is {by}, that of {floor} {least:.3f} ({self.architectures} architectures)"
        return None

    def used(self, names: Sequence[str]) -> str:
        """The first of these that may be used; UserError where none may."""
        found = next((name for name in names if self.against(name) is None), None)
        if found is None:
            raise UserError(f"--by {names[0]}: {self.against(names[0])}; give --fallback accuracy, or more --samples")
        return found


def weighed(bench: Bench, names: Sequence[str], of: dict[str, object]) -> Worth:
    """All evaluators that learn nothing, and those that are named with their floors."""
    learned = {floor for name in names for floor in (name, *EVALUATORS[name].floors) if floor in EVALUATORS}
    asked = [name for name, kind in EVALUATORS.items() if not kind.learns or name in learned]
    learns = any(EVALUATORS[name].learns for name in asked)
    check, rest = drawn(bench, learns)
    bench.total += len(rest) + (1 + len(asked)) * len(check)
    samples = samples_of(bench, rest, of, check) if learns else NONE
    truth = np.array(bench.measured(CHECKED, check, "check", "check"))
    evaluators = {name: EVALUATORS[name](bench, samples) for name in asked}
    macs = [float(bench.costs.of(arch).multiply_adds) for arch in check]
    columns = {MACS: macs, **{name: each.scores(check, "check", "check") for name, each in evaluators.items()}}
    rows = {name: row(np.array(column), truth, bench.question.seed) for name, column in columns.items()}
    return Worth(rows, evaluators, samples, len(check))


def samples_of(bench: Bench, rest: Sequence[Arch], of: dict[str, object], check: Sequence[Arch]) -> Samples:
    """Of an earlier answer where one is given, else measured."""
    file = bench.question.predictor
    return measured(bench, rest) if file is None else read_samples(bench, file, of, check)


def row(predicted: Numbers, true: Numbers, seed: int) -> Row:
    low, high = interval(kendall, predicted, true, seed)
    figures = {"tau": kendall(predicted, true), "low": low, "high": high}
    return {name: None if isnan(figure) else figure for name, figure in figures.items()}
