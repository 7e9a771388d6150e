"""What a split decided by a race costs and is worth, against one with a fixed number of mini-batches.

`python -m benchmarks.regret --cases 40 --method darts --folder cases` measures seeded cases, about a minute each, and
prints the regret of every rule. Cases that the folder holds are not measured again, so `--shard 0/2` and `--shard 1/2`
may run side by side, and the same command without one then only judges. What the rule is by default was settled on
seeds from 1000 on (`--first 1000`), the results are those of seeds 0 to 39.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.regret_case import Case, Rows, Sizes, measure
from cleave.split.partition import Groups, cut_cost, cut_links, min_cut
from cleave.split.products import mean_cosine
from cleave.split.race import Entrant, RaceOutcome, RaceRule, race
from cleave.split.similarity import Gradients, cosine
from cleave.split.splitters import first_lowest
from cleave.split.tally import Extrapolated
from cleave.stats.bootstrap import interval
from cleave.stats.ranking import defined

PARTS = 2
METHODS = ("darts", "snas", "rsps")
REFERENCE = 1000
"""Mini-batches whose similarities count as the truth."""
RULES = {
    "paired": RaceRule(first=100, horizon=100),
    "paired, extrapolated": RaceRule(first=100),
    **{
        f"race {deviations:g} {tolerance:g}": RaceRule(deviations=deviations, tolerance=tolerance)
        for deviations in (1.0, 1.5, 2.0)
        for tolerance in (0.0, 0.005, 0.01, 0.02, 0.03)
    },
    "race": RaceRule(),
}
"""Those with numbers show the trade-off; "race" is the rule that is reported."""

Similarities = Mapping[str, Tensor]


@dataclass(frozen=True)
class Judgement:
    """Of one rule on one case: the mean similarity of a cut link that it lost against the reference's best split,
    and its passes as a share of the fixed rule's."""

    regret: float
    passes: float
    ended: str = "fixed"


class Recorded(Extrapolated):
    """A tally played from a case: its "gradients" are what the tally keeps of a mini-batch."""

    def _add(self, gradients: Gradients) -> None:
        own, *pair = gradients
        self.own = self.own + own.unsqueeze(0)
        self.pairs += [each.unsqueeze(0) for each in pair]


def judge(case: Case) -> dict[str, Judgement]:
    """Every rule by its name."""
    reference = {choice: settled(*tensors(rows)) for choice, rows in case.reference.items()}
    separate = {choice: tensors([rows])[0] for choice, rows in case.separate.items()}
    found = {"separate": Judgement(regret(reference, separate), 1.0)}
    for name, rule in RULES.items():
        outcome = replay(case, rule)
        found[name] = Judgement(regret(reference, outcome.similarities), share(case, outcome), outcome.ended)
    return found


def settled(different: Tensor, own: Tensor) -> Tensor:
    """The reference: what similarities come to with REFERENCE mini-batches."""
    return mean_cosine((different + (own - different) / REFERENCE).unsqueeze(0))


def replay(case: Case, rule: RaceRule) -> RaceOutcome:
    """A race on what was measured."""

    def probe(choice: str, number: int) -> list[Tensor]:
        pair = [case.pairs[choice][number - 1]] if number else []
        return tensors([case.own[choice][number], *pair])

    entrants = {
        choice: Entrant(Recorded(cosine, rule.horizon), len(rows), PARTS) for choice, rows in case.separate.items()
    }
    return race(entrants, probe, rule)


def share(case: Case, outcome: RaceOutcome) -> float:
    """Passes of a race over those of the fixed rule; a choice's candidates take one for each probe."""
    candidates = {choice: len(rows) for choice, rows in case.separate.items()}
    most = {choice: len(each) for choice, each in case.own.items()}
    return sum(candidates[choice] * outcome.probes[choice] for choice in candidates) / sum(
        candidates[choice] * most[choice] for choice in candidates
    )


def regret(reference: Similarities, found: Similarities) -> float:
    """What the split that is best by the similarities found costs by the reference more than the best one."""
    choice, groups = decide(found)
    best, best_groups = decide(reference)
    return mean_link(reference[choice], groups) - mean_link(reference[best], best_groups)


