"""What makes up for the bias of sums, and how honestly that is told."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest

from cleave.deploy.correction import FITS, accuracy, by_the_others, constant, corrected, slope


def made(seed: int, count: int = 20) -> tuple[list[float], np.random.Generator]:
    random = np.random.default_rng(seed)
    return random.uniform(2, 9, count).tolist(), random


def test_a_bias_is_found_and_taken_away() -> None:
    sums, random = made(0)
    measured = [1.3 * each * random.uniform(0.99, 1.01) for each in sums]
    found, error = corrected(sums, measured)
    assert found.kind == "slope"
    assert found.slope == pytest.approx(1.3, rel=0.01)
    assert error.median_relative_error < 0.01 < 0.2 < accuracy(sums, measured).median_relative_error
    shifted, error = corrected(sums, [each + 0.75 for each in sums])
    assert (shifted.kind, shifted.constant) == ("constant", pytest.approx(0.75))
    assert error.median_relative_error == pytest.approx(0)
    assert error.spearman == pytest.approx(1)


def test_sums_that_are_right_are_left_as_they_are() -> None:
    sums, _ = made(1)
    found, error = corrected(sums, sums)
    assert (found.kind, found.of(3.25)) == ("none", 3.25)
    assert error.median_relative_error == 0


def test_few_networks_fit_nothing() -> None:
    assert corrected([1.0, 2.0], [2.0, 4.0])[0].kind == "none"


@pytest.mark.parametrize("fit", FITS)
def test_each_network_is_predicted_without_itself(fit: object) -> None:
    """Whatever one network took, its own prediction stays; those of others may move."""
    assert fit in (constant, slope, FITS[0])
    sums, random = made(2, 7)
    measured = [each * random.uniform(0.8, 1.6) for each in sums]
    before = by_the_others(fit, sums, measured)  # type: ignore[arg-type]
    for place in range(len(sums)):
        other = list(measured)
        other[place] *= 100
        assert by_the_others(fit, sums, other)[place] == before[place]  # type: ignore[arg-type]


def test_they_are_what_the_plain_way_gives() -> None:
    sums, random = made(3)
    measured = [each * random.uniform(0.5, 2) + 1 for each in sums]
    for place in range(len(sums)):
        rest = [(a, b) for number, (a, b) in enumerate(zip(sums, measured, strict=True)) if number != place]
        by_slope = median(b / a for a, b in rest) * sums[place]
        by_constant = median(b - a for a, b in rest) + sums[place]
        assert by_the_others(slope, sums, measured)[place] == pytest.approx(by_slope)
        assert by_the_others(constant, sums, measured)[place] == pytest.approx(by_constant)
    errors = np.abs(np.array(sums) - measured) / measured
    assert accuracy(sums, measured).median_relative_error == pytest.approx(float(np.median(errors)))


def test_equal_times_have_no_order() -> None:
    assert accuracy([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]).spearman is None
