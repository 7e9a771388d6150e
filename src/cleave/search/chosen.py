"""The network that a finished search chose, as a plain module."""

from __future__ import annotations

from pathlib import Path

from cleave.errors import UserError
from cleave.net import build
from cleave.net.chosen import ChosenNetwork
from cleave.run.folder import RunFiles
from cleave.run.origin import CHECKPOINTS, SEARCH, read_origin
from cleave.run.view import newest_saved
from cleave.search.runner import recipe_of
from cleave.search.selection import chosen_leaf
from cleave.search.state import State
from cleave.space import find_space


def chosen_network(path: Path) -> ChosenNetwork:
    """That of a finished run, on the CPU; UserError where its weights are lost or were not kept."""
    origin = read_origin(path, SEARCH)
    recipe, state = recipe_of(origin, {}), State.from_json(newest_saved(path)["search"], path / CHECKPOINTS)
    leaf = chosen_leaf(recipe, state)
    if leaf.label not in state.kept:
        raise UserError(f"{path}: method.name={recipe.method.name} keeps no weights; train {leaf.label}'s architecture")
    record = RunFiles(path, origin.identity).leaf(leaf.label, state.kept[leaf.label])
    space = find_space(recipe.space)
    mean, std, classes = (origin.environment[key] for key in ("mean", "std", "classes"))
    supernet = build(space.layout(recipe.space.size, len(mean)), leaf.region, classes, seed=0)
    supernet.load_state_dict(record.weights)
    assert leaf.result is not None
    return ChosenNetwork(supernet, space.parse(leaf.result["arch"]), mean, std)
