"""Samples of a categorical distribution that can be differentiated: Gumbel-softmax (Jang et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cleave.method.base import Turn
from cleave.settings import GumbelSettings


def relaxed(alpha: nn.ParameterDict, settings: GumbelSettings, turn: Turn) -> dict[str, Tensor]:
    """Per choice a sample on the simplex, [allowed candidates], fresh for each turn.

    Its largest entry is candidate i with probability softmax(alpha)[i], whatever the temperature.
    """
    heat = temperature(settings, turn)
    return {
        choice: ((logits + noise(logits, turn.generator)) / heat).softmax(dim=0) for choice, logits in alpha.items()
    }


def temperature(settings: GumbelSettings, turn: Turn) -> float:
    """Linear over the epochs of the search, `temperature_min` in the last one; before the search it has not fallen."""
    done = turn.epoch / (turn.epochs - 1) if turn.epochs > 1 else 0.0
    return settings.temperature + (settings.temperature_min - settings.temperature) * done


def noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel numbers of `like`'s shape and type, on its device, from the CPU's `generator`."""
    waiting = torch.empty(like.shape, dtype=like.dtype).exponential_(generator=generator)
    return -waiting.log().to(like.device)
