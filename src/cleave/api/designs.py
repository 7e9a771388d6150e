"""From images to the best network, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleave.api.arguments import checked_callbacks, given_again, path_or_none
from cleave.api.reports import report
from cleave.design import runner
from cleave.design.settings import DesignRecipe
from cleave.engine.engine import PROCESS, engine_of
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.ray_resources import ResourcesLike
from cleave.engine.slurm_options import SlurmLike
from cleave.engine.stop import Stop
from cleave.given import DataLike, RecipeLike, images_from, once, recipe_from, without
from cleave.pages.runner import page_of
from cleave.run.mirror import run_at_hand
from cleave.run.origin import DESIGN, holds


def design(
    *,
    data: DataLike | None = None,
    time: float | str | None = None,
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    max_latency: float | str | None = None,
    init: str | None = None,
    out: str | Path | None = None,
    recipe: RecipeLike | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    engine: str = PROCESS,
    address: str | None = None,
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """The best network for images that this machine, `time` (seconds, or as in "15m") and the limits allow, exported.

    What is asked is as in `cleave design --help`; `settings`: other keys of it by dotted name, as in {"width": 0.5}.
    `data` as of `search`; images that are given as tensors have no test part, so that there is no verdict.
    `engine` and what belongs to it, as of `search`: who does all of it, and on whose machine it is measured; it opens
    the images itself, so that they have a name or are a folder.

    Returns what `cleave design --json` prints. UserError for a mistake in what was given; Interrupted, with everything
    saved, where it was asked to stop.
    """
    hands = engine_of(1, engine, address, slurm, resources)
    images, given = images_from(data)
    limits = {"limits.macs": max_macs, "limits.params": max_params, "limits.latency": max_latency}
    keys = {**images, **without({"time": time, **limits, "init": init, "seed": seed, "device": device})}
    once(keys, settings or {})
    asked = recipe_from(DesignRecipe, recipe, keys, settings or {})
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return with_page(runner.start(asked, path_or_none(out), callback, given, hands))


def resume_design(
    run: str | Path,
    *,
    data: DataLike | None = None,
    engine: str = PROCESS,
    address: str | None = None,
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Goes on with an interrupted design; a finished one is told again. `data`: again what was given as tensors.

    `engine` and what belongs to it: who does what is left; not necessarily who began.
    """
    hands = engine_of(1, engine, address, slurm, resources)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return with_page(runner.resume(run_at_hand(run), callback, given_again(data), hands))


def with_page(found: dict[str, Any]) -> dict[str, Any]:
    """An outcome with the place of its page, which is written unless it is there."""
    page = page_of(Path(found["run"]))
    if not page.exists():
        report(found["run"])
    return {**found, "page": str(page)}


def is_design(folder: Path) -> bool:
    """Whether a folder is that of a design, which `resume_design` goes on with."""
    return holds(folder, DESIGN)
