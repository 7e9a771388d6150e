"""What a finished training gives, for Python: its figures, and the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleave.net.chosen import ChosenNetwork, standalone
from cleave.retrain.problem import LABEL
from cleave.retrain.recipes import recipe_of, trained_layout
from cleave.run.folder import RunFiles
from cleave.run.origin import TRAIN, holds, read_origin
from cleave.run.resumable import unfinished
from cleave.run.view import is_finished, newest_saved, view
from cleave.space import find_space


@dataclass(frozen=True)
class TrainResult:
    """A finished training; `run` is its folder.

    `arch` is the architecture as its space writes it. `accuracy` and `balanced_accuracy` are in percent of the held-out
    images; None where all images were trained on. `inherited` is the accuracy before the first step where it began with
    the weights of a supernet; None where it did not. `parameters` and `multiply_adds` (of one image) are those of the
    network as it is used. `guards`: what they raised. `seconds`: wall time of all sessions.
    """

    run: Path
    arch: str
    accuracy: float | None
    balanced_accuracy: float | None
    inherited: float | None
    parameters: int
    multiply_adds: int
    seconds: float
    guards: Sequence[Mapping[str, str]] = field(repr=False)
    _told: Mapping[str, Any] = field(repr=False)

    def network(self) -> ChosenNetwork:
        """The trained network on the CPU, in evaluation mode: images in, logits [n, classes] out.

        It normalises the images itself. Where averages were kept of its weights, it has these.
        """
        return trained_network(self.run)

    def show(self) -> None:
        """Prints what `cleave show` prints."""
        from cleave.retrain.text import print_training

        print_training(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """What `cleave show --json` prints."""
        return deepcopy(dict(self._told))


def read_training(path: Path) -> TrainResult:
    """The result of a finished training; UserError where it is not finished, or not as it was written."""
    told = view(path, TRAIN)
    if told.get("status") == "unfinished":
        raise unfinished(path)
    held = told["held_out"] or {}
    return TrainResult(
        run=path,
        arch=told["arch"],
        accuracy=held.get("accuracy"),
        balanced_accuracy=held.get("balanced_accuracy"),
        inherited=((told["inherited"] or {}).get("held_out") or {}).get("accuracy"),
        parameters=told["parameters"],
        multiply_adds=told["multiply_adds"],
        seconds=told["seconds"],
        guards=told.get("guards", []),
        _told=told,
    )


TRAININGS = "trainings"
"""The folder of trainings in that of a design."""


def finished_trainings(design: Path) -> list[TrainResult]:
    """Those of a design, finished or not: the best on held-out images first, of equals the cheapest.

    A design trains nothing that is above its limits, so that the first is the network to use.
    """
    folders = [each for each in sorted((design / TRAININGS).glob("*")) if holds(each, TRAIN) and is_finished(each)]
    return sorted(map(read_training, folders), key=lambda each: (-(each.accuracy or 0.0), each.multiply_adds))


def trained_network(path: Path) -> ChosenNetwork:
    """That of a finished training; UserError where its weights are not as they were written."""
    read_training(path)
    origin = read_origin(path, TRAIN)
    recipe = recipe_of(origin)
    record = RunFiles(path, origin.identity).leaf(LABEL, newest_saved(path)["search"]["kept"][LABEL])
    space, environment = find_space(recipe.space), origin.environment
    arch, mean, std = space.parse(recipe.arch), environment["mean"], environment["std"]
    layout = trained_layout(space, recipe, len(mean))
    return standalone(layout, arch, len(environment["classes"]), record.weights, mean, std)
