"""What is asked of an evolution in a trained supernet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.method.evolution import Plan
from cleave.rank.question import RankQuestion

SAMPLES = 1000
FEWEST = 5
"""Architectures by which evaluators are compared."""
LARGEST = 1e38
"""Of learning rates, about what float32 holds."""


@dataclass(frozen=True)
class EvolveQuestion:
    """Where, under which limits and by what an evolution searches.

    leaf: its label; None for the chosen one. max_macs, max_params, max_latency: hard limits, as in a recipe, in the
    place of the run's own; None for these. latency: the table of milliseconds. by: the evaluator (`EVALUATORS`);
    fallback: which one takes its place where it is worth less than multiply-adds; None: that is an error.
    images: held-out ones that it goes by; None for half of them. The others check what it finds. recalibrate,
    forgetting: as of a ranking. samples: architectures measured for a predictor; None for 1000. predictor: an earlier
    answer whose samples are taken instead. check: architectures by which evaluators are compared.
    population, generations, parents, mutants, mutation: as in `Plan`; None for the evaluator's usual number of
    generations. shift: the learning rate by which weights are shifted between generations; None: they are not.
    shift_steps: of each shift; None for 1. seed: of all that is random. out: None for evolved.json in the run folder.
    data_root, device: None for the run's own. threads: architectures evaluated at once, which changes no figure; None
    for one per core.
    """

    leaf: str | None = None
    max_macs: int | str | None = None
    max_params: int | str | None = None
    max_latency: float | str | None = None
    latency: str | None = None
    by: str = "accuracy"
    fallback: str | None = None
    images: int | None = None
    recalibrate: int | None = None
    forgetting: float | None = None
    samples: int | None = None
    predictor: Path | None = None
    check: int = 30
    population: int = 100
    generations: int | None = None
    parents: float = 0.25
    mutants: float = 0.5
    mutation: float = 0.1
    shift: float | None = None
    shift_steps: int | None = None
    seed: int = 0
    out: Path | None = None
    data_root: Path | None = None
    device: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        """UserError for numbers that nothing could be made of."""
        least = {"images": 1, "samples": 2, "check": FEWEST, "population": 2, "generations": 0, "threads": 1}
        least |= {"shift_steps": 1} | ({} if self.shift is None else {"generations": 1})  # it is between generations
        for name, fewest in least.items():
            if (given := getattr(self, name)) is not None and given < fewest:
                raise UserError(f"{flag(name)}={given}: give {fewest} or more")
        for name in ("parents", "mutants", "mutation"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise UserError(f"--{name}={share}: is a share; give one from 0 to 1")
        if self.shift is not None and not 0 < self.shift < LARGEST:
            raise UserError(f"--shift={self.shift}: is a learning rate; give one above 0, and below {LARGEST:g}")
        if self.shift_steps is not None and self.shift is None:
            raise UserError("--shift-steps: are those of a shift; give --shift RATE too")
        if self.latency is not None and self.max_latency is None:
            raise UserError("--latency: is the table of a limit in milliseconds; give --max-latency too")
        if self.samples is not None and self.predictor is not None:
            raise UserError("--samples: none are measured with --predictor; give one of them")
        assert self.ranking  # which refuses a share that says nothing

    @property
    def ranking(self) -> RankQuestion:
        """That by which children are judged."""
        return RankQuestion(recalibrate=self.recalibrate, forgetting=self.forgetting)

    @property
    def sampled(self) -> int:
        """How many architectures a predictor has measured."""
        return 0 if self.predictor is not None else self.samples or SAMPLES

    @property
    def flags(self) -> dict[str, Any]:
        """The recipe's keys that it changes."""
        limits = {"macs": self.max_macs, "params": self.max_params, "latency": self.max_latency}
        root = None if self.data_root is None else str(self.data_root)
        beside = {"latency": self.latency, "data.root": root, "device": self.device}
        return {**{f"limits.{key}": most for key, most in limits.items()}, **beside}

    def how(self, by: str) -> dict[str, Any]:
        """By what an evolution goes: the evaluator, and how weights are shifted."""
        return {"by": by, "shift": self.shift, "shift_steps": self.shift_steps or 1}

    def plan(self, usual: int) -> Plan:
        """How the evolution goes, for so many generations unless it is asked for others."""
        generations = usual if self.generations is None else self.generations
        return Plan(self.population, generations, self.parents, self.mutants, self.mutation)


def flag(name: str) -> str:
    """The option that a field is given by."""
    return f"--{name.replace('_', '-')}"


def told_as(name: str, value: object) -> str:
    """How an error says what was asked for."""
    return f"without {flag(name)}" if value is None else f"with {flag(name)} {value}"
