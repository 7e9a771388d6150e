"""The weights that the supernets of a search begin with, where these are not drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cleave.errors import UserError, brief
from cleave.extras import missing_of, need_extra
from cleave.method import METHODS
from cleave.places import absolute
from cleave.pretrained.mobilenetv3 import NAME, arch_in, fitted, has_classifier
from cleave.pretrained.opening import AUTO, KEY, NEW, TIMM, Pretrained, open_pretrained, timm_config
from cleave.pretrained.reading import cached
from cleave.run.folder import RunFolder
from cleave.run.generations import Record
from cleave.run.reading import Damaged
from cleave.search.problem import Problem
from cleave.settings import BeginSettings, Recipe
from cleave.space import Space
from cleave.space.ofa import OfaSettings

LABEL = "begin"
"""Of their copy among the weights that a run keeps."""


def resolve_begin(recipe: Recipe, space: Space) -> tuple[dict[str, Any], list[str]]:
    """The sections of a recipe that hang on the weights, resolved, and what is to be said.

    Weights are named in full, with how they know images; the space has their size, and images have three channels.
    UserError where there is no place for the weights, or they are not those of a network that there is a place for.
    """
    begin = recipe.begin
    if begin.weights == NEW:
        idle = [f"begin.{key}" for key in ("mean", "std") if getattr(begin, key) is not None]
        notes = [f"{key} has no meaning with {KEY}=new; it is not used" for key in idle]
        return {"begin": BeginSettings()}, notes
    refuse(recipe, space)
    assert isinstance(recipe.space, OfaSettings), f"what has a place for {NAME} has its sizes"
    sized, notes = fitted(recipe.space)
    begin, more = named_in_full(begin) if begin.weights != AUTO else at_hand(begin)
    data = recipe.data.model_copy(update={"channels": 3})
    return {"begin": begin, "space": sized, "data": data}, [*notes, *more]


def refuse(recipe: Recipe, space: Space) -> None:
    """UserError where no supernet could begin with timm's network."""
    asked, name = f"{KEY}={brief(recipe.begin.weights)}", recipe.method.name
    if space.pretrained != NAME:
        raise UserError(
            f"{asked}: {space.name} has no place for pretrained weights; leave it out, or use mobilenet-ofa"
        )
    if METHODS[name].alone:
        raise UserError(f"{asked}: method.name={name} trains no supernet; leave it out, or use another method")


def at_hand(begin: BeginSettings) -> tuple[BeginSettings, list[str]]:
    """timm's usual weights, if they are on this machine; else new ones."""
    usual = f"{TIMM}{NAME}"
    if not missing_of("train") and cached(timm_config(usual)):
        return named_in_full(begin.model_copy(update={"weights": usual}))
    return BeginSettings(), [
        f"{KEY}=auto: timm's {NAME} is in no cache on this machine; supernets begin with new weights"
    ]


def named_in_full(begin: BeginSettings) -> tuple[BeginSettings, list[str]]:
    """With timm's tag or an absolute path, and with how the weights know images; and a note where that is assumed."""
    need_extra("train", f"{KEY}={brief(begin.weights)}")
    of_timm = begin.weights.startswith(TIMM)
    config, notes = timm_config(begin.weights if of_timm else f"{TIMM}{NAME}"), list[str]()
    missing = {key: tuple(config[key]) for key in ("mean", "std") if getattr(begin, key) is None}
    if missing and not of_timm:
        keys = " and ".join(f"begin.{key}" for key in missing)
        notes.append(f"{keys}: ImageNet's; give them if the weights know images that were normalised otherwise")
    full = f"{TIMM}{NAME}.{config['tag']}" if of_timm else absolute(begin.weights)
    return begin.model_copy(update={"weights": full, **missing}), notes


def opened(problem: Problem, say: Callable[[str], None]) -> Problem:
    """The problem of a new search with the weights that its supernets begin with; UserError where they do not fit."""
    asked = problem.recipe.begin.weights
    if asked == NEW:
        return problem
    weights = open_pretrained(asked)
    say(f"supernets begin with {weights.source} (licence: {weights.licence})")
    if not has_classifier(weights.tensors, problem.classes):
        known = len(weights.tensors.get("classifier.weight", ()))
        say(f"the classifier is new: these weights know {known} classes, and the images have {problem.classes}")
    return replace(problem, begin=weights)


def begun(problem: Problem, folder: RunFolder) -> Problem:
    """The problem of a search in its folder, which keeps a copy of the weights: the file is needed once.

    UserError where there is no copy yet, and the file is another now.
    """
    asked = problem.recipe.begin.weights
    if asked == NEW:
        return problem
    told = folder.origin.environment[LABEL]
    try:
        copy = folder.own(LABEL)
    except Damaged:  # the search was ended before it was kept, or since then something else happened to it
        weights = problem.begin or open_pretrained(asked)
        if weights.sha256 != told["sha256"]:
            raise UserError(
                f"{KEY}: {asked} is not the file that {folder.path} was started with; put it back"
            ) from None
        folder.keep_leaf(LABEL, Record(dict(weights.tensors), {}, {}))
        return replace(problem, begin=weights)
    return replace(problem, begin=Pretrained(copy.weights, **told))


def begin_json(problem: Problem) -> Mapping[str, Any]:
    """What an outcome says of the weights that supernets began with, and which architecture has them; of drawn ones
    nothing."""
    if problem.begin is None:
        return {}
    arch = problem.space.format(arch_in(problem.space, problem.recipe.space.size))
    classifier = has_classifier(problem.begin.tensors, problem.classes)
    return {LABEL: {**problem.begin.told, "classifier": classifier, "arch": arch}}
