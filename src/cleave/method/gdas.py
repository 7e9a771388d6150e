"""GDAS (Dong & Yang 2019): every step runs one sampled candidate per choice, and learns through its probability."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from cleave.method.architecture import ArchitectureMethod
from cleave.method.base import StepContext, method
from cleave.method.gumbel import GumbelSettings, relaxed
from cleave.net import Gate, Gates


class GdasSettings(GumbelSettings):
    """GDAS: hard samples, one candidate per choice."""

    name: Literal["gdas"] = "gdas"
    temperature: Annotated[float, Field(gt=0)] = 10.0


@method(GdasSettings)
class Gdas(ArchitectureMethod):
    """The largest entry of a Gumbel-softmax sample runs alone: weight 1 forwards, the entry itself backwards."""

    single_path = True

    def mixture(self, context: StepContext) -> Gates:
        samples = relaxed(self.alpha, self.settings, context)
        # One wait for the device: it has to be known here what runs.
        largest = torch.stack([sample.argmax() for sample in samples.values()]).tolist()
        gates = {}
        for (choice, sample), index in zip(samples.items(), largest, strict=True):
            weight = sample[index : index + 1]
            gates[choice] = Gate((self.region.allowed[choice][index],), 1 + (weight - weight.detach()))
        return gates

    def gates(self, context: StepContext) -> Gates:
        """The sampled path; the weights, all 1, are left out."""
        return {choice: Gate(gate.active) for choice, gate in super().gates(context).items()}
