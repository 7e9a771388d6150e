"""The networks that are trained by themselves: by which recipe, for how long, in which folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from pathlib import Path
from typing import Any

import torch

from cleave.design.work import PACE, Work
from cleave.plan.timing import seconds_of, timed
from cleave.retrain.problem import open_training
from cleave.retrain.recipes import TAKEN, load_training, resolve_training
from cleave.retrain.result import TRAININGS, read_training
from cleave.retrain.runner import start_or_resume
from cleave.retrain.session import Until
from cleave.retrain.settings import RetrainRecipe
from cleave.retrain.trainer import RetrainTrainer
from cleave.torch_state import cpu_threads

SHORT, FINETUNE = "short", "finetune"
MOST_EPOCHS = 300
"""Beyond which a network of a few thousand images gains nothing."""
JUDGED = 250
"""Held-out images by which the time of judging is told."""


@dataclass(frozen=True)
class Candidate:
    """A network that may be chosen. `source`: as `cleave train` takes it; `keys`: of its recipe, beside what all have.

    `ours`: whether a search found it.
    """

    name: str
    source: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    ours: bool = False

    @property
    def recipe(self) -> str:
        """The name of one: weights that are good already are fine-tuned."""
        return FINETUNE if self.keys.get("begin.weights", "new") != "new" else SHORT

    @property
    def network(self) -> str:
        """What tells its network from others, however it is trained."""
        width = f" x {self.keys['space.width']:g}" if "space.width" in self.keys else ""
        return f"{self.keys.get('arch', self.source)}{width}"

    @property
    def slug(self) -> str:
        """A name for files."""
        return re.sub(r"[^A-Za-z0-9._]+", "-", self.name).strip("-")

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "source": self.source, "keys": dict(self.keys), "ours": self.ours}


def recipe_for(work: Work, candidate: Candidate, epochs: int) -> RetrainRecipe:
    """How a candidate is trained: all have the same images, cut in the same way, and the same steps."""
    recipe, scale = work.recipe, work.scale
    images = recipe.data.model_dump(include=TAKEN | {"train_fraction", "held_out"}, exclude_none=True)
    images |= {"image_size": scale.side, "limit": recipe.data.limit}
    images |= {} if scale.channels is None else {"channels": scale.channels}
    keys = {
        **{f"data.{key}": value for key, value in images.items()},
        "training.epochs": epochs,
        "training.batch_size": scale.batch_size,
        "training.drop_path": 0.0,  # of networks with cells
        "seed": recipe.seed,
        "device": recipe.device,
        "threads": recipe.threads,
        **candidate.keys,
    }
    is_run = Path(candidate.source).is_dir()
    return load_training(Path(candidate.source) if is_run else candidate.source, candidate.recipe, keys)


def timed_steps(work: Work, candidate: Candidate) -> dict[str, float]:
    """{"epoch", "image"}: seconds of an epoch with its judgement, and of judging an image, from a few steps here."""
    recipe = resolve_training(recipe_for(work, candidate, 1))
    problem = open_training(recipe, work.callback, work.given)
    trainer, valid = RetrainTrainer(problem.task), problem.valid
    with cpu_threads(recipe.threads):
        step = timed(trainer.advance)
        some = valid.take(torch.arange(min(JUDGED, len(valid)), device=valid.labels.device))
        image = seconds_of(lambda: trainer.judge(some)) / len(some)
    return {"epoch": problem.task.steps_per_epoch * step + image * len(valid), "image": image}


def pace_of(work: Work, candidate: Candidate) -> float:
    """Seconds of an epoch of a candidate, told once."""
    told = work.once(PACE + candidate.name, lambda: timed_steps(work, candidate))
    return told["epoch"]


def epochs_in(seconds: float, each: float) -> int:
    """Whole epochs of that many seconds that there is time for."""
    return min(MOST_EPOCHS, floor(seconds / each))


def dealt(seconds: float, each: Mapping[str, float]) -> dict[str, int]:
    """The epochs of several trainings, by name, from the seconds of an epoch of each. 0: there is no time.

    All have an equal share of the time, the cheapest first, so that what one cannot use is for those after it.
    """
    epochs, left = dict.fromkeys(each, 0), seconds
    for number, name in enumerate(sorted(each, key=lambda name: each[name])):
        epochs[name] = max(0, epochs_in(left / (len(each) - number), each[name]))
        left -= epochs[name] * each[name]
    return epochs


def train(work: Work, candidate: Candidate, epochs: int, until: Until | None = None) -> None:
    """Trains it to the end, from where it was interrupted if it was, and says how good it is.

    `until`: the seconds that it may still take; for fewer epochs, where they take longer than was thought.
    """
    work.callback.stop.check()
    recipe, folder = recipe_for(work, candidate, epochs), folder_of(work, candidate)
    done = start_or_resume(recipe, folder, work.callback, work.given, until)["epochs"]
    number = f"{done} epoch{'s' * (done > 1)}" + (f" ({epochs} were planned)" if done < epochs else "")
    work.callback.say(f"{candidate.name}: {held_out(work, candidate):.2f} % of held-out images after {number}")


def folder_of(work: Work, candidate: Candidate) -> Path:
    """Of its training."""
    return work.path / TRAININGS / candidate.slug


def held_out(work: Work, candidate: Candidate) -> float:
    """The accuracy of a finished training on held-out images, percent."""
    return read_training(folder_of(work, candidate)).accuracy or 0.0
