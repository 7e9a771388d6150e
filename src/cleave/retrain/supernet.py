"""The weights that an architecture has in the supernet of a finished search, for a training to go on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cleave.data.augment import Normalise
from cleave.errors import UserError, shown
from cleave.kinds import of_kind
from cleave.net import Network, build
from cleave.retrain.settings import RetrainRecipe
from cleave.run.folder import RunFiles
from cleave.run.origin import SEARCH, Origin, differences, read_origin
from cleave.run.resumable import unfinished
from cleave.run.view import newest_saved, view
from cleave.settings import DataSettings, Recipe, SpaceSettings
from cleave.space import Arch, Layout, Region
from cleave.split.splitters import SPLITTERS


@dataclass(frozen=True)
class Supernet:
    """That of a leaf of a finished search. `weights`: the SHA-256 by which its run vouches for them."""

    run: Path
    origin: Origin
    leaf: str
    region: Region
    weights: str

    @property
    def identity(self) -> dict[str, str]:
        """What says which weights these are, wherever the search is."""
        return {"leaf": self.leaf, "weights": self.weights}

    @property
    def data(self) -> DataSettings:
        """The images of the search, and how they were cut."""
        return DataSettings.model_validate(self.origin.recipe["data"])

    @property
    def classes(self) -> int:
        classes: int = self.origin.environment["classes"]
        return classes

    @property
    def channels(self) -> int:
        """Of an image."""
        return len(self.origin.environment["mean"])

    def normalise(self, device: str) -> Normalise:
        """How it takes images."""
        told = self.origin.environment
        return Normalise(torch.tensor(told["mean"], device=device), torch.tensor(told["std"], device=device))

    def network(self, layout: Layout) -> Network:
        """It, on the CPU, by the layout of the space's networks; UserError where the weights are not what was put
        aside."""
        split = of_kind(Recipe, "split", self.origin.recipe["split"])
        searched = SPLITTERS[split.splitter].supernet(split, layout)
        found = build(searched, self.region, self.classes, seed=0)
        found.load_state_dict(RunFiles(self.run, self.origin.identity).leaf(self.leaf, self.weights).weights)
        return found

    def check_images(self, classes: Sequence[str], channels: int | None = None) -> None:
        """UserError where images have other classes or channels than those of the search."""
        if len(classes) != self.classes:
            raise UserError(
                f"begin.weights=supernet: {self.run} knows {self.classes} classes, and the images have {len(classes)}; "
                "give images of the same classes, or begin.weights=new"
            )
        if channels not in (None, self.channels):
            raise UserError(
                f"begin.weights=supernet: {self.run} takes images of {self.channels} channels, and these have "
                f"{channels}; give others, or begin.weights=new"
            )


def finished_search(path: Path) -> tuple[Origin, dict[str, Any]]:
    """What a search was begun as, and its outcome; UserError where it is not finished."""
    origin, result = read_origin(path, SEARCH), view(path)
    if result.get("status") == "unfinished":
        raise unfinished(path)
    return origin, result


def find_supernet(recipe: RetrainRecipe, arch: Arch) -> Supernet:
    """The one that a training of `arch` is to begin with; UserError where it has no weights of it, or of its size."""
    assert recipe.begin.run is not None
    run = Path(recipe.begin.run)
    origin, result = finished_search(run)
    kept = newest_saved(run)["search"]["kept"]
    regions = {leaf["path"]: region_of(leaf["region"]) for leaf in result["leaves"]}
    label = recipe.begin.leaf or result["chosen"]["path"]
    if not regions.keys() & kept.keys():
        name = origin.recipe["method"]["name"]
        raise UserError(f"{run}: method.name={name} shares no weights: there is no supernet; give begin.weights=new")
    if label not in regions:
        raise UserError(f"begin.leaf={label}: is no leaf of {run}; there are {', '.join(regions)}")
    refuse_size(run, origin.recipe["space"], recipe.space)
    if arch not in regions[label]:
        holders = [each for each, region in regions.items() if arch in region]
        hint = f"give --leaf {holders[0]}" if holders else "no leaf does: give begin.weights=new"
        raise UserError(f"architecture {shown(recipe.arch)}: leaf {label} of {run} does not hold it; {hint}")
    return Supernet(run, origin, label, regions[label], kept[label])


def region_of(told: dict[str, list[str]]) -> Region:
    """A region as results have it."""
    return Region({choice: tuple(candidates) for choice, candidates in told.items()})


def refuse_size(run: Path, searched: dict[str, Any], space: SpaceSettings) -> None:
    """UserError where the space, or a size of it, is not the supernet's."""
    odd = list(differences(searched, space.model_dump(mode="json"), "space."))
    if odd:
        raise UserError(
            f"{odd[0]} in the supernet of {run}, whose weights fit no other size: leave it as it is there, or give "
            "begin.weights=new"
        )
