"""How long the networks of a design take, each timed whole on this machine."""

from __future__ import annotations

from cleave.deploy.measure import MeasureRequest
from cleave.deploy.one import time_network
from cleave.design.trainings import Candidate, recipe_for
from cleave.design.work import Work
from cleave.extras import missing_of
from cleave.net.sized import Sized
from cleave.retrain.recipes import resolve_training
from cleave.space import find_space

TORCH, ONNX = "torch", "onnx"


def device_of(work: Work) -> str:
    """Where networks are timed."""
    return work.recipe.device if work.recipe.device.startswith("cuda") else "cpu"


def runtime_of(work: Work) -> str:
    """By what they are timed."""
    usual = ONNX if device_of(work) == "cpu" and not missing_of("export") else TORCH
    return work.recipe.runtime or usual


def milliseconds(work: Work, candidate: Candidate) -> float:
    """Of one image by one thread, batch 1; timed once."""
    return work.once(f"latency of {candidate.network}", lambda: timed_whole(work, candidate))


def timed_whole(work: Work, candidate: Candidate) -> float:
    recipe = resolve_training(recipe_for(work, candidate, 1))
    scale, space = work.scale, find_space(recipe.space)
    asked = Sized(space, recipe.space.size, scale.image, scale.classes)
    request = MeasureRequest(asked, device_of(work), runtime_of(work))
    return time_network(asked, space.parse(recipe.arch), request.binding).milliseconds


def within(work: Work, candidate: Candidate) -> bool:
    """Whether a network, which is timed, keeps the limit on latency; a line says where it does not."""
    found, most = milliseconds(work, candidate), work.recipe.limits.latency
    if most is None or found <= most:
        return True
    work.callback.say(f"{candidate.name} takes {found:.2f} ms here, above the limit of {most:g}; it is left out")
    return False
