"""ProxylessNAS (Cai et al., 2019): weights by single sampled paths, alpha by gates that are 0 or 1.

Facts that the paper leaves open are those of its released code: Adam without momentum and without decay, an
architecture step every fifth weight step and none in the first epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot as one_hot_rows

from cleave.errors import UserError
from cleave.method.architecture import ArchitectureMethod, ArchitectureSettings
from cleave.method.base import StepContext, method
from cleave.method.penalty import LEAST, UNITS, add_linear, expected, mul_log
from cleave.method.validation import ValidationLoss
from cleave.net import Gate, Gates, one_hot
from cleave.settings import MOST, Beta, NotNegative, Positive
from cleave.space import Arch
from cleave.space.expected import ExpectedCosts


class ProxylessSettings(ArchitectureSettings):
    """ProxylessNAS: binary gates."""

    name: Literal["proxyless"] = "proxyless"
    weight_decay: Annotated[float, Field(ge=0)] = 4e-5
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    architecture_betas: tuple[Beta, Beta] = (0.0, 0.999)
    architecture_weight_decay: Annotated[float, Field(ge=0)] = 0.0
    architecture_every: Positive = 5
    # null: 1, or 0 where there is no second epoch
    architecture_after: NotNegative | None = None  # type: ignore[assignment]  # a number once it is resolved
    # What an architecture step compares. two: two drawn candidates of each choice. full: all of them. reinforce:
    # whole architectures, by their accuracy on a held-out batch.
    step: Literal["two", "full", "reinforce"] = "two"
    networks: Positive = 10  # architectures in a step of reinforce
    baseline: Annotated[float, Field(gt=0, le=1)] = 0.01  # share of a step's mean reward in the moving mean
    # Whether a choice learns nothing from a step in which its candidate that computes nothing runs. The released code
    # does so, which is against such candidates.
    skip_zero: bool = False
    # Added to the loss for what architectures are expected to cost. mul#log: loss times
    # scale * (log cost / log reference) ** exponent. add#linear: loss plus share * (cost - reference) / reference.
    penalty: Literal["mul#log", "add#linear"] | None = None
    penalty_on: Literal["multiply_adds", "parameters", "milliseconds"] = "multiply_adds"  # the last by `latency`
    reference: Positive | Annotated[float, Field(gt=0, le=MOST)] | None = None  # the cost aimed at
    penalty_scale: Annotated[float, Field(gt=0)] = 0.2
    # Of mul#log, and of the reward of reinforce, which is accuracy * (reference / cost) ** exponent; null: 0.3 and 0.1.
    penalty_exponent: Annotated[float, Field(gt=0)] | None = None
    penalty_share: Annotated[float, Field(ge=0)] = 0.1


@method(ProxylessSettings, "proxylessnas")
class Proxyless(ArchitectureMethod):
    """A weight step runs one candidate of each choice, drawn by its probability."""

    single_path = True
    baseline: Tensor

    def __init__(self, *args: Any) -> None:  # noqa: ANN401  as of the class above
        super().__init__(*args)
        self.register_buffer("baseline", torch.zeros(2, dtype=torch.float64))  # mean reward, steps that are in it

    @classmethod
    def figures(cls, settings: ProxylessSettings) -> set[str]:
        return {settings.penalty_on} if settings.reference else set()

    @classmethod
    def meaningless(cls, settings: ProxylessSettings) -> set[str]:
        by_policy, found = settings.step == "reinforce", set[str]()
        found |= {"skip_zero"} if by_policy else {"networks", "baseline"}
        found |= set() if settings.reference else {"penalty_on", "penalty_exponent"}
        found |= set() if settings.penalty == "mul#log" else {"penalty_scale"}
        found |= set() if settings.penalty == "add#linear" else {"penalty_share"}
        return found | ({"penalty_exponent"} if settings.penalty == "add#linear" else set())

    @classmethod
    def resolved(cls, settings: ProxylessSettings, epochs: int) -> ProxylessSettings:
        if (settings.penalty is None) != (settings.reference is None) and settings.step != "reinforce":
            raise UserError("method.penalty and method.reference: give both or neither")
        if settings.penalty and settings.step == "reinforce":
            raise UserError("method.penalty: reinforce rewards low costs by method.reference; leave method.penalty out")
        unit = UNITS[settings.penalty_on]
        if settings.penalty == "mul#log" and (settings.reference or 0) < LEAST * unit:
            of = "milliseconds" if unit == 1 else "millions"
            raise UserError(
                f"method.reference={settings.reference}: mul#log compares logarithms of {of}, which are not "
                f"positive below {LEAST} {of.removesuffix('s')}; use method.penalty=add#linear"
            )
        after = min(1, epochs - 1) if settings.architecture_after is None else settings.architecture_after
        return settings.model_copy(update={"architecture_after": after})

    @staticmethod
    def passes_each(settings: ProxylessSettings) -> int:
        return settings.networks if settings.step == "reinforce" else 1

    def mixture(self, context: StepContext) -> Gates:
        """Two drawn candidates of each choice or all of them, of which one runs; differentiable in alpha."""
        drawing = self._pair if self.settings.step == "two" else self._all
        return {choice: drawing(choice, context) for choice in self.alpha}

    def gates(self, context: StepContext) -> Gates:
        """A path, each candidate drawn by its probability."""
        return one_hot(self._drawn_arch(context))

    def learn(self, validation: ValidationLoss, context: StepContext) -> None:
        if self.settings.step == "reinforce":
            self.move(self._policy_gradients(validation, context))
        else:
            self._compare(validation, context)

    def _compare(self, validation: ValidationLoss, context: StepContext) -> None:
        """A step by binary gates."""
        drawn, before = self.mixture(context), {name: alpha.detach().clone() for name, alpha in self.alpha.items()}
        loss = self._penalised(validation.loss(drawn))
        if not loss.isfinite():  # else nothing could be drawn any more
            raise UserError(f"the held-out loss is {loss.item()}; try a smaller method.learning_rate or method.clip")
        self.move(torch.autograd.grad(loss, list(self.alpha.values()), materialize_grads=True))
        if self.settings.step == "two":
            for choice, gate in drawn.items():
                self._rescale(choice, gate.active, before[choice])

    def _penalised(self, loss: Tensor) -> Tensor:
        settings: ProxylessSettings = self.settings
        if settings.penalty is None:
            return loss
        assert settings.reference is not None, "the recipe was resolved"
        cost = self.expected_cost(self.architecture_weights())[0]
        if settings.penalty == "add#linear":
            return add_linear(loss, cost, settings.reference, settings.penalty_share)
        exponent, unit = settings.penalty_exponent or 0.3, UNITS[settings.penalty_on]
        return mul_log(loss, cost, settings.reference, settings.penalty_scale, exponent, unit)

    @cached_property
    def expected_cost(self) -> ExpectedCosts:
        """By the probabilities of candidates, of what is penalised."""
        return expected(self.costs, self.space, self.region, self.settings.penalty_on)

    def _rescale(self, choice: str, pair: Sequence[str], before: Tensor) -> None:
        """The two that were compared keep their sum of probabilities, so that those of all others stay."""
        alpha, numbers = self.alpha[choice], [self._allowed(choice).index(name) for name in pair]
        with torch.no_grad():
            alpha[numbers] -= alpha[numbers].logsumexp(dim=0) - before[numbers].logsumexp(dim=0)

    def _policy_gradients(self, validation: ValidationLoss, context: StepContext) -> list[Tensor]:
        """Of minus the expected reward, by REINFORCE with a moving mean as baseline."""
        archs = [self._drawn_arch(context) for _ in range(self.settings.networks)]
        rewards = torch.tensor([self._reward(arch, validation) for arch in archs], dtype=torch.float64)
        (before, steps), mean = self.baseline.tolist(), rewards.mean().item()
        baseline = before + self.settings.baseline * (mean - before) if steps else mean
        self.baseline.copy_(torch.tensor([baseline, steps + 1], dtype=torch.float64))
        return [self._policy_gradient(choice, archs, rewards - baseline) for choice in self.alpha]

    def _reward(self, arch: Arch, validation: ValidationLoss) -> float:
        """The share of images that is right, times (reference / cost) ** exponent where there is a reference."""
        right, reference = validation.accuracy(one_hot(arch)), self.settings.reference
        if reference is None:
            return right
        cost: float = getattr(self.costs.of(arch), self.settings.penalty_on)
        exponent: float = self.settings.penalty_exponent or 0.1
        return right * float((reference / cost) ** exponent)

    def _policy_gradient(self, choice: str, archs: Sequence[Arch], advantages: Tensor) -> Tensor:
        """The mean of advantage times the gradient of -log probability of what was drawn."""
        alpha = self.alpha[choice].detach()
        drawn = torch.tensor([self._allowed(choice).index(arch[choice]) for arch in archs])
        chosen = one_hot_rows(drawn, len(alpha)).to(alpha)
        gradients: Tensor = advantages.to(alpha)[:, None] * (alpha.softmax(dim=0) - chosen)
        return gradients.mean(dim=0)

    def _allowed(self, choice: str) -> Sequence[str]:
        return self.region.allowed[choice]

    def _drawn_arch(self, context: StepContext) -> Arch:
        """Each candidate by its probability."""
        drawn = {choice: self._drawn(alpha, 1, context) for choice, alpha in self.alpha.items()}
        return {choice: self._allowed(choice)[number] for choice, (number,) in drawn.items()}

    def _drawn(self, logits: Tensor, count: int, context: StepContext) -> list[int]:
        """Numbers of candidates, without replacement; on the CPU, so that every device draws the same."""
        shares = logits.detach().cpu().double().softmax(dim=0)
        drawn: list[int] = shares.multinomial(min(count, len(shares)), generator=context.generator).tolist()
        return drawn

    def _pair(self, choice: str, context: StepContext) -> Gate:
        return self._binary(choice, self._drawn(self.alpha[choice], 2, context), context)

    def _all(self, choice: str, context: StepContext) -> Gate:
        return self._binary(choice, list(range(len(self.alpha[choice]))), context)

    def _binary(self, choice: str, among: Sequence[int], context: StepContext) -> Gate:
        """A gate of 1 for one of them, drawn by their softmax, and of 0 for the others.

        Backwards it is the softmax: a gate's gradient is the sum of its candidate's output times the gradient there
        (Cai et al., equation 4).
        """
        names = tuple(self._allowed(choice)[number] for number in among)
        if len(names) == 1:
            return Gate(names)
        logits = self.alpha[choice][list(among)]
        (active,) = self._drawn(logits, 1, context)
        if self.settings.skip_zero and self._computes_nothing(names[active]):
            return Gate((names[active],))
        soft = logits.softmax(dim=0)
        hard = torch.zeros_like(soft)
        hard[active] = 1
        return Gate(names, hard + (soft - soft.detach()), frozenset(names) - {names[active]})

    def _computes_nothing(self, candidate: str) -> bool:
        known = self.space.layout(self.space.paper_size, 3).known
        return known.is_zero(candidate) or known.is_identity(candidate)
