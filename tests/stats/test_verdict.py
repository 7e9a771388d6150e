"""Verdicts on planted cases, of which the truth is known, and the laws that they keep."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binom

from cleave.stats import paired
from cleave.stats.verdict import BETTER, NONE, WORSE, Answers, Outcome, Verdict, judge
from tests.fresh import fresh
from tests.reference import paired as slow

EVEN = (0.25, 0.25, 0.25, 0.25)
RARE = (0.9, 0.06, 0.04)


class Planted(NamedTuple):
    """What is true of a class of images: the shares that ours alone, and theirs alone, gets right. The rest is right
    for both or for none. `shares`: of the classes among the images."""

    images: int
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    outcome: Outcome
    shares: tuple[float, ...] = EVEN


CASES = {
    "better, many images": Planted(2000, (0.10,), (0.05,), BETTER),
    "better by little, many images": Planted(6000, (0.06,), (0.04,), BETTER),
    "better by much, few images": Planted(100, (0.40,), (0.02,), BETTER),
    "better, and the other is never right alone": Planted(300, (0.08,), (0.0,), BETTER),
    "better in one class only": Planted(2000, (0.20, 0.05, 0.05, 0.05), (0.05,), BETTER),
    "better in a large class, unequal ones": Planted(2000, (0.12, 0.05, 0.05), (0.04, 0.05, 0.05), BETTER, RARE),
    "worse, many images": Planted(2000, (0.05,), (0.10,), WORSE),
    "worse by little, many images": Planted(6000, (0.04,), (0.06,), WORSE),
    "worse by much, few images": Planted(100, (0.02,), (0.40,), WORSE),
    "worse, and never right alone": Planted(300, (0.0,), (0.08,), WORSE),
    "worse in all classes, unequal ones": Planted(2000, (0.03,), (0.09,), WORSE, RARE),
    "worse in a large class, unequal ones": Planted(2000, (0.04, 0.3, 0.3), (0.12, 0.1, 0.1), WORSE, RARE),
    "equal, many images": Planted(4000, (0.08,), (0.08,), NONE),
    "equal, few images": Planted(40, (0.10,), (0.10,), NONE),
    "equal, and often apart": Planted(1000, (0.30,), (0.30,), NONE),
    "the same network": Planted(500, (0.0,), (0.0,), NONE),
    "equal, unequal classes": Planted(3000, (0.05, 0.2, 0.2), (0.05, 0.2, 0.2), NONE, RARE),
    "better in one class as it is worse in another": Planted(2000, (0.2, 0.05, 0.1, 0.1), (0.05, 0.2, 0.1, 0.1), NONE),
    "better by too little for so few images": Planted(60, (0.10,), (0.07,), NONE),
    "worse by too little for so few images": Planted(5, (0.1,), (0.6,), NONE),
}
"""Twenty: where a difference is as large as those that can be told, the verdict says it; where there is none, not."""


def of_classes(values: tuple[float, ...], labels: np.ndarray, classes: int) -> np.ndarray:
    return np.asarray(values * classes if len(values) == 1 else values)[labels]


def drawn(case: Planted, random: np.random.Generator) -> tuple[Answers, Answers, np.ndarray]:
    """A sample of a case: what both answer, and the labels."""
    classes = len(case.shares)
    labels = np.searchsorted(np.cumsum(case.shares), (np.arange(case.images) + 0.5) / case.images)
    ours, theirs = (of_classes(each, labels, classes) for each in (case.ours, case.theirs))
    place = random.random(case.images)
    both = random.random(case.images) < 0.7
    right = (place < ours) | ((place >= ours + theirs) & both), (place >= ours) & ((place < ours + theirs) | both)
    predicted = [np.where(each, labels, (labels + 1) % classes) for each in right]
    return Answers("ours", predicted[0]), Answers("theirs", predicted[1]), labels


def verdict_of(case: Planted, random: np.random.Generator) -> Verdict:
    ours, theirs, labels = drawn(case, random)
    return judge(ours, [theirs], labels)


@pytest.mark.parametrize("name", CASES)
def test_a_planted_case_gets_no_wrong_verdict(name: str) -> None:
    case = CASES[name]
    found = verdict_of(case, np.random.default_rng(16))
    (compared,) = found.comparisons
    assert compared.outcome == case.outcome, found.sentence
    assert case.outcome in found.sentence
    assert found.unequal == (compared.balanced_interval is not None) == (case.shares == RARE or case.images == 5)


def test_there_are_twenty_of_them() -> None:
    assert len(CASES) == 20
    assert {case.outcome for case in CASES.values()} == {BETTER, WORSE, NONE}


@cache
def p_value(one: int, other: int) -> float:
    return paired.mcnemar(one, other)


def test_equals_are_called_unequal_in_one_verdict_of_twenty_at_most() -> None:
    """Of all three comparisons together. The bound is passed once in a million times where the law just holds."""
    random, trials, wrong = fresh(), 2000, 0
    for _ in range(trials):
        hard = random.random(200)
        right = [random.random(200) < 0.4 + 0.5 * hard for _ in range(4)]
        counts = [((right[0] & ~each).sum(), (each & ~right[0]).sum()) for each in right[1:]]
        wrong += min(paired.holm([p_value(*map(int, each)) for each in counts])) <= 0.05
    assert wrong <= binom.isf(1e-6, trials, 0.05)


def test_a_difference_of_the_size_that_is_told_is_seen_in_four_of_five_samples() -> None:
    """And one of half that size is not, so that nothing is told too large. Once in a million times either bound fails
    where the chance is .8, or .45."""
    random, trials = fresh(), 400
    for images, apart in ((150, 0.1), (400, 0.3)):
        size = paired.detectable(images, round(apart * images), 0.05)
        assert size is not None
        seen = dict.fromkeys((1.0, 0.5), 0)
        for part in seen:
            more = part * size / 100
            for _ in range(trials):
                one, other, _rest = random.multinomial(images, [(apart + more) / 2, (apart - more) / 2, 1 - apart])
                seen[part] += bool(one > other and p_value(int(one), int(other)) <= 0.05)
        assert seen[1.0] >= binom.ppf(1e-6, trials, 0.8)
        assert seen[0.5] <= binom.isf(1e-6, trials, 0.45)


def test_the_tests_are_the_sums_over_all_that_can_happen() -> None:
    random = fresh()
    for _ in range(60):
        one, other = (int(each) for each in random.integers(0, 40, size=2))
        assert paired.mcnemar(one, other) == pytest.approx(slow.mcnemar(one, other), rel=1e-9)
    for _ in range(40):
        p_values = [float(each) for each in random.choice([*random.random(3) / 5, 0.01, 1.0], size=4)]
        assert paired.holm(p_values) == pytest.approx(slow.holm(p_values))
    for _ in range(6):
        images = int(random.integers(5, 25))
        apart = int(random.integers(1, images + 1))
        more = int(random.integers(1, apart + 1))
        expected = slow.power(images, apart, more, 0.05)
        assert paired.power(images, apart, more, 0.05) == pytest.approx(expected, abs=1e-8)


def test_the_intervals_are_those_of_a_loop_over_drawn_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleave.stats.verdict.DRAWS", 100)
    case = Planted(60, (0.3, 0.1, 0.2), (0.1, 0.2, 0.1), BETTER, (0.5, 0.3, 0.2))
    ours, theirs, labels = drawn(case, fresh())
    found = judge(ours, [theirs], labels, seed=7).comparisons[0]
    right = [list(map(bool, each.predicted == labels)) for each in (ours, theirs)]
    expected = slow.bootstrap(*right, labels.tolist(), seed=7, draws=100)
    assert [*found.interval, *found.balanced_interval] == pytest.approx(expected, abs=1e-9)


def test_several_are_compared_and_their_number_is_paid_for() -> None:
    """What one comparison alone would call better is not, among many."""
    labels = np.zeros(100, dtype=np.int64)
    ours = Answers("ours", np.zeros(100, dtype=np.int64))
    close = Answers("close", np.where(np.arange(100) < 6, 1, 0))
    far = Answers("far", np.where(np.arange(100) < 40, 1, 0))
    alone, together = judge(ours, [close], labels), judge(ours, [close, far, ours, ours], labels)
    assert alone.comparisons[0].outcome == BETTER
    assert alone.sentence == "ours is better than close (+6.0 points, 95 % interval +2.0 to +11.0)"
    assert [each.outcome for each in together.comparisons] == [NONE, BETTER, NONE, NONE]
    assert together.comparisons[0].p == alone.comparisons[0].p
    assert together.comparisons[0].p_corrected == 3 * alone.comparisons[0].p
    assert "no difference between ours and close, ours and ours can be told with 100 test images" in together.sentence
    told = together.to_json()
    assert [each["hits"] for each in told["networks"]] == [100, 94, 60, 100, 100]
    assert told["comparisons"][1]["difference"] == 40


def test_where_classes_are_unequal_and_count_alike_the_other_way_it_is_said() -> None:
    """Ours answers the frequent class, and is right more often for it."""
    labels = np.repeat([0, 1], [900, 100])
    ours = Answers("ours", np.zeros(1000, dtype=np.int64))
    theirs = Answers("theirs", np.where(np.arange(1000) < 150, 1, labels))
    found = judge(ours, [theirs], labels)
    assert [found.comparisons[0].outcome, found.unequal] == [BETTER, True]
    assert "but worse than theirs (-41.7 points) where every class counts alike" in found.sentence
    assert [round(each.balanced_accuracy, 1) for each in found.networks] == [50.0, 91.7]


def test_so_few_images_that_nothing_can_be_told_are_said_to_be_too_few() -> None:
    found = verdict_of(CASES["worse by too little for so few images"], np.random.default_rng(16))
    assert found.comparisons[0].detectable is None
    assert found.sentence.endswith("can be told with 5 test images; they are too few for any")