def decide(similarities: Similarities) -> tuple[str, Groups]:
    """The choice and the groups that cut the least similarity per link."""
    groups = {choice: min_cut(values, PARTS) for choice, values in similarities.items()}
    choice = first_lowest({name: mean_link(similarities[name], each) for name, each in groups.items()})
    return choice, groups[choice]


def mean_link(similarities: Tensor, groups: Groups) -> float:
    return cut_cost(similarities, groups) / cut_links(groups)


def tensors(several: list[Rows]) -> list[Tensor]:
    return [torch.tensor(rows, dtype=torch.float64) for rows in several]


def report(judged: list[dict[str, Judgement]]) -> dict[str, Any]:
    """By rule: the mean regret, its paired difference from the fixed rule's with separate draws (95 % bootstrap
    interval, None for one case), and the mean share of passes."""
    fixed = [one["separate"].regret for one in judged]
    rows = {}
    for name in judged[0]:
        own = [one[name] for one in judged]
        regrets = [each.regret for each in own]
        rows[name] = {
            "regret": mean(regrets),
            "more_than_separate": mean(regrets) - mean(fixed),
            "interval": [defined(end) for end in interval(mean_difference, np.array(regrets), np.array(fixed), seed=0)],
            "passes": mean(each.passes for each in own),
            "ended": {reason: sum(each.ended == reason for each in own) for reason in {each.ended for each in own}},
        }
    return rows


def mean_difference(one: np.typing.NDArray[np.float64], other: np.typing.NDArray[np.float64]) -> float:
    return float((one - other).mean())


def text(method: str, cases: int, rows: Mapping[str, Any]) -> str:
    lines = [f"{method}, {cases} cases", f"{'rule':<18}{'regret':>9}{'- separate [95 %]':>31}{'passes':>8}"]
    for name, row in rows.items():
        low, high = row["interval"]
        bounds = "" if low is None else f" [{low:+.5f}, {high:+.5f}]"
        difference = f"{row['more_than_separate']:+.5f}{bounds}"
        lines.append(f"{name:<18}{row['regret']:>9.5f}{difference:>31}{row['passes']:>8.3f}")
    return "\n".join(lines)


def opened(folder: Path, seed: int, method: str, ops: int, sizes: Sizes) -> Case:
    """A case from its file, measured first where there is none."""
    file = folder / f"{method}-{ops}-{sizes.reference}-{sizes.most}-{seed}.json"
    if not file.exists():
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(measure(seed, method, ops, sizes))), encoding="utf-8")
        part.rename(file)
    return Case(**json.loads(file.read_text(encoding="utf-8")))


def shard(seeds: Iterable[int], which: str) -> list[int]:
    """Every n-th seed from the i-th on, for "i/n"."""
    number, _, count = which.partition("/")
    return list(seeds)[int(number) :: int(count)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regret", description=__doc__)
    parser.add_argument("--method", choices=METHODS, default="darts")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="the first case's seed")
    parser.add_argument("--ops", type=int, default=4, help="operations of the space (4 or 5)")
    parser.add_argument("--reference", type=int, default=Sizes.reference, help="mini-batches of the reference")
    parser.add_argument("--most", type=int, default=Sizes.most, help="mini-batches of the fixed rule")
    parser.add_argument("--folder", type=Path, required=True, help="where cases are kept")
    parser.add_argument("--shard", default="0/1", help="i/n: only every n-th case, from the i-th on")
    parser.add_argument("--json", type=Path, help="where the report is written")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    sizes, seeds = Sizes(given.most, given.reference), range(given.first, given.first + given.cases)
    judged = [judge(opened(given.folder, seed, given.method, given.ops, sizes)) for seed in shard(seeds, given.shard)]
    rows = report(judged)
    print(text(given.method, len(judged), rows))
    if given.json:
        given.json.write_text(
            json.dumps({"method": given.method, "cases": len(judged), "rules": rows}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
