"""Base methods, each one file: a small class on one protocol, and its settings."""

from cleave.method.architecture import ArchitectureMethod, ArchitectureSettings
from cleave.method.base import METHODS, Evaluate, Method, Turn, gates_from, method
from cleave.method.darts import Darts, DartsSettings
from cleave.method.drnas import Drnas, DrnasSettings
from cleave.method.gdas import Gdas, GdasSettings
from cleave.method.held import Descent, Held, Loss, Weights
from cleave.method.random_search import RandomSearch, RandomSettings
from cleave.method.rsps import Rsps, RspsSettings
from cleave.method.second_order import Darts2, Darts2Settings
from cleave.method.snas import Snas, SnasSettings

__all__ = [
    "METHODS",
    "ArchitectureMethod",
    "ArchitectureSettings",
    "Darts",
    "Darts2",
    "Darts2Settings",
    "DartsSettings",
    "Descent",
    "Drnas",
    "DrnasSettings",
    "Evaluate",
    "Gdas",
    "GdasSettings",
    "Held",
    "Loss",
    "Method",
    "RandomSearch",
    "RandomSettings",
    "Rsps",
    "RspsSettings",
    "Snas",
    "SnasSettings",
    "Turn",
    "Weights",
    "gates_from",
    "method",
]
