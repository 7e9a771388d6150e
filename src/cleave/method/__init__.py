"""Base methods, each one file: a small class on one protocol, and its settings."""

from cleave.method.architecture import ArchitectureMethod, ArchitectureSettings
from cleave.method.base import METHODS, Evaluate, Method, StepContext, gates_from, method
from cleave.method.darts import Darts, DartsSettings
from cleave.method.drnas import Drnas, DrnasSettings
from cleave.method.gdas import Gdas, GdasSettings
from cleave.method.once_for_all import (
    OnceForAll,
    OnceForAllSettings,
    Sandwich,
    SandwichSettings,
    Subnets,
    SubnetsSettings,
)
from cleave.method.phase import Lesson, Phase, PhaseEpoch, phase_at
from cleave.method.proxyless import Proxyless, ProxylessSettings
from cleave.method.random_search import RandomSearch, RandomSettings
from cleave.method.rsps import Rsps, RspsSettings
from cleave.method.second_order import Darts2, Darts2Settings
from cleave.method.shrinking import Shrinking, ShrinkingSettings
from cleave.method.snas import Snas, SnasSettings
from cleave.method.validation import Loss, SgdStep, ValidationLoss, Weights

__all__ = [
    "METHODS",
    "ArchitectureMethod",
    "ArchitectureSettings",
    "Darts",
    "Darts2",
    "Darts2Settings",
    "DartsSettings",
    "Drnas",
    "DrnasSettings",
    "Evaluate",
    "Gdas",
    "GdasSettings",
    "Lesson",
    "Loss",
    "Method",
    "OnceForAll",
    "OnceForAllSettings",
    "Phase",
    "PhaseEpoch",
    "Proxyless",
    "ProxylessSettings",
    "RandomSearch",
    "RandomSettings",
    "Rsps",
    "RspsSettings",
    "Sandwich",
    "SandwichSettings",
    "SgdStep",
    "Shrinking",
    "ShrinkingSettings",
    "Snas",
    "SnasSettings",
    "StepContext",
    "Subnets",
    "SubnetsSettings",
    "ValidationLoss",
    "Weights",
    "gates_from",
    "method",
    "phase_at",
]
