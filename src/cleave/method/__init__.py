"""Base methods, each one file: a small class on one protocol, and its settings."""

from cleave.method.architecture import ArchitectureMethod, ArchitectureSettings
from cleave.method.base import METHODS, Evaluate, Method, Turn, gates_from, method
from cleave.method.darts import Darts
from cleave.method.drnas import Drnas
from cleave.method.gdas import Gdas
from cleave.method.held import Descent, Held, Loss, Weights
from cleave.method.random_search import RandomSearch
from cleave.method.rsps import Rsps
from cleave.method.second_order import Darts2
from cleave.method.snas import Snas

__all__ = [
    "METHODS",
    "ArchitectureMethod",
    "ArchitectureSettings",
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
    "gates_from",
    "method",
]
