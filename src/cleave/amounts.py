"""Numbers of recipes as people write them: 300M multiply-adds, 8ms, 15m."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

FACTORS = {"k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}


def in_full(value: Any) -> Any:  # noqa: ANN401
    """A number of which the last letter says thousands, millions or billions, as in 1.5M; anything else as it is."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([kKmMgGbB])", value.strip())):
        number = Fraction(found[1]) * FACTORS[found[2].lower()]
        return int(number) if number.denominator == 1 else value
    return value


Amount = Annotated[int, Field(strict=True, ge=1, le=10**15), BeforeValidator(in_full)]


def in_milliseconds(value: Any) -> Any:  # noqa: ANN401
    """A time that ends with its unit, as in 8ms or 0.1 s; anything else as it is."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(ms|s)", value.strip())):
        return float(found[1]) * (1 if found[2] == "ms" else 1000)
    return value


Milliseconds = Annotated[float, Field(gt=0), BeforeValidator(in_milliseconds)]


SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def in_seconds(value: Any) -> Any:  # noqa: ANN401
    """A time that ends with its unit, as in 15m, 1.5h or 90s; anything else as it is."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(s|m|min|h)", value.strip())):
        return float(found[1]) * SECONDS[found[2]]
    return value


Seconds = Annotated[float, Field(gt=0, le=10**8), BeforeValidator(in_seconds)]
