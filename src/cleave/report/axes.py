"""Where the ticks of an axis are, and where values lie on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10

STEPS = (1, 2, 2.5, 5, 10)
ROUNDING = 1e-9
"""Of a step: what is that close to a tick lies on it."""
MOST = 7
"""Ticks in powers of ten."""
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Axis:
    """From values to pixels: `low` lies at `start`, `high` at `end`; `step` is the distance of ticks."""

    low: float
    high: float
    step: float
    start: float
    end: float

    @staticmethod
    def over(values: Iterable[float], start: float, end: float, ticks: int = 5, whole: bool = False) -> Axis:
        """An axis from tick to tick around one value or more, with about so many ticks; `whole`: at whole numbers."""
        found = list(values)
        low, high = min(found), max(found)
        if low == high:
            reach = 1 if whole else abs(low) / 2 or 0.5
            low, high = low - reach, high + reach
        step = nice((high - low) / ticks)
        if whole:
            step = ceil(step)
        first, last = floor(low / step + ROUNDING), ceil(high / step - ROUNDING)
        return Axis(first * step, last * step, step, start, end)

    @property
    def ticks(self) -> list[float]:
        count = round((self.high - self.low) / self.step)
        return [self.low + number * self.step for number in range(count + 1)]

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def text(self, value: float) -> str:
        """A tick as it is written: with as many digits as tell it from the next one."""
        if abs(value) < self.step / 2:
            return "0"
        most = max(abs(self.low), abs(self.high))
        size, letter = next((unit for unit in UNITS if most >= unit[0] and self.step >= unit[0] / 100), (1, ""))
        return f"{value / size:.{decimals(self.step / size)}f}{letter}"


@dataclass(frozen=True)
class LogAxis:
    """The same in powers of ten, for values above 0 that are of different sizes; ticks are 1, 2 and 5 times these."""

    low: float
    high: float
    start: float
    end: float

    @staticmethod
    def over(values: Iterable[float], start: float, end: float) -> LogAxis:
        found = list(values)
        below = [tick for tick in powers() if tick <= min(found)]
        above = [tick for tick in powers() if tick >= max(found)]
        return LogAxis(below[-1], above[0], start, end)

    @property
    def ticks(self) -> list[float]:
        """Of many only the powers of ten."""
        found = [tick for tick in powers() if self.low <= tick <= self.high]
        return found if len(found) <= MOST else [tick for tick in found if log10(tick).is_integer()]

    def at(self, value: float) -> float:
        return self.start + log10(value / self.low) / log10(self.high / self.low) * (self.end - self.start)

    def text(self, value: float) -> str:
        size, letter = next((unit for unit in UNITS if value >= unit[0]), (1, ""))
        return f"{value / size:g}{letter}"


def powers() -> list[float]:
    """1, 2 and 5 times powers of ten."""
    return [float(f"{digit}e{power}") for power in range(-9, 16) for digit in (1, 2, 5)]


def decimals(step: float) -> int:
    """Digits behind the point that multiples of a step need."""
    return next(digits for digits in range(20) if abs(round(step, digits) - step) < step / 1e6)


def nice(rough: float) -> float:
    """The least of 1, 2, 2.5 and 5 times a power of ten that is not below."""
    power = 10.0 ** floor(log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - ROUNDING))
