"""The race against its slow twin, against every probe for every choice, and its laws."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from math import inf

import pytest
import torch
from torch import Tensor

from cleave.split.partition import canonical
from cleave.split.race import Entrant, Race, RaceOutcome, RaceRule, expected_gain, race, standard_errors
from cleave.split.similarity import SIMILARITIES
from cleave.split.splitters import best_groups
from cleave.split.tally import Extrapolated, MeanGradients, MeanSimilarities
from tests.reference import race as slow

COUNTS = {"a": 4, "b": 5, "c": 4}
TO_THE_END = RaceRule(first=4, most=16, horizon=16, deviations=inf, tolerance=0)


def fresh_seed() -> int:
    return int(torch.randint(2**31, ()))


class Problem:
    """Choices whose candidates have means in two groups; probe `number` is a pure function of it."""

    def __init__(self, noise: float, seed: int, counts: dict[str, int] = COUNTS, apart: float = 0.7) -> None:
        self.noise, self.seed, self.counts = noise, seed, counts
        self.means = {choice: self._means(choice, count, apart) for choice, count in counts.items()}

    def _means(self, choice: str, count: int, apart: float) -> Tensor:
        generator = self._generator(choice, -1)
        directions = torch.randn(count + 3, 5, 4, generator=generator, dtype=torch.float64)
        home = torch.randperm(count, generator=generator) % 2
        return directions[-1] + apart * directions[home - 3] + 0.5 * directions[:count]

    def _generator(self, choice: str, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(1000 * self.seed + 10 * (number + 1) + sorted(self.counts).index(choice))

    def probe(self, choice: str, number: int) -> list[Tensor]:
        mean, generator = self.means[choice], self._generator(choice, number)
        common = torch.randn(mean.shape[1:], generator=generator, dtype=torch.float64)
        own = torch.randn(mean.shape, generator=generator, dtype=torch.float64)
        return [mean + self.noise * (common + own)]

    def entrants(self, rule: RaceRule, name: str = "cos", parts: int = 2) -> dict[str, Entrant]:
        return {
            choice: Entrant(Extrapolated(SIMILARITIES[name], rule.horizon), count, parts)
            for choice, count in self.counts.items()
        }

    def run(self, rule: RaceRule, name: str = "cos", parts: int = 2) -> RaceOutcome:
        return race(self.entrants(rule, name, parts), self.probe, rule)

    def exact(self, choice: str, probes: int, name: str = "cos") -> Tensor:
        tally = MeanGradients(SIMILARITIES[name])
        for number in range(probes):
            tally.add(self.probe(choice, number))
        return tally.similarities


def off_diagonal(similarities: Tensor) -> Tensor:
    return similarities[~torch.eye(len(similarities), dtype=torch.bool)]


def decision(similarities: dict[str, Tensor], parts: int = 2) -> tuple[str, tuple[tuple[str, ...], ...]]:
    scores = {
        choice: best_groups([str(i) for i in range(len(values))], values, parts)
        for choice, values in similarities.items()
    }
    choice = min(scores, key=lambda name: scores[name].mean_link)
    return choice, scores[choice].groups


@pytest.mark.parametrize("name", ["cos", "filter-cos"])
@pytest.mark.parametrize(("noise", "parts"), [(0.15, 2), (0.5, 2), (0.5, 3), (1.5, 2)])
def test_it_measures_and_ends_as_its_slow_twin(name: str, noise: float, parts: int) -> None:
    """Everything computed anew in every round, from all gradients, by loops."""
    rule = RaceRule(first=3, most=7, horizon=50, deviations=1.5, tolerance=0.004)
    problem = Problem(noise, fresh_seed(), {"a": 3, "b": 4})
    stored = {choice: [problem.probe(choice, i) for i in range(rule.most)] for choice in problem.counts}

    def judged(probes: slow.Probes) -> tuple[Tensor, list[Tensor]]:
        products = slow.expected_products(name, probes, rule.horizon)
        return slow.compare(name, products), slow.influences(name, probes, rule.horizon)

    probes, ended = slow.race(stored, judged, parts, rule.first, rule.most, rule.deviations, rule.tolerance)
    found = problem.run(rule, name, parts)
    assert (found.probes, found.ended) == (probes, ended)
    for choice, count in probes.items():
        expected, _ = judged(stored[choice][:count])
        torch.testing.assert_close(off_diagonal(found.similarities[choice]), off_diagonal(expected))


@pytest.mark.parametrize("name", ["cos", "filter-cos"])
def test_without_noise_it_is_settled_after_the_first_round_and_equals_the_exact_rule(name: str) -> None:
    problem = Problem(0.0, fresh_seed())
    found = problem.run(RaceRule(), name)
    assert found.ended == "settled"
    assert set(found.probes.values()) == {8}
    for choice in COUNTS:
        expected = problem.exact(choice, 100, name)
        torch.testing.assert_close(off_diagonal(found.similarities[choice]), off_diagonal(expected))


@pytest.mark.parametrize("name", ["cos", "filter-cos"])
def test_never_in_doubt_too_little_it_is_the_exact_rule_with_the_most_probes(name: str) -> None:
    problem = Problem(1.0, fresh_seed())
    found = problem.run(TO_THE_END, name)
    assert found.ended == "most"
    assert found.probes == dict.fromkeys(COUNTS, 16)
    exact = {choice: problem.exact(choice, 16, name) for choice in COUNTS}
    assert decision(found.similarities) == decision(exact)
    for choice in COUNTS:
        torch.testing.assert_close(off_diagonal(found.similarities[choice]), off_diagonal(exact[choice]))


def test_with_one_round_it_is_the_exact_rule_with_as_many_probes() -> None:
    problem = Problem(0.6, fresh_seed())
    found = problem.run(RaceRule(first=12, most=12, horizon=12))
    assert found.probes == dict.fromkeys(COUNTS, 12)
    assert decision(found.similarities) == decision({choice: problem.exact(choice, 12) for choice in COUNTS})


def test_choices_are_measured_on_the_same_probes_each_from_the_first_on() -> None:
    problem, asked = Problem(0.5, fresh_seed()), []

    def probe(choice: str, number: int) -> list[Tensor]:
        asked.append((choice, number))
        return problem.probe(choice, number)

    rule = RaceRule(most=40)
    found = race(problem.entrants(rule), probe, rule)
    assert max(Counter(asked).values()) == 1
    for choice, count in found.probes.items():
        assert [number for name, number in asked if name == choice] == list(range(count))
    assert set(found.probes.values()) <= {8, 16, 32, 40}


def test_permuting_the_choices_changes_nothing() -> None:
    problem = Problem(0.4, fresh_seed())
    rule = RaceRule(most=40)
    entrants = problem.entrants(rule)
    other = race(dict(reversed(problem.entrants(rule).items())), problem.probe, rule)
    one = race(entrants, problem.probe, rule)
    assert (one.probes, one.ended) == (other.probes, other.ended)
    assert all(torch.equal(one.similarities[choice], other.similarities[choice]) for choice in COUNTS)


def test_relabelling_the_candidates_changes_nothing() -> None:
    problem, rule = Problem(0.4, fresh_seed()), RaceRule(most=40)
    orders = {choice: torch.randperm(count) for choice, count in COUNTS.items()}

    def relabelled(choice: str, number: int) -> list[Tensor]:
        return [parameter[orders[choice]] for parameter in problem.probe(choice, number)]

    one = problem.run(rule)
    other = race(problem.entrants(rule), relabelled, rule)
    assert (one.probes, one.ended) == (other.probes, other.ended)
    (choice, groups), (same, renamed) = decision(one.similarities), decision(other.similarities)
    back = [[int(orders[choice][int(i)]) for i in group] for group in renamed]
    assert choice == same
    assert canonical(back) == canonical([[int(i) for i in group] for group in groups])


def test_what_is_far_behind_gets_the_first_probes_alone() -> None:
    """Candidates of "far" are all alike; "near" and "twin" are the same problem, so that one is never told."""
    problem = Problem(0.2, fresh_seed(), {"far": 4, "near": 4})
    problem.means["far"] = problem.means["far"][:1] * torch.ones(4, 1, 1)
    problem.means["near"] = torch.cat([problem.means["near"][:2], -problem.means["near"][2:]])
    rule = RaceRule(first=8, most=64, deviations=2, tolerance=0)
    entrants = {**problem.entrants(rule), "twin": Entrant(Extrapolated(SIMILARITIES["cos"], rule.horizon), 4, 2)}

    def probe(choice: str, number: int) -> list[Tensor]:
        (gradients,) = problem.probe("far" if choice == "far" else "near", number)
        nudge = 1 + 0.02 * torch.randn(gradients.shape, generator=torch.Generator().manual_seed(number))
        return [gradients * nudge if choice == "twin" else gradients]

    found = race(entrants, probe, rule)
    assert found.probes["far"] == 8
    assert decision(found.similarities)[0] in ("near", "twin")


def test_partitions_in_doubt_keep_their_choice_running_alone() -> None:
    """All of four orthogonal candidates are as good together; another choice is far behind."""
    problem = Problem(0.5, fresh_seed(), {"behind": 4, "open": 4})
    problem.means["behind"] = 3 + 0.1 * problem.means["behind"]
    problem.means["open"] = 2 * torch.eye(20, dtype=torch.float64)[:4].view(4, 5, 4)
    found = problem.run(RaceRule(first=12, most=48, deviations=3, tolerance=0))
    assert found.probes == {"behind": 12, "open": 48}
    assert found.ended == "most"


def test_a_race_ends_where_little_can_be_won() -> None:
    problem = Problem(0.3, fresh_seed())
    found = problem.run(RaceRule(first=12, deviations=inf, tolerance=10.0))
    assert (found.ended, set(found.probes.values())) == ("negligible", {12})


def test_more_doubt_never_takes_fewer_probes() -> None:
    problem = Problem(0.4, fresh_seed())
    spent = [sum(problem.run(RaceRule(first=8, most=32, deviations=z, tolerance=0)).probes.values()) for z in (0, inf)]
    assert spent == [24, 96]


def test_a_race_goes_on_from_wherever_it_was_saved() -> None:
    """All of its state is tensors, numbers and names."""
    problem, rule = Problem(0.4, fresh_seed()), RaceRule(most=24, tolerance=0)
    whole = problem.run(rule)
    contest = Race(problem.entrants(rule), rule)
    while (wanted := contest.wanted()) is not None:
        choice, number = wanted
        contest = pickle.loads(pickle.dumps(contest))
        contest.entrants[choice].tally.add(problem.probe(choice, number))
        contest = copy.deepcopy(contest)
    assert (contest.outcome.probes, contest.outcome.ended) == (whole.probes, whole.ended)
    assert all(torch.equal(contest.outcome.similarities[c], whole.similarities[c]) for c in COUNTS)


def test_similarities_averaged_over_probes_can_race_too() -> None:
    problem, rule = Problem(0.5, fresh_seed()), RaceRule(first=4, most=16, deviations=inf, tolerance=0)
    entrants = {choice: Entrant(MeanSimilarities(SIMILARITIES["cos"]), n, 2) for choice, n in COUNTS.items()}
    found = race(entrants, problem.probe, rule)
    for choice in COUNTS:
        each = [SIMILARITIES["cos"](problem.probe(choice, i)) for i in range(16)]
        assert torch.equal(found.similarities[choice], torch.stack(each).mean(dim=0))


def test_it_decides_nearly_as_well_as_every_probe_does_at_a_fraction_of_them() -> None:
    """Over 30 problems, against the truth, in the mean similarity of a cut link."""
    race_regret, exact_regret, share = 0.0, 0.0, 0.0
    for seed in range(30):
        problem = Problem(0.5, seed)
        truth = {choice: SIMILARITIES["cos"]([means]) for choice, means in problem.means.items()}
        found = problem.run(RaceRule())
        race_regret += regret(truth, found.similarities)
        exact_regret += regret(truth, {choice: problem.exact(choice, 100) for choice in COUNTS})
        share += sum(found.probes.values()) / (30 * 300)
    assert share < 0.5
    assert race_regret / 30 < exact_regret / 30 + 0.005


def regret(truth: dict[str, Tensor], found: dict[str, Tensor]) -> float:
    def cost(similarities: dict[str, Tensor]) -> float:
        choice, groups = decision(similarities)
        return slow.cost(truth[choice], tuple(tuple(int(i) for i in group) for group in groups))

    return cost(found) - cost(truth)


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.3, 2.0])
def test_the_expected_gain_is_the_integral_over_a_normal_difference(gap: float) -> None:
    errors = torch.rand(3, dtype=torch.float64) + 0.1
    found = expected_gain(torch.full((3,), gap, dtype=torch.float64), errors)
    assert found.tolist() == pytest.approx([slow.gain(gap, error) for error in errors.tolist()], rel=1e-3, abs=1e-6)


def test_nothing_is_won_without_an_error_and_anything_may_be_where_it_is_unknown() -> None:
    gains = expected_gain(torch.tensor([0.2, 0.0, 0.2]), torch.tensor([0.0, 0.0, inf]))
    assert gains.tolist() == [0.0, 0.0, inf]


def test_standard_errors_are_those_of_the_weighted_differences_seen_by_both() -> None:
    moves, leaders = torch.randn(9, 3, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    found = standard_errors(moves, leaders)
    for column, error in enumerate(found.tolist()):
        assert error == pytest.approx(slow.error_of((moves[:6, column] - leaders).tolist()))
    moves[2, 1] = torch.nan
    assert standard_errors(moves, leaders)[1] == inf
    assert standard_errors(leaders[:, None].repeat(1, 2), leaders).tolist() == [0.0, 0.0]


def test_there_is_no_outcome_before_the_end() -> None:
    problem = Problem(0.3, 0)
    contest = Race(problem.entrants(RaceRule()), RaceRule())
    with pytest.raises(AssertionError, match="not over"):
        _ = contest.outcome


def test_an_expected_gain_is_never_negative() -> None:
    """Far from the leader it is the difference of two tiny numbers, which rounding may turn around."""
    gaps = torch.linspace(0, 60, 100_001, dtype=torch.float64)
    assert bool((expected_gain(gaps, torch.ones_like(gaps)) >= 0).all())
