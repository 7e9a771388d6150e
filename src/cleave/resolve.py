"""From what a recipe says to what will run: what was left open is filled in, contradictions are named."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from cleave.bench.table import imported
from cleave.config import checked
from cleave.data.sources import SOURCES
from cleave.errors import UserError, plain, shown
from cleave.files import refuse_pipe
from cleave.method import METHODS
from cleave.method.rsps import sampler_of
from cleave.places import absolute
from cleave.resolve_split import differs, resolve_split
from cleave.search.beginning import resolve_begin
from cleave.search.hooks import HOOKS
from cleave.search.hooks.weight_steps import refused
from cleave.search.latency import goes_by_latency, resolve_latency
from cleave.search.retraining import naming, resolve_retraining
from cleave.search.rungs import rungs_filled
from cleave.search.schedule import uses_warmup, warmup_matters
from cleave.search.work import nodes_at
from cleave.settings import (
    AnySpace,
    ImageSettings,
    LimitSettings,
    Recipe,
    SearchSettings,
    SelectionSettings,
    Settings,
    SplitSettings,
)
from cleave.space import Space, find_space
from cleave.split.splitters import SPLITTERS

CALIBRATION_IMAGES = 2000
"""Training images on which the mean statistics of an architecture are measured (Cai et al., "Once-for-All", 2020)."""

FORGETTING = [(5, 0.9), (10, 0.1)]
"""Batches and their share in a moving average, as NNCF forgets the statistics of other networks."""


def resolve(recipe: Recipe, space: Space) -> tuple[Recipe, list[str]]:
    """The recipe with nothing left open, and a note for each key that was given without having a meaning.

    A resolved recipe has an answer for every key that was null, but for those that mean "none". UserError names what
    contradicts.
    """
    check_choices(space)
    begun, told = resolve_begin(recipe, space)
    recipe = recipe.model_copy(update=begun)
    check_splitter(recipe, space)
    split, notes = resolve_split(SPLITTERS[recipe.split.splitter].resolved(recipe, space), space)
    notes += meaningless_elsewhere(recipe, split)
    check_schedule(recipe)
    check_method(recipe, space)
    if recipe.limits.space:
        check_limits(recipe, space)
    search, some = resolve_statistics(recipe, space)
    device = resolve_device(recipe.device)
    selection, more = resolve_selection(recipe.model_copy(update={"split": split}), space, device)
    changes = {
        "split": split,
        "search": search,
        "selection": selection,
        "method": METHODS[recipe.method.name].resolved(recipe.method, recipe.search.epochs),
        "data": recipe.data.model_copy(update=resolve_data(recipe.data)),
        "device": device,
        "benchmark": resolve_benchmark(recipe.benchmark, space),
        "latency": resolve_latency(recipe),
    }
    return recipe.model_copy(update=changes), [*told, *notes, *some, *more]


def check_choices(space: Space) -> None:
    """UserError where there is nothing to search."""
    if not space.choices:
        raise UserError(f"space.name={space.name}: has one architecture, so there is nothing to search; train it")


def check_splitter(recipe: Recipe, space: Space) -> None:
    """What the splitter needs must be there."""
    name, method = recipe.split.splitter, METHODS[recipe.method.name]
    kind = SPLITTERS[name]
    if kind.single and (method.alone or method.learns or not method.single_path):
        raise UserError(
            f"split.splitter={name}: with method.name={recipe.method.name} it is not single architectures that train "
            "shared weights; use method.name=rsps"
        )
    if reason := kind.refuses(recipe, space):
        raise UserError(f"split.splitter={name}: {reason}")


def meaningless_elsewhere(recipe: Recipe, split: SplitSettings) -> list[str]:
    """A note for each key outside the splitter's own that was given without having a meaning."""
    notes = []
    if recipe.search.anneal == "path" and not (split.splits and split.restart):
        notes.append("search.anneal=path has no meaning without a restart after splits; it is not used")
    name = recipe.method.name
    method = METHODS[name]
    if method.alone and split.splits and not split.restart:
        notes.append(f"split.restart=false has no meaning with method.name={name}: nothing is shared; it is not used")
    if method.own_rates:
        given = {"search.anneal": recipe.search.anneal == "path"}
        given["split.warmup_learning_rate"] = split.warmup_learning_rate is not None
        why = f"has no meaning with method.name={name}, whose phases have learning rates of their own; it is not used"
        notes += [f"{key} {why}" for key, is_given in given.items() if is_given]
    notes += meaningless_warmup(recipe.model_copy(update={"split": split}), method.alone)
    notes += meaningless_limits(recipe.limits, method.learns)
    if recipe.latency is not None and not goes_by_latency(recipe):
        notes.append("latency has no meaning where nothing goes by milliseconds; it is not used")
    keys = [key for key in method.meaningless(recipe.method) if differs(recipe.method, key)]
    notes += [f"method.{key} has no meaning beside the other keys of the method; it is not used" for key in keys]
    for hook in recipe.search.hooks:
        keys = [key for key in HOOKS[hook].meaningless if differs(recipe.method, key)]
        notes += [f"method.{key} has no meaning with search.hooks={hook}; it is not used" for key in keys]
    if split.enable == "own" and method.single_path and "enable" not in SPLITTERS[split.splitter].meaningless:
        notes.append(f"split.enable=own has no meaning with method.name={name}: every weight is 1; it is not used")
    return notes


