"""What `cleave compare RUN RUN...` prints, and its page has in its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DIGITS = {"tau": 3}
"""Behind the point; of all other measures, which are percent, two."""


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Measure by measure: each group, then each difference."""
    for measure in found["measures"]:
        yield f"{measure}{'' if measure in DIGITS else ', %'}"
        for group in found["groups"]:
            yield f"  {group['name']}: {group_text(group, measure)}"
        for row in found["comparisons"]:
            if row["measure"] == measure:
                yield "  {} against {}:".format(*row["groups"])
                yield f"    {difference_text(row)}"
                yield from (f"    {line}" for line in test_lines(row))
    for measure in found["left_out"]:
        yield f"{measure}: left out, since not all runs have it, and of the same"
    if found["page"] is not None:
        yield f"page: {found['page']}"


def group_text(group: Mapping[str, Any], measure: str) -> str:
    """The mean, its interval, and how many seeds."""
    figures = group["figures"][measure]
    mean = f"{figures['mean']:.{digits(measure)}f}"
    return f"{mean}{interval_text(figures['interval'], measure, '')}, n = {len(group['seeds'])}"


def difference_text(row: Mapping[str, Any]) -> str:
    mean = f"{row['difference']:+.{digits(row['measure'])}f}"
    return f"{mean}{interval_text(row['interval'], row['measure'], '+')}, n = {row['n']}"


def test_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """The test and the size of the effect, in how many seeds the first is better, and how many would tell it."""
    yield f"better in {row['better']} of {row['n']} seeds" + f", equal in {row['equal']}" * bool(row["equal"])
    if row["p"] is None:
        yield "no spread from which more could be told: run more seeds"
        return
    yield f"p = {p_text(row['p'])}, corrected {p_text(row['p_corrected'])}; effect {row['effect']:+.2f}"
    if not told_apart(row):
        yield f"not told apart; about {needed_text(row)} seeds would tell such a difference"


def needed_text(row: Mapping[str, Any]) -> str:
    return "more than 10,000" if row["needed"] is None else f"{row['needed']:,}"


def told_apart(row: Mapping[str, Any]) -> bool:
    """Whether the corrected test tells the two apart."""
    return row["p_corrected"] is not None and row["p_corrected"] <= 0.05


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def interval_text(interval: tuple[float, float] | None, measure: str, sign: str) -> str:
    if interval is None:
        return ""
    low, high = (f"{end:{sign}.{digits(measure)}f}" for end in interval)
    return f" (95 %: {low} to {high})"


def digits(measure: str) -> int:
    return DIGITS.get(measure, 2)
