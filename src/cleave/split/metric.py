"""Candidates are alike whose architectures have like figures (after Ly-Manson et al., 2024; the form is ours)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator
from torch import Tensor

from cleave.errors import UserError
from cleave.net import one_hot
from cleave.registry import Registry, known_name
from cleave.settings import Positive, SplitSettings
from cleave.space import Arch
from cleave.split.pairwise import ComparedNode, Pairwise, nearness
from cleave.split.splitters import SCORED, splitter

Figure = Callable[[ComparedNode, Arch, int], float]
"""Of an architecture in a node; the number is that of a mini-batch, for figures that need one."""


@dataclass(frozen=True)
class Metric:
    """A figure of an architecture; `passes`: whether it takes a pass, forward and backward, in the node's network."""

    figure: Figure
    passes: bool = False


METRICS: Registry[Metric] = Registry("split.metric")


def metric(name: str, *aliases: str, passes: bool = False) -> Callable[[Figure], Figure]:
    """Registers a figure under the name by which recipes refer to it.

    One that is not defined for an architecture raises NotImplementedError with the reason.
    """

    def register(figure: Figure) -> Figure:
        METRICS.register(name, Metric(figure, passes), *aliases)
        return figure

    return register


@metric("params", "parameters")
def parameters(node: ComparedNode, arch: Arch, number: int) -> float:
    """Trained alone, at the size of the search."""
    return node.costs().of(arch).parameters


@metric("macs", "multiply-adds", "flops")
def multiply_adds(node: ComparedNode, arch: Arch, number: int) -> float:
    """Of an image, at the size of the search."""
    return node.costs().of(arch).multiply_adds


@metric("gradient-norm", "grad-norm", passes=True)
def gradient_norm(node: ComparedNode, arch: Arch, number: int) -> float:
    """The lengths of the loss's gradients on convolutions and linear layers, added up (Abdelfattah et al., 2021)."""
    weights = [weight for weight in node.network.parameters() if weight.dim() > 1]
    gradients = torch.autograd.grad(node.probe(number).loss(one_hot(arch)), weights, materialize_grads=True)
    return float(torch.stack([gradient.double().norm() for gradient in gradients]).sum())


MetricName = Annotated[str, BeforeValidator(partial(known_name, "cleave.split.metric:METRICS"))]


class CompletionSettings(SplitSettings):
    """Splitting by figures of architectures."""

    completions: Positive = 16  # random architectures in which each candidate is tried; their figures are averaged


class MetricSettings(CompletionSettings):
    """The same by a figure of one's choice."""

    splitter: str = "metric"
    metric: MetricName = "params"  # params, macs, or gradient-norm, which takes a pass for each completion


@splitter("metric")
class MetricDistance(Pairwise):
    """By the difference of the mean figures, over the same random completions of the architecture."""

    settings_class = MetricSettings
    meaningless = SCORED
    what = "a metric"

    @classmethod
    def looks(cls, settings: Any) -> int:  # noqa: ANN401
        return int(settings.completions)

    @classmethod
    def passes(cls, settings: Any) -> int:  # noqa: ANN401
        return cls.looks(settings) if METRICS[settings.metric].passes else 0

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        name = node.settings.metric
        return nearness(mean_figures(f"split.metric={name}", METRICS[name].figure, node, choice, numbers))


def mean_figures(key: str, figure: Figure, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
    """The mean over completions with each candidate, [candidates, 1]; UserError, which names `key`, where a figure is
    not defined."""

    def one(candidate: str, number: int) -> float:
        try:
            return figure(node, {**node.completion(number), choice: candidate}, number)
        except NotImplementedError as error:
            raise UserError(f"{key}: is not defined with {candidate} at {choice}: {error}; use another") from error

    names = node.region.allowed[choice]
    rows = [[one(candidate, number) for candidate in names] for number in numbers]
    return torch.tensor(rows, dtype=torch.float64).mean(dim=0).unsqueeze(1)
