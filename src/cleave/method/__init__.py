"""Base methods, each a small class on one protocol."""

from cleave.method.base import Evaluate, Method, Turn
from cleave.method.darts import Darts
from cleave.method.drnas import Drnas
from cleave.method.gdas import Gdas
from cleave.method.held import Descent, Held, Loss, Weights
from cleave.method.random_search import RandomSearch
from cleave.method.rsps import Rsps
from cleave.method.second_order import Darts2
from cleave.method.snas import Snas

METHODS: dict[str, type[Method]] = {
    "darts": Darts,
    "darts2": Darts2,
    "snas": Snas,
    "gdas": Gdas,
    "drnas": Drnas,
    "rsps": Rsps,
    "random": RandomSearch,
}

__all__ = [
    "METHODS",
    "Darts",
    "Darts2",
    "Descent",
    "Drnas",
    "Evaluate",
    "Gdas",
    "Held",
    "Loss",
    "Method",
    "RandomSearch",
    "Rsps",
    "Snas",
    "Turn",
    "Weights",
]
