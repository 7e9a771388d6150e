"""Successive rejects: who is left, what it costs, and that everybody is judged by the same images."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from cleave.method.rejects import batches_seen, rounds, survivor
from cleave.space import Arch


class Table:
    """Accuracies by architecture and batch; it counts each pair that is looked at."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows, self.batches = rows, len(rows[0])
        self.seen: dict[int, int] = defaultdict(int)

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        number, count = int(arch["number"]), batches or self.batches
        self.seen[number] = max(self.seen[number], count)
        return sum(self.rows[number][:count]) / count

    def many(self, archs: Sequence[Arch], batches: int | None = None) -> list[float]:
        return [self(arch, batches) for arch in archs]


def numbered(count: int) -> list[Arch]:
    return [{"number": str(number)} for number in range(count)]


def noisy(count: int, batches: int, noise: float) -> Table:
    """Architectures whose true accuracies are 0, 1, ... in random order, each batch off by normal noise."""
    truth = random.sample(range(count), count)
    return Table([[true + random.gauss(0, noise) for _ in range(batches)] for true in truth])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 200])
@pytest.mark.parametrize("batches", [1, 2, 5, 8, 100])
def test_without_noise_the_best_is_left(count: int, batches: int) -> None:
    table = noisy(count, batches, 0)
    best = max(range(count), key=lambda number: table.rows[number][0])
    assert survivor(numbered(count), table) == {"number": str(best)}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 200])
@pytest.mark.parametrize("batches", [1, 2, 5, 8, 100])
def test_the_batches_that_are_seen_are_those_foretold(count: int, batches: int) -> None:
    table = noisy(count, batches, 3)
    survivor(numbered(count), table)
    assert len(table.seen) == count
    assert sum(table.seen.values()) == batches_seen(count, batches) <= count * batches


def test_the_last_ones_are_judged_on_all_images() -> None:
    table = noisy(64, 30, 10)
    chosen = survivor(numbered(64), table)
    finalists = [number for number, seen in table.seen.items() if seen == 30]
    assert len(finalists) > 1
    assert table(chosen) == max(table({"number": str(number)}) for number in finalists)


def test_as_published_a_leaf_is_chosen_with_a_tenth_of_the_evaluations() -> None:
    """200 architectures and the 25,000 held-out images of CIFAR-10, 250 at a time."""
    assert batches_seen(200, 100) <= 0.1 * 200 * 100


def test_every_round_doubles_the_images() -> None:
    assert list(rounds(200, 100)) == [2, 4, 8, 16, 32, 64]
    assert list(rounds(200, 8)) == [1, 2, 4]
    assert list(rounds(3, 100)) == [2, 4]
    assert list(rounds(200, 1)) == []
    assert list(rounds(1, 100)) == []


def test_of_equals_the_first_is_left() -> None:
    table = Table([[1.0] * 8 for _ in range(20)])
    assert survivor(numbered(20), table) == {"number": "0"}


def test_what_is_rejected_is_the_worse_half_on_the_images_seen() -> None:
    table = noisy(40, 64, 20)
    survivor(numbered(40), table)
    first = next(rounds(40, 64))
    stopped = [number for number, seen in table.seen.items() if seen == first]
    went_on = [number for number in table.seen if number not in stopped]
    assert len(stopped) == 20
    on_first = {number: sum(table.rows[number][:first]) for number in table.seen}
    assert max(on_first[number] for number in stopped) <= min(on_first[number] for number in went_on)
