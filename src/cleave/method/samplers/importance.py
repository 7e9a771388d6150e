"""Path importance sampling (Lu et al., PA&DA, CVPR 2023): candidates with larger gradients are drawn more often.

The data importance of the paper is not part of it: batches are drawn as ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cleave.method.base import StepContext
from cleave.method.samplers.base import Sampler, sampler
from cleave.net import Gates, Network, Place, places
from cleave.space import Arch, Region, Space
from cleave.space.weighted import Drawer


@sampler("importance")
class Importance(Sampler):
    """p = t g / sum(g) + (1 - t) / n for each of the n candidates of a choice; in epoch e of E, t = e / E.

    g is the mean length of the gradient of the weights that the candidate runs, in the last epoch in which it ran.
    Chances change between epochs, as in the released code, which has one p for all edges; here each choice has its own.
    A candidate without weights has g = 0, and is drawn by (1 - t) / n. An architecture's chance is in proportion to the
    product of p n over its choices, among those that are valid.
    """

    watches = True
    sums: Tensor
    counts: Tensor
    means: Tensor

    def __init__(self, space: Space, region: Region) -> None:
        super().__init__(space, region)
        self.numbers = {each: number for number, each in enumerate(candidates(region))}
        for name in ("sums", "counts", "means"):  # of lengths and of steps in this epoch; of lengths before it
            self.register_buffer(name, torch.zeros(len(self.numbers), dtype=torch.float64))
        self.epoch, self.share = -1, 0.0  # of the last step, and its t
        self._drawer: Drawer | None = None
        self._acting: Sequence[Place] = ()

    def draw(self, context: StepContext) -> Arch:
        if self._drawer is None:
            self._drawer = self.space.drawer(self.region, self.weights())
        return self._drawer(context.generator)

    def step(self, paths: int, context: StepContext) -> list[Arch]:
        if context.epoch != self.epoch:
            self._turn(context)
        return super().step(paths, context)

    def weights(self) -> dict[str, dict[str, float]]:
        """p n of every candidate, so that a choice that is left out counts as one whose candidates are alike."""
        means, found = self.means.tolist(), {}
        for choice, names in self.region.allowed.items():
            lengths = [means[self.numbers[choice, name]] for name in names]
            found[choice] = dict(zip(names, mixed(lengths, self.share), strict=True))
        return found

    def _turn(self, context: StepContext) -> None:
        """To another epoch: what the last one has measured counts from here on."""
        self.means = renewed(self.sums, self.counts, self.means)
        self.sums, self.counts = torch.zeros_like(self.sums), torch.zeros_like(self.counts)
        self.epoch, self.share = context.epoch, context.epoch / context.epochs if context.epochs else 0.0
        self._drawer = None

    def learn(self, network: Network, gates: Gates, gradients: Mapping[nn.Parameter, Tensor]) -> None:
        self._acting = self._acting or tuple(places(network).values())  # looked for once: a sampler has one network
        lengths = gradient_lengths(self._acting, gates, gradients)
        numbers = [self.numbers[choice, gates[choice].active[0]] for choice in lengths]
        self.sums[numbers] += torch.stack(list(lengths.values())).to(self.sums)
        self.counts[numbers] += 1

    def get_extra_state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "share": self.share}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.share, self._drawer = state["epoch"], state["share"], None

    def inherit(self, parent: Mapping[str, Tensor], parent_region: Region) -> None:
        """The means of candidates that are still allowed."""
        before = {each: number for number, each in enumerate(candidates(parent_region))}
        kept = [before[each] for each in self.numbers]
        self.means.copy_(renewed(parent["sums"], parent["counts"], parent["means"])[kept])


def renewed(sums: Tensor, counts: Tensor, before: Tensor) -> Tensor:
    """The means of what was measured, and those from before where nothing was."""
    return torch.where(counts > 0, sums / counts.clamp(min=1), before)


def candidates(region: Region) -> list[tuple[str, str]]:
    """(choice, candidate) of all, in the region's order."""
    return [(choice, name) for choice, names in region.allowed.items() for name in names]


def mixed(lengths: Sequence[float], share: float) -> list[float]:
    """t g / sum(g) + (1 - t) / n, times n; 1 for all where nothing is known of any."""
    total = sum(lengths)
    return [share * len(lengths) * each / total + (1 - share) if total else 1.0 for each in lengths]


def gradient_lengths(
    acting: Sequence[Place], gates: Gates, gradients: Mapping[nn.Parameter, Tensor]
) -> dict[str, Tensor]:
    """By choice that has a gate: the length of the gradient of all weights that its candidate runs."""
    squares: dict[str, list[Tensor]] = defaultdict(list)
    for place in acting:
        weights = {weight for module in place.used(gates) for weight in module.parameters() if weight in gradients}
        found = [gradients[weight].double().square().sum() for weight in place.parameters() if weight in weights]
        for choice in place.choices:
            squares[choice] += found
    zero = next(iter(gradients.values())).new_zeros((), dtype=torch.float64)
    return {choice: torch.stack([zero, *squares[choice]]).sum().sqrt() for choice in gates if gates[choice].active}
