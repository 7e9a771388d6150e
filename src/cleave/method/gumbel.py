"""Samples of a categorical distribution that can be differentiated: Gumbel-softmax (Jang et al. 2017)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from cleave.method.architecture import ArchitectureSettings
from cleave.method.base import StepContext


class GumbelSettings(ArchitectureSettings):
    """Samples at a temperature that falls linearly over the epochs of a leaf's search."""

    temperature: Annotated[float, Field(gt=0)] = 1.0  # in the first epoch
    temperature_min: Annotated[float, Field(gt=0)] = 0.1  # in the last


def relaxed(alpha: nn.ParameterDict, settings: GumbelSettings, context: StepContext) -> dict[str, Tensor]:
    """Per choice a sample on the simplex, [allowed candidates], fresh for each context.

    Its largest entry is candidate i with probability softmax(alpha)[i], whatever the temperature.
    """
    heat = temperature(settings, context)
    return {
        choice: ((logits + noise(logits, context.generator)) / heat).softmax(dim=0) for choice, logits in alpha.items()
    }


def temperature(settings: GumbelSettings, context: StepContext) -> float:
    """Linear over the epochs of the search, `temperature_min` in the last one; before the search it has not fallen."""
    done = context.epoch / (context.epochs - 1) if context.epochs > 1 else 0.0
    return settings.temperature + (settings.temperature_min - settings.temperature) * done


def noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel numbers of `like`'s shape and type, on its device, from the CPU's `generator`."""
    waiting = torch.empty(like.shape, dtype=like.dtype).exponential_(generator=generator)
    return -waiting.log().to(like.device)
