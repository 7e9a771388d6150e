"""What a finished search found, for Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleave.errors import UserError
from cleave.run.folder import TREE
from cleave.run.outcome import check_written
from cleave.run.reading import read_file
from cleave.run.view import newest_saved, view

if TYPE_CHECKING:
    from cleave.net.chosen import ChosenNetwork


@dataclass(frozen=True)
class SearchResult:
    """A finished search; `run` is its folder.

    `arch` is the chosen architecture as its space writes it, `accuracy` and `balanced_accuracy` are in percent of the
    held-out images. `tree` has the nodes of tree.json, `leaves` those that were searched, `trust` how far to
    believe the choice, `cost` the passes that were counted, `guards` what they raised. `seconds`: wall time of all
    sessions.
    """

    run: Path
    arch: str
    accuracy: float
    balanced_accuracy: float
    seconds: float
    tree: Sequence[Mapping[str, Any]] = field(repr=False)
    leaves: Sequence[Mapping[str, Any]] = field(repr=False)
    trust: Mapping[str, Any] = field(repr=False)
    cost: Mapping[str, int] = field(repr=False)
    guards: Sequence[Mapping[str, str]] = field(repr=False)
    _told: Mapping[str, Any] = field(repr=False)

    def network(self, arch: str | None = None, leaf: str | None = None) -> ChosenNetwork:
        """The chosen architecture with its leaf's weights, or retrained where halving chose it, on the CPU.

        `arch`: another one of the space, as those of `cleave.front`, with the weights of the leaf that holds it.
        Images in, logits [n, classes] out; it normalises the images itself. UserError where no weights were kept, as by
        method.name=random, or no leaf holds `arch`.
        """
        from cleave.search.chosen import chosen_network, network_of

        return chosen_network(self.run) if arch is None else network_of(self.run, arch, leaf)

    def show(self) -> None:
        """Prints what `cleave show` prints: tree, leaves, network, how far to trust it."""
        from cleave.terminal import print_run

        print_run(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """What `cleave show --json` prints."""
        return deepcopy(dict(self._told))


def read_result(path: Path) -> SearchResult:
    """The result of a finished run; UserError where it is not finished, or not as it was written."""
    told = view(path)
    if told.get("status") == "unfinished":
        raise UserError(f"{path}: is not finished; go on with cleave.resume({str(path)!r})")
    check_written(path, newest_saved(path)["finished"], (TREE,))
    chosen = told["chosen"]
    return SearchResult(
        run=path,
        arch=chosen["arch"],
        accuracy=chosen["valid_accuracy"],
        balanced_accuracy=chosen["valid_balanced_accuracy"],
        seconds=told["seconds"],
        tree=json.loads(read_file(path / TREE)),
        leaves=told["leaves"],
        trust=told["trust"],
        cost=told["cost"],
        guards=told.get("guards", []),
        _told=told,
    )
