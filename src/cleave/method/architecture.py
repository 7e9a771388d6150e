"""What the methods have in common that learn a number per candidate, alpha, by Adam on held-out batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from cleave.method.base import Evaluate, Method, StepContext
from cleave.method.validation import ValidationLoss
from cleave.net import Gates
from cleave.settings import Beta, MethodSettings, NotNegative, Positive
from cleave.space import Arch, Region, Space
from cleave.train.eager import Adam


class ArchitectureSettings(MethodSettings):
    """Adam on the architecture weights."""

    # Adam moves a weight by about this in a step. Published is 3e-4, for some 15,000 steps; this is for a few hundred.
    architecture_learning_rate: Annotated[float, Field(gt=0)] = 0.03
    architecture_betas: tuple[Beta, Beta] = (0.5, 0.999)
    architecture_weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    architecture_every: Positive = 1  # weight steps for each architecture step
    architecture_after: NotNegative = 0  # epochs of a leaf's search before the first one


class ArchitectureMethod(Method):
    """`alpha[choice]` is [allowed candidates].

    A method of this kind says how alpha runs a batch (`mixture`), and where it differs how alpha begins, what it
    says of the candidates (`architecture_weights`), and by which gradient it is learned (`gradients`).
    """

    learns = True
    initial = (0.0, 1e-3)
    """Mean and standard deviation of the normal distribution that alpha is drawn from."""

    def __init__(
        self, settings: ArchitectureSettings, space: Space, region: Region, generator: torch.Generator
    ) -> None:
        super().__init__(settings, space, region, generator)
        mean, deviation = self.initial
        self.alpha = nn.ParameterDict(
            {
                choice: nn.Parameter(mean + deviation * torch.randn(len(allowed), generator=generator))
                for choice, allowed in region.allowed.items()
            }
        )
        self._optimizer: torch.optim.Adam | None = None

    @property
    def optimizer(self) -> torch.optim.Adam:
        """Adam over alpha, made at first use so that it holds the parameters where the node then lives."""
        if self._optimizer is None:
            self._optimizer = Adam(
                self.alpha.parameters(),
                lr=self.settings.architecture_learning_rate,
                betas=self.settings.architecture_betas,
                weight_decay=self.settings.architecture_weight_decay,
            )
        return self._optimizer

    @classmethod
    def architecture_steps(cls, settings: ArchitectureSettings, epochs: int, steps: int) -> int:
        return max(0, epochs - settings.architecture_after) * -(-steps // settings.architecture_every)

    def learns_at(self, epoch: int, step: int) -> bool:
        settings: ArchitectureSettings = self.settings
        return epoch >= settings.architecture_after and step % settings.architecture_every == 0

    @abstractmethod
    def mixture(self, context: StepContext) -> Gates:
        """What one step runs, differentiable in alpha. Equal contexts give equal gates."""

    def gates(self, context: StepContext) -> Gates:
        with torch.no_grad():
            return self.mixture(context)

    def architecture_weights(self) -> dict[str, Tensor]:
        """The softmax over the allowed candidates."""
        return {choice: alpha.softmax(dim=0) for choice, alpha in self.alpha.items()}

    def gradients(self, validation: ValidationLoss, context: StepContext) -> Sequence[Tensor]:
        """That of the held-out loss by each alpha; the weights' gradients are not even computed."""
        loss = validation.loss(self.mixture(context))
        return torch.autograd.grad(loss, list(self.alpha.values()), materialize_grads=True)

    def learn(self, validation: ValidationLoss, context: StepContext) -> None:
        """One Adam step on alpha."""
        self.move(self.gradients(validation, context))

    def move(self, gradients: Sequence[Tensor]) -> None:
        """Adam's step for gradients by each alpha, in order, and away from what costs more than a space's limits."""
        for alpha, gradient, away in zip(self.alpha.values(), gradients, self._away(), strict=True):
            alpha.grad = gradient if away is None else gradient + away
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _away(self) -> Sequence[Tensor | None]:
        """By each alpha the gradient of what being above the limits adds to the loss; None where that is nothing."""
        excess = self.space.excess(self.region, self.architecture_weights()) if self.limit_penalty else None
        if excess is None:
            return [None] * len(self.alpha)
        return torch.autograd.grad(self.limit_penalty * excess, list(self.alpha.values()), materialize_grads=True)

    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        """The strongest allowed candidate of each choice."""
        with torch.no_grad():
            return self.space.derive(self.region, self.architecture_weights())

    def inherit(self, parent: Mapping[str, Tensor], parent_region: Region) -> None:
        """Alpha of the candidates that are still allowed."""
        with torch.no_grad():
            for choice, allowed in self.region.allowed.items():
                before = parent_region.allowed[choice]
                kept = [before.index(candidate) for candidate in allowed]
                self.alpha[choice].copy_(parent[f"alpha.{choice}"][kept])

    def get_extra_state(self) -> dict[str, Any]:
        """Adam's moments, by choice."""
        if self._optimizer is None:
            return {}
        return {
            choice: dict(self._optimizer.state[alpha])
            for choice, alpha in self.alpha.items()
            if alpha in self._optimizer.state
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Copies of them, since the parent goes on with its own."""
        for choice, moments in state.items():
            alpha = self.alpha[choice]
            # Adam keeps its count of steps on the CPU and its moments with the parameter.
            self.optimizer.state[alpha] = {
                name: moment.to(alpha.device if moment.dim() else "cpu", copy=True) for name, moment in moments.items()
            }
