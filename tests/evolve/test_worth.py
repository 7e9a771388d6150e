"""Which evaluator is used: one that orders architectures no worse than what costs nothing."""

from __future__ import annotations

import pytest

from cleave.errors import UserError
from cleave.evolve.samples import NONE
from cleave.evolve.worth import Row, Worth


def worth(**taus: float | None) -> Worth:
    rows: dict[str, Row] = {name: {"tau": tau, "low": None, "high": None} for name, tau in taus.items()}
    return Worth(rows, {}, NONE, 30)


@pytest.mark.parametrize(
    ("taus", "used"),
    [
        ({"predictor": 0.6, "ridge": 0.5, "macs": 0.4}, "predictor"),
        ({"predictor": 0.6, "ridge": 0.7, "macs": 0.4}, "ridge"),
        ({"predictor": 0.3, "ridge": 0.2, "macs": 0.4}, None),
        ({"predictor": None, "ridge": 0.2, "macs": 0.1}, "ridge"),
        ({"predictor": None, "ridge": None, "macs": None}, None),
        ({"predictor": 0.2, "ridge": 0.1, "macs": None}, "predictor"),
        ({"predictor": -0.1, "ridge": -0.3, "macs": None}, None),
    ],
)
def test_a_predictor_is_used_where_it_is_worth_more_than_its_floors(taus: dict[str, float], used: str | None) -> None:
    found = worth(**taus)
    if used is None:
        with pytest.raises(UserError, match=r"^--by predictor: its held-out tau is .*give --fallback accuracy"):
            found.used(["predictor", "ridge"])
    else:
        assert found.used(["predictor", "ridge"]) == used


def test_what_is_measured_is_always_used() -> None:
    assert worth(accuracy=-0.2, macs=0.4).used(["accuracy"]) == "accuracy"
    assert worth(loss=None, predictor=0.1, ridge=0.2, macs=0.4).used(["predictor", "loss"]) == "loss"
