"""A design as the one task of an executor: of a worker of Ray's, or of a job of SLURM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleave.data.images import Images
from cleave.design.settings import DesignRecipe
from cleave.design.whole import go_on
from cleave.engine.job import OnlyTask
from cleave.engine.progress import Callback, Callbacks
from cleave.engine.stop import Stop
from cleave.run.folder import RunFolder
from cleave.run.mirror import brought
from cleave.run.origin import DESIGN, read_origin


@dataclass(frozen=True)
class DesignJob:
    """A design in a run folder that is begun there, and locked by who hands this out. It measures where it is done.

    `said`: lines that need not be said again.
    """

    recipe: DesignRecipe
    run: Path
    said: Sequence[str]
    sizes = "data.limit or data.image_size"

    @property
    def threads(self) -> int:
        return self.recipe.threads or 1

    @property
    def device(self) -> str:
        return self.recipe.device

    @property
    def images(self) -> Iterable[Images]:
        """None: at which size they are taken is decided where the design is done, which opens them."""
        return ()

    def perform(self, task: OnlyTask, stop: Stop, callback: Callback) -> None:
        """Does what is left, and writes the outcome."""
        brought(self.run)
        folder = RunFolder(self.run, read_origin(self.run, DESIGN))
        go_on(folder, self.recipe, Callbacks([callback], stop), None, self.said)
