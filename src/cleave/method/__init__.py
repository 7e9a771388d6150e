"""Base methods, each a small class on one protocol."""

from cleave.method.base import Evaluate, Held, Method, Turn
from cleave.method.darts import Darts
from cleave.method.rsps import Rsps

METHODS: dict[str, type[Method]] = {"darts": Darts, "rsps": Rsps}

__all__ = ["METHODS", "Darts", "Evaluate", "Held", "Method", "Rsps", "Turn"]
