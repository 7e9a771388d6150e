"""One change from step to step (Xu et al., MAGIC-T, ICML 2022, arXiv 2108.12821): less interference between steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from cleave.errors import UserError
from cleave.method.base import StepContext
from cleave.method.samplers.base import Sampler, sampler
from cleave.space import Arch, Region
from cleave.space.changes import Changes


@sampler("one-change")
class OneChange(Sampler):
    """A walk: the first architecture is drawn uniformly, each other one differs from the one before in one choice.

    The choice is drawn uniformly among those that can change, then what it changes to; what is not valid is drawn
    again. So architectures with more neighbours are drawn more often.
    """

    arch: Arch | None = None
    """The last one."""

    def draw(self, context: StepContext) -> Arch:
        """Of the walk nothing is seen in a look: uniformly."""
        return self.space.sample(self.region, context.generator)

    def step(self, paths: int, context: StepContext) -> list[Arch]:
        return [self._next(context) for _ in range(paths)]

    def _next(self, context: StepContext) -> Arch:
        changes = self.changes
        self.arch = self.draw(context) if self.arch is None else changes.next(self.arch, context.generator)
        return self.arch

    @cached_property
    def changes(self) -> Changes:
        """UserError where the walk could not reach all of the region."""
        changes = Changes(self.space, self.region)
        if (reached := changes.reach) is not None and reached.found < reached.valid:
            raise UserError(
                f"method.sampler=one-change: one change at a time leads from one of the {reached.valid} valid "
                f"architectures of a region to {reached.found} only; use another sampler"
            )
        return changes

    def inherit(self, parent: Mapping[str, Any], parent_region: Region) -> None:
        self.set_extra_state(parent["_extra_state"])

    def get_extra_state(self) -> dict[str, Any]:
        return {} if self.arch is None else {"arch": dict(self.arch)}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Of a parent too, whose last architecture may be outside the region."""
        arch = state.get("arch")
        self.arch = arch if arch is not None and arch in self.region and self.space.valid(arch) else None
