"""The network that a finished search chose, or another of it, as a plain module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleave.errors import UserError, shown
from cleave.net.chosen import ChosenNetwork, standalone
from cleave.retrain.supernet import Supernet
from cleave.retrain.trainer import used_weights
from cleave.run.folder import RunFiles
from cleave.run.origin import CHECKPOINTS, SEARCH, Origin, read_origin
from cleave.run.view import newest_saved
from cleave.search.halving import last_label
from cleave.search.retraining import retrained_size
from cleave.search.runner import recipe_of
from cleave.search.selection import chosen_leaf
from cleave.search.state import State
from cleave.settings import Recipe
from cleave.space import Arch, Space, find_space
from cleave.split import Node


def chosen_network(path: Path) -> ChosenNetwork:
    """That of a finished run, on the CPU: retrained where halving chose it, else with its leaf's weights.

    UserError where these are lost or were not kept.
    """
    run = Opened.of(path)
    leaf = chosen_leaf(run.recipe, run.state)
    assert leaf.result is not None
    arch = run.space.parse(leaf.result["arch"])
    return run.retrained(leaf, arch) if run.recipe.selection.retrains else run.shared(leaf, arch)


def network_of(path: Path, arch: str, leaf: str | None = None) -> ChosenNetwork:
    """An architecture with the weights of a leaf of a finished run, on the CPU: the first leaf that holds it, unless
    `leaf` names one. UserError where none holds it, or weights are lost or were not kept."""
    run = Opened.of(path)
    parsed = run.space.parse(arch)
    holders = [each for each in run.state.searched if parsed in each.region and leaf in (None, each.label)]
    if not holders:
        where = "no leaf" if leaf is None else f"leaf {leaf} does not exist, or"
        raise UserError(f"{path}: {where} holds the architecture {shown(arch)}")
    return run.shared(holders[0], parsed)


@dataclass(frozen=True)
class Opened:
    """What of a finished run its networks are made of."""

    path: Path
    origin: Origin
    recipe: Recipe
    state: State

    @staticmethod
    def of(path: Path) -> Opened:
        origin = read_origin(path, SEARCH)
        state = State.from_json(newest_saved(path)["search"], path / CHECKPOINTS)
        return Opened(path, origin, recipe_of(origin, {}), state)

    @property
    def space(self) -> Space:
        return find_space(self.recipe.space)

    def kept(self, label: str, leaf: Node) -> str:
        """The identity of saved weights."""
        if label not in self.state.kept:
            name = self.recipe.method.name
            raise UserError(f"{self.path}: method.name={name} keeps no weights; train {leaf.label}'s architecture")
        return self.state.kept[label]

    def taken(self) -> tuple[list[float], list[float], int]:
        """Mean and standard deviation of the images, and how many classes they have."""
        mean, std, classes = (self.origin.environment[key] for key in ("mean", "std", "classes"))
        return mean, std, classes

    def retrained(self, leaf: Node, arch: Arch) -> ChosenNetwork:
        """As halving left it."""
        label = last_label(self.recipe, self.state, leaf)
        record = RunFiles(self.path, self.origin.identity).leaf(label, self.kept(label, leaf))
        mean, std, classes = self.taken()
        layout = self.space.layout(retrained_size(self.recipe), len(mean))
        return standalone(layout, arch, classes, used_weights(record), mean, std)

    def shared(self, leaf: Node, arch: Arch) -> ChosenNetwork:
        """With the leaf's weights."""
        mean, std, _ = self.taken()
        supernet = Supernet(self.path, self.origin, leaf.label, leaf.region, self.kept(leaf.label, leaf))
        layout = self.space.layout(self.recipe.space.size, len(mean))
        return ChosenNetwork(supernet.network(layout), arch, mean, std)
