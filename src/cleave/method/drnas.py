"""DrNAS (Chen et al. 2021): the candidates' weights are drawn from a Dirichlet distribution, which is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn.functional import elu

from cleave.method.architecture import ArchitectureMethod, ArchitectureSettings
from cleave.method.base import StepContext, gates_from, method
from cleave.net import Gates
from cleave.torch_state import seeded


class DrnasSettings(ArchitectureSettings):
    """DrNAS: samples of a Dirichlet distribution, without progressive partial channels."""

    name: Literal["drnas"] = "drnas"


@method(DrnasSettings)
class Drnas(ArchitectureMethod):
    """Weights ~ Dirichlet(elu(alpha) + 1), differentiated through the sample.

    The paper's distance to the flat distribution, concentration 1, is here the weight decay on alpha: for alpha > 0
    the squared distance itself. Its progressive partial channels, a way to save memory, are left out.
    """

    def concentrations(self) -> dict[str, Tensor]:
        """Per choice [allowed candidates], all positive."""
        return {choice: elu(alpha) + 1 for choice, alpha in self.alpha.items()}

    def architecture_weights(self) -> dict[str, Tensor]:
        """The mean of the distribution."""
        return {choice: each / each.sum() for choice, each in self.concentrations().items()}

    def mixture(self, context: StepContext) -> Gates:
        return gates_from(drawn(self.concentrations(), context.generator), self.region)


def drawn(concentrations: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """A sample for each concentration, differentiable in it; it follows `generator` alone.

    torch draws Dirichlet numbers from its global generators only, so these are borrowed and given back.
    """
    devices = {each.device for each in concentrations.values() if each.is_cuda}
    with seeded(int(torch.randint(2**62, (), generator=generator)), devices):
        # What torch would check, that concentrations are positive, is a wait for the device.
        return {choice: Dirichlet(each, validate_args=False).rsample() for choice, each in concentrations.items()}