def meaningless_limits(limits: LimitSettings, learns: bool) -> list[str]:
    """A note for each key of the limits that was given without having a meaning."""
    given = [key for key in ("penalty", "space", "image_size") if differs(limits, key)]
    if not limits.given:
        return [
            f"limits.{key} has no meaning without limits.macs, limits.params or limits.latency; it is not used"
            for key in given
        ]
    if "penalty" in given and not learns:
        return ["limits.penalty has no meaning with a method that learns no weights of candidates; it is not used"]
    return []


class LimitSections(Settings):
    """What limits say in a section of its own, to be checked."""

    space: AnySpace


def check_limits(recipe: Recipe, space: Space) -> None:
    """The size at which costs are counted is one of the same choices."""
    with naming("limits."):
        sections = checked(LimitSections, {"space": {**recipe.space.model_dump(), **recipe.limits.space}})
    if find_space(sections.space).choices != space.choices:
        raise UserError("limits.space: has other choices than the search; give sizes only, such as channels")


def meaningless_warmup(recipe: Recipe, alone: bool) -> list[str]:
    """The same for keys of warm-ups. Without splits there are only those with a learning rate of their own."""
    split = recipe.split
    if differs(split, "warmup_epochs") and not uses_warmup(recipe):
        return [f"split.warmup_epochs has no meaning with split.splitter={split.splitter}; it is not used"]
    if split.warmup_learning_rate and (alone or (split.splits and not warmup_matters(recipe))):
        return ["split.warmup_learning_rate has no meaning where nothing warms up; it is not used"]
    return []


def check_schedule(recipe: Recipe) -> None:
    """What falls over a search must not end above where it begins; what begins later, not after the last epoch."""
    if recipe.search.anneal == "path" and recipe.split.warmup_learning_rate:
        raise UserError("search.anneal=path: is of one cosine; leave it out with split.warmup_learning_rate")
    check_cycles(recipe)
    method = recipe.method.model_dump()
    for key in ("learning_rate", "temperature"):
        if key in method and (lowest := method[f"{key}_min"]) > (highest := method[key]):
            raise UserError(f"method.{key}_min={lowest}: is above method.{key}={highest}; swap them")
    for key in ("learning_rate_warmup", "architecture_after"):
        begins, epochs = getattr(recipe.method, key, 0), recipe.search.epochs
        if begins and begins >= epochs:
            raise UserError(f"method.{key}={begins}: must be below search.epochs={epochs}")


def check_cycles(recipe: Recipe) -> None:
    """Several cosines share a leaf's epochs alike, and nothing else may say how it anneals."""
    search, split, method = recipe.search, recipe.split, METHODS[recipe.method.name]
    splits = SPLITTERS[split.splitter].splits if split.splits is None else split.splits
    if search.cycles == 1:
        return
    if search.epochs % search.cycles:
        raise UserError(f"search.cycles={search.cycles}: has to divide search.epochs={search.epochs}")
    if search.snapshots > search.cycles:
        raise UserError(f"search.snapshots={search.snapshots}: only {search.cycles} epochs end one of search.cycles")
    if method.alone:
        raise UserError(f"search.cycles: method.name={recipe.method.name} shares no weights; leave it out")
    others = {
        "search.anneal=path": search.anneal == "path",
        "split.restart=false": splits > 0 and not split.restart,
        "search.hooks=complexity-rate": "complexity-rate" in search.hooks,
        f"method.name={recipe.method.name}": method.own_rates,
    }
    for words, given in others.items():
        if given:
            raise UserError(f"search.cycles={search.cycles}: {words} anneals otherwise; leave one of them out")
    rise, cycle = recipe.method.learning_rate_warmup, search.epochs // search.cycles
    if rise >= cycle:
        raise UserError(f"method.learning_rate_warmup={rise}: must be below the {cycle} epochs of a cycle")


def check_method(recipe: Recipe, space: Space) -> None:
    """What the method needs must be there; a single path, another network in every step, would be compiled anew."""
    name = recipe.method.name
    method = METHODS[name]
    if recipe.compile and method.single_path:
        raise UserError(f"compile=true: method.name={name} runs another path in every step; leave compile out")
    if reason := method.refuses(recipe.method, space):
        raise UserError(f"method.name={name}: {reason}; use another method or space than {space.name}")
    sampler, kind = sampler_of(method, recipe.method)
    if reason := kind.refuses(space):
        raise UserError(f"method.sampler={sampler}: {reason}; use another sampler")
    if reason := refused(recipe, space):
        raise UserError(reason)


