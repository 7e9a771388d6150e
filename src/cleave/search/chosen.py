"""The network that a finished search chose, as a plain module."""

from __future__ import annotations

from pathlib import Path

from cleave.errors import UserError
from cleave.net import build
from cleave.net.chosen import ChosenNetwork, standalone
from cleave.retrain.trainer import used_weights
from cleave.run.folder import RunFiles
from cleave.run.origin import CHECKPOINTS, SEARCH, read_origin
from cleave.run.view import newest_saved
from cleave.search.halving import last_label
from cleave.search.retraining import retrained_size
from cleave.search.runner import recipe_of
from cleave.search.selection import chosen_leaf
from cleave.search.state import State
from cleave.space import find_space


def chosen_network(path: Path) -> ChosenNetwork:
    """That of a finished run, on the CPU: retrained where halving chose it, else with its leaf's weights.

    UserError where these are lost or were not kept.
    """
    origin = read_origin(path, SEARCH)
    recipe, state = recipe_of(origin, {}), State.from_json(newest_saved(path)["search"], path / CHECKPOINTS)
    leaf, space = chosen_leaf(recipe, state), find_space(recipe.space)
    label = last_label(recipe, state, leaf) if recipe.selection.retrains else leaf.label
    if label not in state.kept:
        raise UserError(f"{path}: method.name={recipe.method.name} keeps no weights; train {leaf.label}'s architecture")
    record = RunFiles(path, origin.identity).leaf(label, state.kept[label])
    mean, std, classes = (origin.environment[key] for key in ("mean", "std", "classes"))
    assert leaf.result is not None
    arch = space.parse(leaf.result["arch"])
    if recipe.selection.retrains:
        layout = space.layout(retrained_size(recipe), len(mean))
        return standalone(layout, arch, classes, used_weights(record), mean, std)
    supernet = build(space.layout(recipe.space.size, len(mean)), leaf.region, classes, seed=0)
    supernet.load_state_dict(record.weights)
    return ChosenNetwork(supernet, arch, mean, std)
