"""Studies of weight sharing. What they alone need is loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cleave.api.arguments import checked_callbacks, path_or_none
from cleave.engine.engine import PROCESS, engine_of
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.ray_resources import ResourcesLike
from cleave.engine.slurm_options import SlurmLike
from cleave.engine.stop import Stop
from cleave.errors import UserError, shown
from cleave.extras import need_extra
from cleave.given import RecipeLike, SpaceLike, once, recipe_from, space_keys, without
from cleave.run.mirror import run_at_hand
from cleave.run.origin import STUDY, holds


def study(
    recipe: RecipeLike | None = None,
    *,
    budget: str | None = None,
    space: SpaceLike | None = None,
    data: str | Path | None = None,
    truth: str | Path | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    workers: int | None = 1,
    engine: str = PROCESS,
    address: str | None = None,
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Trains supernets under a policy of sharing and looks at all children again and again.

    `recipe`: a YAML file, a mapping, `StudyRecipe`, or a study of the paper by name, at a `budget` (None: small); None:
    the defaults. `truth`: accuracies of children trained alone. The others as of `search`. Returns what `cleave study
    --json` prints. Needs the extra `cleave-nas[study]`.
    """
    need_extra("study")
    from cleave.study.record import recipes
    from cleave.study.record.settings import StudyRecipe
    from cleave.study.runner import start

    chosen = engine_of(workers, engine, address, slurm, resources)
    if data is not None and not isinstance(data, str | Path):
        raise UserError(f"data: a study takes a name or a folder, not {shown(data)}")
    named = recipe if isinstance(recipe, str | Path) else None
    whole = recipes.raw(named, budget)
    read = whole if recipe is None or named is not None else recipe
    texts = {"data.name": data, "truth": truth}
    keys = {key: None if text is None else str(text) for key, text in texts.items()}
    keys = {**without({**keys, "seed": seed, "device": device}), **space_keys(space, chosen)}
    once(keys, settings or {})
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return start(recipe_from(StudyRecipe, read, keys, settings or {}), path_or_none(out), callback, chosen)


def resume_study(
    folder: str | Path,
    *,
    device: str | None = None,
    workers: int | None = 1,
    engine: str = PROCESS,
    address: str | None = None,
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    changed_extensions: bool = False,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Goes on with an interrupted study; a finished one is told again."""
    need_extra("study")
    from cleave.study.runner import resume

    chosen = engine_of(workers, engine, address, slurm, resources)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return resume(run_at_hand(folder), callback, chosen, device, changed_extensions)


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study, which `resume_study` goes on with."""
    return holds(folder, STUDY)
