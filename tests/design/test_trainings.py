"""Epochs are dealt so that they fit, and everybody gets as much as there is."""

from __future__ import annotations

from math import floor

import pytest

from cleave.design.trainings import MOST_EPOCHS, Candidate, dealt, epochs_in
from tests.fresh import fresh


def slowly(seconds: float, each: dict[str, float]) -> dict[str, int]:
    """The same epoch by epoch."""
    names, found, left = sorted(each, key=lambda name: each[name]), {}, seconds
    for name in names:
        share, found[name] = left / (len(each) - len(found)), 0
        while (found[name] + 1) * each[name] <= share and found[name] < MOST_EPOCHS:
            found[name] += 1
        left -= found[name] * each[name]
    return found


@pytest.mark.parametrize("case", range(20))
def test_epochs_are_dealt_as_the_slow_way_deals_them(case: int) -> None:
    random = fresh()
    each = {f"n{number}": 2.0 ** int(random.integers(-3, 6)) for number in range(random.integers(1, 7))}
    seconds = float(random.integers(0, 200))
    found = dealt(seconds, each)
    assert found == slowly(seconds, each)
    assert sum(count * each[name] for name, count in found.items()) <= seconds


def test_the_dearest_is_left_out_where_it_does_not_fit() -> None:
    assert dealt(10.0, {"cheap": 1.0, "dear": 20.0}) == {"cheap": 5, "dear": 0}
    assert dealt(10.0, {"dear": 6.0, "cheap": 4.0}) == {"cheap": 1, "dear": 1}, "what is left is for the last"
    assert dealt(0.5, {"cheap": 1.0}) == {"cheap": 0}


def test_there_are_no_more_epochs_than_mean_something() -> None:
    assert (epochs_in(1e9, 1.0), epochs_in(2.9, 1.0), epochs_in(-5.0, 1.0) <= 0) == (MOST_EPOCHS, floor(2.9), True)


def test_a_candidate_is_fine_tuned_where_its_weights_are_good() -> None:
    assert Candidate("a", "timm:resnet18").recipe == "short"
    assert Candidate("a", "timm:resnet18", {"begin.weights": "pretrained"}).recipe == "finetune"
    assert Candidate("a", "run", {"begin.weights": "new", "arch": "k3"}).recipe == "short"
    assert (
        Candidate("mobilenetv3_large_100 x 0.35", "timm:mobilenetv3_large_100").slug == "mobilenetv3_large_100-x-0.35"
    )


def test_a_network_is_told_from_others_however_it_is_trained() -> None:
    tuned, scratch = (Candidate(weights, "run", {"begin.weights": weights, "arch": "k3"}) for weights in ("new", "old"))
    assert tuned.network == scratch.network == "k3"
    wide, half = (Candidate("x", "timm:a", keys) for keys in ({}, {"space.width": 0.5}))
    assert (wide.network, half.network) == ("timm:a", "timm:a x 0.5")