def resolve_statistics(recipe: Recipe, space: Space) -> tuple[SearchSettings, list[str]]:
    """By which statistics architectures are judged, and a note for each key that says nothing of these."""
    search = recipe.search
    kind = search.statistics or METHODS[recipe.method.name].statistics or space.statistics
    meant = {
        "calibration_images": search.calibration_images or CALIBRATION_IMAGES if kind == "mean" else None,
        "forgetting": search.forgetting or FORGETTING if kind == "forgetting" else None,
    }
    none = [key for key in meant if meant[key] is None and differs(search, key)]
    if kind == "batch" and differs(search, "calibration_batch_size"):
        none.append("calibration_batch_size")
    notes = [f"search.{key} has no meaning with search.statistics={kind}; it is not used" for key in none]
    return search.model_copy(update={"statistics": kind, **meant}), notes


def resolve_selection(recipe: Recipe, space: Space, device: str) -> tuple[SelectionSettings, list[str]]:
    """How leaves are chosen, and a note for each key without a meaning; the recipe's split is resolved."""
    selection, name = recipe.selection, recipe.method.name
    if selection.by_mixture and METHODS[name].alone:
        raise UserError(
            f"selection.by={selection.by}: method.name={name} trains no supernet; use selection.by=accuracy"
        )
    if selection.retrains:
        check_schedule_of_halving(selection.schedule or [], nodes_at(recipe, space, recipe.split.splits or 0))
        return resolve_retraining(recipe, space, device), []
    given = [key for key in ("schedule", "recipe", "training", "space") if getattr(selection, key)]
    return selection, [
        f"selection.{key} has no meaning with selection.by={selection.by}; it is not used" for key in given
    ]


def check_schedule_of_halving(schedule: list[int], leaves: int) -> None:
    """Rungs must grow, and the last one must have two networks to choose from.

    A single leaf is trained in every rung: then nothing is chosen, and what it reaches is told.
    """
    example = "selection.schedule=[30, 100, 600]"
    if not schedule:
        raise UserError(f"selection.by=halving needs the epochs after which the worse half is dropped, as in {example}")
    if any(later <= sooner for sooner, later in pairwise(schedule)):
        raise UserError(
            f"selection.schedule={schedule}: every rung must be longer than the one before, as in {example}"
        )
    if (fills := rungs_filled(leaves)) < len(schedule) and leaves > 1:
        raise UserError(
            f"selection.schedule={schedule}: has {len(schedule)} rungs, but {leaves} leaves fill {fills}, as each "
            "rung drops half of them; list fewer, or split more"
        )


def resolve_data(data: ImageSettings) -> dict[str, Any]:
    """What stands for the images in a resolved recipe; the usual limit does not hold where a fraction is asked for."""
    name, root = resolve_images(data.name, data.root)
    limit = None if data.fraction is not None and "limit" not in data.model_fields_set else data.limit
    return {"name": name, "root": root, "limit": limit}


def resolve_images(name: str, root: str | None) -> tuple[str, str | None]:
    """(name, root) with folders as absolute paths, so that a run can be resumed from anywhere."""
    root = root or os.environ.get("CLEAVE_DATA")
    named = plain(name) in map(plain, SOURCES) and Path(name).name == name  # comes before a folder of that name
    if not named and os.path.isdir(name):  # Path.is_dir raises for what cannot be the name of a folder
        name = absolute(name)
    return name, absolute(root) if root else None


def resolve_device(device: str, here: bool = True) -> str:
    """ "auto" as the device that is there. `here`: whether another one has to be there too."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device: {shown(device)} is not a device; use auto, cpu, cuda or cuda:N") from error
    if here and wanted.type == "cuda" and (wanted.index or 0) >= (count := torch.cuda.device_count()):
        raise UserError(f"device={device}: torch finds {count} CUDA devices on this machine; use device=cpu")
    if wanted.type not in ("cpu", "cuda"):
        raise UserError(f"device: {shown(device)} is not supported; use auto, cpu, cuda or cuda:N")
    return device


def resolve_benchmark(benchmark: str | None, space: Space) -> str | None:
    """The table's absolute path: the given one, else the imported one where there is one for this space."""
    if benchmark is not None and not space.tabulated:
        raise UserError(f"benchmark={shown(benchmark)}: {space.name} has no table of trained accuracies; leave it out")
    if benchmark is not None:
        refuse_pipe("benchmark", Path(benchmark))
        return absolute(benchmark)
    there = imported() if space.tabulated else None
    return None if there is None else str(there)
