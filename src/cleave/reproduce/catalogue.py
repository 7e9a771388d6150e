"""Every experiment by name."""

from __future__ import annotations

from cleave.errors import named
from cleave.reproduce.cut_rows import SETTLED
from cleave.reproduce.experiment import Experiment
from cleave.reproduce.mobile_rows import MOBILE_SPACE
from cleave.reproduce.ofa_rows import OFA_SPACE
from cleave.reproduce.partition_rows import PARTITIONS
from cleave.reproduce.partner_rows import PARTNERS
from cleave.reproduce.ranking_rows import RANKINGS
from cleave.reproduce.retrained_rows import DARTS_SPACE
from cleave.reproduce.rival_rows import RIVALS
from cleave.reproduce.searches import SEARCHES

EXPERIMENTS: dict[str, Experiment] = {
    each.name: each
    for each in (
        *PARTNERS,
        *SEARCHES,
        *DARTS_SPACE,
        *MOBILE_SPACE,
        *OFA_SPACE,
        *RANKINGS,
        *RIVALS,
        *PARTITIONS,
        *SETTLED,
    )
}


def find_experiment(name: str) -> Experiment:
    """The experiment of that name, as people vary it; UserError with a suggestion where there is none."""
    return named("experiment", name, EXPERIMENTS)


def listing() -> str:
    """A line for each."""
    width = max(map(len, EXPERIMENTS))
    lines = [f"{name:{width}}  {each.title} ({each.source})" for name, each in EXPERIMENTS.items()]
    return "\n".join([*lines, f"{'all':{width}}  the results that come with cleave: writes their tables and pictures"])
