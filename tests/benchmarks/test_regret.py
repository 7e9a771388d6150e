"""The study of split decisions: its vectorised passes against the library's own, its replays against a real race."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path

import pytest
import torch

from benchmarks import regret
from benchmarks.regret_case import Many, gates_of, trained, vectorised_inputs
from cleave.search.trainer import NodeTrainer
from cleave.split import Probe, shared_parameters
from cleave.split.gradient import gradients
from cleave.split.race import Entrant, RaceRule, race
from cleave.split.similarity import cosine
from cleave.split.tally import Extrapolated
from tests.fresh import fresh

CHOICE = "2<-0"
FIRST = 55
"""A seed that trains for one epoch only."""


@pytest.fixture(scope="module", params=["darts", "rsps"])
def trainer(request: pytest.FixtureRequest) -> NodeTrainer:
    return trained(3, request.param, ops=4, epochs=1)


def probe(trainer: NodeTrainer, choice: str, number: int) -> list[torch.Tensor]:
    """By the library, one pass at a time."""
    batch = trainer.problem.stream(trainer.problem.train, trainer.chance, "race").batch(number)
    one = Probe(partial(trainer._loss, trainer.loss, batch), gates_of(trainer, "race", number))
    return gradients(
        one, choice, trainer.scope.region.allowed[choice], shared_parameters(trainer.network, choice), False
    )


def test_many_passes_at_once_give_the_gradients_of_one_at_a_time(trainer: NodeTrainer) -> None:
    many = Many(trainer, CHOICE, partial(vectorised_inputs, trainer))
    found = many.chunk("race", range(2, 5))
    for place, number in enumerate(range(2, 5)):
        expected = torch.cat([parameter.flatten(1) for parameter in probe(trainer, CHOICE, number)], dim=1)
        torch.testing.assert_close(found[place], expected, rtol=1e-3, atol=1e-5)


def test_a_replay_is_the_race_on_the_network_itself(trainer: NodeTrainer) -> None:
    rule = RaceRule(first=3, most=5)
    inputs = cache(partial(vectorised_inputs, trainer))
    choices = [CHOICE, "3<-0"]
    followed = {choice: Many(trainer, choice, inputs).followed("race", rule.most) for choice in choices}
    names = trainer.scope.region.allowed
    separate = {choice: torch.eye(len(names[choice])).tolist() for choice in choices}
    case = regret.Case(
        3,
        "any",
        0,
        separate,
        {c: own for c, (own, _) in followed.items()},
        {c: p for c, (_, p) in followed.items()},
        {},
    )
    found = regret.replay(case, rule)
    entrants = {choice: Entrant(Extrapolated(cosine, rule.horizon), len(names[choice]), 2) for choice in choices}
    expected = race(entrants, partial(probe, trainer), rule)
    assert (found.probes, found.ended) == (expected.probes, expected.ended)
    for choice in choices:
        torch.testing.assert_close(found.similarities[choice], expected.similarities[choice], rtol=1e-3, atol=1e-3)


def test_the_reference_is_the_similarity_of_mean_gradients_where_it_is_as_long(trainer: NodeTrainer) -> None:
    many = Many(trainer, CHOICE, partial(vectorised_inputs, trainer))
    different, own = many.products("reference", 4)
    means = many.chunk("reference", range(4)).double().mean(dim=0)
    torch.testing.assert_close(different + (own - different) / 4, means @ means.T)


def test_regret_is_zero_for_the_best_split_and_positive_for_another() -> None:
    reference = {choice: torch.rand(4, 4, dtype=torch.float64) for choice in "abc"}
    reference = {choice: (values + values.T) / 2 for choice, values in reference.items()}
    assert regret.regret(reference, reference) == 0
    best, _ = regret.decide(reference)
    worse = {**reference, best: reference[best] + 10}
    assert regret.regret(reference, worse) > 0


def test_the_command_measures_once_and_reports_every_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(regret, "RULES", {"race": RaceRule(first=3, most=8), "all": RaceRule(first=8, most=8)})
    arguments = [
        "--first",
        str(FIRST),
        "--cases",
        "1",
        "--most",
        "8",
        "--reference",
        "6",
        "--folder",
        str(tmp_path / "cases"),
    ]
    regret.main(arguments)
    (case,) = (tmp_path / "cases").iterdir()
    written = case.stat().st_mtime_ns
    regret.main([*arguments, "--json", str(tmp_path / "report.json")])
    assert case.stat().st_mtime_ns == written
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["cases"] == 1
    assert list(report["rules"]) == ["separate", "race", "all"]
    assert report["rules"]["separate"]["more_than_separate"] == 0
    assert 3 / 8 <= report["rules"]["race"]["passes"] <= report["rules"]["all"]["passes"] == 1
    assert report["rules"]["race"]["interval"] == [None, None], "one case has none"
    assert "darts, 1 cases" in capsys.readouterr().out


def test_the_interval_of_several_cases_holds_their_mean_difference() -> None:
    random = fresh()
    judged = [{name: regret.Judgement(random.random(), 1.0) for name in ("separate", "race")} for _ in range(12)]
    rows = regret.report(judged)
    low, high = rows["race"]["interval"]
    assert low < rows["race"]["more_than_separate"] < high
    assert f"[{low:+.5f}, {high:+.5f}]" in regret.text("darts", 12, rows)


def test_shards_share_the_seeds_out() -> None:
    shards = [regret.shard(range(3, 20), f"{i}/3") for i in range(3)]
    assert sorted(seed for each in shards for seed in each) == list(range(3, 20))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert regret.shard(range(4), "0/1") == [0, 1, 2, 3]
