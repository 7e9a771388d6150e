"""The race for a split on a real node: what it finds is what the exact rule finds from the same mini-batches."""

from __future__ import annotations

import pytest
import torch

from cleave.errors import UserError
from cleave.resolve_split import resolve_split
from cleave.search.matching import Matcher
from cleave.search.trainer import NodeTrainer
from cleave.settings import SplitSettings
from cleave.space import Choice
from cleave.space.nb201 import NASBench201
from cleave.split.race import RaceRule
from tests.method.kinds import EVERYWHERE
from tests.search.test_trainer import problem, root

CHOICES = ["1<-0", "3<-2"]
RACE = ("split.splits=1", "split.rule=race", "split.batches=16")


def ignore(choice: str, candidates: int) -> None:
    pass


def warm(*changes: str) -> NodeTrainer:
    trainer = root(problem(*RACE, *changes))
    trainer.advance()
    return trainer


@pytest.mark.parametrize("method", EVERYWHERE)
def test_every_method_can_race(method: str) -> None:
    trainer, passes = warm(f"method.name={method}"), list[int]()
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    found = Matcher(trainer).race(CHOICES, 2, lambda choice, candidates: passes.append(candidates))
    assert list(found.similarities) == CHOICES
    assert all(RaceRule.first <= count <= 16 for count in found.probes.values())
    assert sum(passes) == sum(5 * count for count in found.probes.values())
    assert all(torch.equal(before[name], value) for name, value in trainer.network.state_dict().items())


def test_a_race_is_a_function_of_the_node() -> None:
    one, other = (Matcher(warm("method.name=rsps")).race(CHOICES, 2, ignore) for _ in range(2))
    assert one.probes == other.probes
    assert all(torch.equal(one.similarities[choice], other.similarities[choice]) for choice in CHOICES)


@pytest.mark.parametrize("similarity", ["cos", "filter-cos"])
def test_similarities_averaged_over_mini_batches_are_the_exact_rules(similarity: str) -> None:
    """Nothing is extrapolated there; and DARTS runs the same gates whatever the mini-batch."""
    trainer = warm("split.average=similarities", f"split.similarity={similarity}")
    found = Matcher(trainer).race(CHOICES, 2, ignore)
    for choice, count in found.probes.items():
        torch.testing.assert_close(found.similarities[choice], Matcher(trainer).score(choice, range(count)))


def test_a_race_sees_the_mini_batches_and_paths_of_the_exact_rule() -> None:
    trainer = warm("method.name=rsps")
    assert [trainer.probe(number).gates for number in range(16)] == [probe.gates for probe in Matcher(trainer).probes()]


@pytest.mark.parametrize("average", ["gradients", "similarities"])
@pytest.mark.parametrize("similarity", ["cos", "filter-cos"])
def test_a_gradient_that_is_not_finite_is_said(similarity: str, average: str) -> None:
    trainer = warm(f"split.similarity={similarity}", f"split.average={average}")
    with torch.no_grad():
        trainer.network.classifier.weight.fill_(float("inf"))
    with pytest.raises(UserError, match="a gradient on choice 1<-0 is not finite"):
        Matcher(trainer).race(CHOICES, 2, ignore)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (("split.batches=4",), "exact"),
        (("split.batches=16",), "race"),
        (("split.batches=16", "split.rule=exact"), "exact"),
        (("split.batches=8", "split.rule=race"), "race"),
        (("split.batches=16", "split.similarity=l2"), "exact"),
        (("split.splitter=random",), "exact"),
    ],
)
def test_a_race_is_run_where_it_is_worth_while(changes: tuple[str, ...], rule: str) -> None:
    assert problem(*changes).recipe.split.rule == rule


def test_too_few_mini_batches_for_a_race_are_refused() -> None:
    with pytest.raises(UserError, match=r"split\.rule=race: begins with 8 mini-batches; split\.batches=4"):
        problem("split.rule=race", "split.batches=4")


def test_distances_do_not_race_since_what_is_negligible_depends_on_their_unit() -> None:
    with pytest.raises(UserError, match=r"split\.rule=race: split\.similarity=l2 has no common measure"):
        problem("split.rule=race", "split.batches=16", "split.similarity=l2")


def test_a_choice_with_too_many_partitions_does_not_race() -> None:
    """Twenty candidates in two parts."""

    class Wide(NASBench201):
        choices = (Choice("1<-0", tuple(f"op{number}" for number in range(20))),)

        def __init__(self) -> None:
            pass

    for rule, expected in ((None, "exact"), ("exact", "exact")):
        split, _ = resolve_split(SplitSettings(batches=100, splits=1, rule=rule), Wide())
        assert split.rule == expected
    with pytest.raises(UserError, match=r"split\.rule=race: 20 candidates in 2 parts have over 20,000 balanced"):
        resolve_split(SplitSettings(batches=100, splits=1, rule="race"), Wide())
