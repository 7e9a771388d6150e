"""Which choices are compared, and that racing splits as scoring everything does where both found the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from cleave.space import Region
from cleave.split.matching import GradientMatching, Racing
from cleave.split.splitters import (
    Chooser,
    GivenChoice,
    SplitRequest,
    any_choice,
    best_groups,
    first_lowest,
    lowest_cut,
    splittable,
)

REGION = Region({"a": tuple("pqrs"), "b": tuple("pqrst"), "c": ("p", "q"), "d": tuple("pqr")})
CHOOSERS: tuple[Chooser, ...] = (lowest_cut, any_choice, GivenChoice("d"))


def random_similarities() -> dict[str, Tensor]:
    values = {
        choice: torch.randn(len(names), len(names), dtype=torch.float64) for choice, names in REGION.allowed.items()
    }
    return {choice: (value + value.T) / 2 for choice, value in values.items()}


class Compared:
    """A race that finds what it is given, and remembers what it was asked."""

    def __init__(self, similarities: Mapping[str, Tensor]) -> None:
        self.similarities, self.asked = similarities, list[tuple[list[str], int]]()

    def __call__(self, choices: Sequence[str], parts: int) -> Mapping[str, Tensor]:
        self.asked.append((list(choices), parts))
        return {choice: self.similarities[choice] for choice in choices}


def request(
    similarities: Mapping[str, Tensor], parts: int, seed: int = 0, compared: Compared | None = None
) -> SplitRequest:
    race, generator = compared or Compared(similarities), torch.Generator().manual_seed(seed)
    return SplitRequest(REGION, list(REGION.allowed), parts, similarities.__getitem__, race, generator)


def test_of_costs_that_are_equal_but_for_rounding_the_first_is_the_lowest() -> None:
    assert first_lowest({"a": 0.1 + 0.2, "b": 0.3, "c": 0.4}) == "a"
    assert first_lowest({"a": 0.3 + 1e-9, "b": 0.3}) == "b"
    assert first_lowest({"a": -3e8 + 1e-6, "b": -3e8}) == "a"


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("chooser", CHOOSERS)
def test_racing_splits_as_the_exact_rule_does_on_the_same_similarities(chooser: Chooser, parts: int) -> None:
    similarities = random_similarities()
    exact = GradientMatching(chooser).split(request(similarities, parts, seed=7))
    raced = Racing(chooser).split(request(similarities, parts, seed=7))
    assert (raced.choice, raced.groups, raced.candidates) == (exact.choice, exact.groups, exact.candidates)
    assert raced.scores.items() <= exact.scores.items()


def test_a_race_is_only_among_the_choices_in_contention() -> None:
    similarities = random_similarities()
    compared = Compared(similarities)
    for chooser in CHOOSERS:
        Racing(chooser).split(request(similarities, 3, seed=1, compared=compared))
    (every, parts), (one, _), (given, _) = compared.asked
    assert (every, parts) == (["a", "b", "d"], 3)
    assert len(one) == 1
    assert given == ["d"]


def test_the_exact_rule_scores_every_splittable_choice_whoever_is_in_contention() -> None:
    for chooser in CHOOSERS:
        split = GradientMatching(chooser).split(request(random_similarities(), 3))
        assert list(split.scores) == ["a", "b", "d"]


def test_the_lowest_mean_link_wins_and_of_equals_the_first() -> None:
    similarities = random_similarities()
    split = GradientMatching(lowest_cut).split(request(similarities, 2))
    links = {name: best_groups(REGION.allowed[name], similarities[name], 2).mean_link for name in REGION.allowed}
    assert split.choice == min(links, key=lambda name: links[name])
    equal = {choice: torch.full_like(value, 0.25) for choice, value in similarities.items()}
    assert GradientMatching(lowest_cut).split(request(equal, 2)).choice == "a"


def test_a_random_choice_is_drawn_once_and_uniformly() -> None:
    now = request(random_similarities(), 2)
    drawn = [any_choice(now)[0] for _ in range(2000)]
    assert splittable(now) == ["a", "b", "c", "d"]
    assert all(400 < drawn.count(choice) < 600 for choice in REGION.allowed)
