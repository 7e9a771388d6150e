"""How a search retrains networks, to choose among its leaves: by the same trainer as `cleave train`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cleave.config import Raw, checked
from cleave.errors import UserError, plain
from cleave.kinds import of_kind
from cleave.opening import augment_of
from cleave.places import expanded
from cleave.retrain.catalogue import SHORT, is_named, read_recipe
from cleave.retrain.retraining import Retraining, retrain_layout
from cleave.retrain.settings import RetrainRecipe, RetrainSettings, check_settings
from cleave.search.problem import Problem
from cleave.search.scope import Standalone
from cleave.settings import AnySpace, Recipe, SelectionSettings, Settings
from cleave.space import Layout, Space, find_space

SECTION = "selection.training"
"""Where a recipe says how networks are retrained."""


class RetrainSections(Settings):
    """What `selection` says in sections of its own, to be checked."""

    training: RetrainSettings
    space: AnySpace


def resolve_retraining(recipe: Recipe, space: Space, device: str) -> SelectionSettings:
    """With all keys by which networks are retrained: the recipe's, changed by those that were given.

    UserError for what `cleave train` would refuse, and for another space than the search's.
    """
    selection, name = recipe.selection, recipe.selection.recipe or SHORT
    base, last = base_recipe(recipe, name), (selection.schedule or [])[-1]
    if (epochs := selection.training.get("epochs", last)) != last:
        raise UserError(f"selection.training.epochs={epochs}: selection.schedule ends with {last}; leave this key out")
    given = {
        "training": {**base.get("training", {}), **selection.training, "epochs": last},
        "space": {**recipe.space.model_dump(), **base["space"], **selection.space},
    }
    with naming("selection."):
        sections = checked(RetrainSections, given)
    check_settings(sections.training, device, SECTION)
    if sections.training.teacher:
        raise UserError(f"{SECTION}.teacher: networks learn from a teacher in `cleave train` only; leave it out")
    if find_space(sections.space).choices != space.choices:
        raise UserError("selection.space: has other choices than the search; give sizes only, such as channels")
    settled = name if is_named(name) else str(expanded(name).absolute())
    return selection.model_copy(update={"recipe": settled, **sections.model_dump()})


def base_recipe(recipe: Recipe, name: str) -> Raw:
    """What a recipe of `cleave train` says; UserError where that would refuse it, or it is of another space."""
    with naming("selection."):
        base = read_recipe(name)
    searched, sizes = recipe.space.name, base.get("space", {})
    if isinstance(sizes, Mapping):
        base["space"] = {"name": searched, **sizes}
    with naming(f"selection.recipe={name}: "):
        begin = checked(RetrainRecipe, {**base, "arch": ""}).begin
    if begin.inherits:
        raise UserError(
            f"selection.recipe={name}: networks go on with weights of a supernet in `cleave train` only; use {SHORT}"
        )
    if plain(asked := base["space"]["name"]) != plain(searched):
        raise UserError(
            f"selection.recipe={name}: is of the space {asked}, and the search is in {searched}; use {SHORT}"
        )
    return base


@contextmanager
def naming(prefix: str) -> Iterator[None]:
    """Says in front of a refusal, which begins with a key, where that key is."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{prefix}{error}") from error


def retraining(problem: Problem, scope: Standalone, epochs: int) -> Retraining:
    """An architecture to be trained for so many epochs, on the search's training images, at the recipe's size."""
    settings = retrain_settings(problem.recipe).model_copy(update={"epochs": epochs})
    return replace(training_of(problem, scope, retraining_layout(problem), settings), section=SECTION)


def short_training(problem: Problem, scope: Standalone, epochs: int) -> Retraining:
    """The same by the recipe short of `cleave train` and at the search's size, whatever the recipe says of halving."""
    channels, _, side = problem.image
    settings = RetrainSettings.model_validate({**read_recipe(SHORT)["training"], "epochs": epochs})
    size, auxiliary, dropout = problem.recipe.space.size, settings.auxiliary, settings.dropout
    layout = retrain_layout(problem.space, size, (channels, side), auxiliary, dropout)
    return training_of(problem, scope, layout, settings)


def training_of(problem: Problem, scope: Standalone, layout: Layout, settings: RetrainSettings) -> Retraining:
    """An architecture to be trained on the search's training images."""
    return Retraining(
        scope.label,
        scope.arch,
        layout,
        settings,
        problem.train,
        augment_of(problem.recipe.data, problem.train.side),
        problem.normalise,
        problem.recipe.seed,
        problem.recipe.device,
        resample=problem.recipe.data.resample,
    )


def retrain_settings(recipe: Recipe) -> RetrainSettings:
    """Those of a resolved recipe."""
    return RetrainSettings.model_validate(recipe.selection.training)


def retraining_layout(problem: Problem) -> Layout:
    """What retrained networks look like; UserError where the recipe asks for a head that cannot be had."""
    size = retrained_size(problem.recipe)
    channels, _, side = problem.image
    with naming("selection."):
        settings = retrain_settings(problem.recipe)
        return retrain_layout(problem.space, size, (channels, side), settings.auxiliary, settings.dropout)


def retrained_size(recipe: Recipe) -> Any:  # noqa: ANN401  what the space's own `layout` takes
    """Of a resolved recipe."""
    return of_kind(Recipe, "space", recipe.selection.space).size


def retrain_steps(problem: Problem) -> int:
    """The steps of an epoch in which networks are retrained."""
    return -(-len(problem.train) // retrain_settings(problem.recipe).batch_size)
