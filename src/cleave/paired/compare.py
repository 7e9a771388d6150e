"""`cleave compare RUN RUN...`: groups of runs against each other, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from cleave.errors import UserError, refuse_repeats
from cleave.extras import need_extra
from cleave.files import check_free
from cleave.pages.kinds import Asked
from cleave.paired.figures import Figure, figures_of
from cleave.paired.groups import RECIPE, Group, grouped, pairs_of
from cleave.paired.page import page_of
from cleave.run.durable import write_bytes
from cleave.stats.intervals import student
from cleave.stats.paired import holm
from cleave.stats.power import seeds_for
from cleave.stats.seeds import better_and_equal, effect_size, paired_t


@dataclass(frozen=True)
class RunsQuestion:
    """Which runs. by: recipe or name, what the runs of a group have in common. against: the name of a group that all
    others are held against; None: every two. out: a page of HTML with a picture; None for none."""

    runs: Sequence[Path]
    by: str = RECIPE
    against: str | None = None
    out: Path | None = None


def compare_runs(question: RunsQuestion, asked: Asked) -> dict[str, Any]:
    """{"by", "kind", "groups", "measures", "comparisons", "page"}.

    A group: {"name", "seeds", "runs", "figures"}, by measure {"values" (in the order of seeds), "mean", "interval"}. A
    measure is here where all runs have it, of the same images or architectures; "left_out" are all others. A
    comparison: {"groups", "measure", "seeds" (in common), "n", "difference" (mean, the first group above the second),
    "interval" (95 %, Student's t), "p" (paired t test, two-sided), "p_corrected" (Holm, over all pairs of the measure),
    "effect" (Cohen's d), "better", "equal" (in how many seeds), "needed" (seeds that would tell such a difference)};
    null where it is not defined, as with one seed. UserError for runs that cannot be paired.
    """
    need_extra("compare", "cleave compare RUN RUN")
    refuse_repeats("RUN", [str(run.resolve()) for run in question.runs])
    if question.out is not None:
        check_free(question.out)
    groups = grouped([figures_of(run, asked) for run in question.runs], question.by)
    pairs = pairs_of(groups, question.against)
    measures, left_out = measures_of(groups)
    found = {
        "by": question.by,
        "kind": next(iter(groups[0].runs.values())).kind,
        "measures": measures,
        "left_out": left_out,
        "groups": [group_json(group, measures) for group in groups],
        "comparisons": [row for measure in measures for row in corrected([compared(*p, measure) for p in pairs])],
    }
    if question.out is not None:
        write_bytes(question.out, page_of(found).html().encode())
    return {**found, "page": None if question.out is None else str(question.out)}


def measures_of(groups: Sequence[Group]) -> tuple[list[str], list[str]]:
    """Those that all runs have of the same, and all others. UserError where there is none of the first."""
    each = [run.figures for group in groups for run in group.runs.values()]
    known = list(dict.fromkeys(measure for told in each for measure in told))
    common = [measure for measure in known if alike([told.get(measure) for told in each])]
    if not common:
        raise UserError(
            f"{next(iter(groups[0].runs.values())).path}: has no figure that all of these runs have; keep some images "
            "back (data.use=train), or ask all of them about test images: cleave evaluate RUN"
        )
    return common, [measure for measure in known if measure not in common]


def alike(figures: Sequence[Figure | None]) -> bool:
    """Whether all are there, and may be compared."""
    return all(each is not None and figures[0] is not None and each.of == figures[0].of for each in figures)


def group_json(group: Group, measures: Sequence[str]) -> dict[str, Any]:
    runs = [group.runs[seed] for seed in group.seeds]
    figures = {measure: [run.figures[measure].value for run in runs] for measure in measures}
    return {
        "name": group.name,
        "seeds": group.seeds,
        "runs": [str(run.path) for run in runs],
        "figures": {
            measure: {"values": values, "mean": mean(values), "interval": student(values)}
            for measure, values in figures.items()
        },
    }


def compared(one: Group, other: Group, measure: str) -> dict[str, Any]:
    seeds = [seed for seed in one.seeds if seed in other.runs]
    pairs = [[group.runs[seed].figures[measure].value for group in (one, other)] for seed in seeds]
    differences = [mine - theirs for mine, theirs in pairs]
    better, equal = better_and_equal(differences)
    effect = effect_size(differences)
    return {
        "groups": [one.name, other.name],
        "measure": measure,
        "seeds": seeds,
        "n": len(seeds),
        "difference": mean(differences),
        "interval": student(differences),
        "p": paired_t(differences),
        "effect": effect,
        "better": better,
        "equal": equal,
        "needed": None if not effect else seeds_for(abs(mean(differences)), stdev(differences)),
    }


def corrected(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with p-values corrected for their number."""
    tested = [row for row in rows if row["p"] is not None]
    known = dict(zip(map(id, tested), holm([row["p"] for row in tested]), strict=True))
    return [{**row, "p_corrected": known.get(id(row))} for row in rows]
