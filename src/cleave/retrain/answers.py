"""What trained networks say test images are of, kept in their run folders: so they are asked once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cleave.data.images import Images, central, fingerprint
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.memory import memory_for
from cleave.retrain.problem import LABEL
from cleave.retrain.recipes import recipe_of
from cleave.retrain.result import trained_network
from cleave.retrain.settings import RetrainRecipe
from cleave.run.durable import json_bytes, write_json
from cleave.run.origin import TRAIN, read_origin
from cleave.run.reading import Damaged, Shape, is_there, read_json
from cleave.run.view import newest_saved
from cleave.torch_state import cpu_threads

DIGITS = 4
"""Of a probability that is kept."""


class KeptAnswers(Shape):
    """`weights`, `images`: the SHA-256 of what was asked and about what. `seal`: that of the rest."""

    weights: str
    images: str
    predicted: list[int]
    probability: list[float]
    seal: str


@dataclass(frozen=True)
class Said:
    """What a network says images are of: classes [n], and the probability [n] that it gives each of these."""

    predicted: Tensor
    probability: Tensor


def answers(run: Path, images: Images, device: str, callback: Callback) -> Tensor:
    """The classes [n] that the network of a finished training says the images are of; kept, where the folder takes it.

    What was kept counts if it is of these weights and images, and as it was written. UserError where the training is
    not finished, or its weights are not as they were written.
    """
    network = trained_network(run)
    if (known := kept_answers(run, images)) is not None:
        return known.predicted
    found = said_by(network.to(device), recipe_of(read_origin(run, TRAIN)), images, device, callback)
    asked = asked_of(run, images)
    probability = [round(each, DIGITS) for each in found.probability.tolist()]
    content = {**asked, "predicted": found.predicted.tolist(), "probability": probability}
    try:
        write_json(file_of(run, asked), {**content, "seal": seal(content)})
    except UserError as error:
        callback.say(f"the answers are not kept: {error}")
    return found.predicted


def kept_answers(run: Path, images: Images) -> Said | None:
    """What the network of a finished training said of these images when it was asked; None where it was not, or what is
    there is not what was written."""
    asked = asked_of(run, images)
    file = file_of(run, asked)
    if not is_there(file):
        return None
    try:
        found = read_json(file, KeptAnswers)
    except Damaged:
        return None
    content = {**asked, **{key: found[key] for key in ("predicted", "probability")}}
    if found != {**content, "seal": seal(content)}:
        return None
    return Said(torch.tensor(found["predicted"]), torch.tensor(found["probability"]))


def asked_of(run: Path, images: Images) -> dict[str, Any]:
    """What tells these answers from others."""
    weights = newest_saved(run)["search"]["kept"][LABEL]
    return {"weights": weights, "images": fingerprint((images,)), "side": images.side}


def file_of(run: Path, asked: dict[str, Any]) -> Path:
    return run / f"answers-{asked['images'][:16]}.json"


def seal(content: dict[str, object]) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()


def said_by(network: nn.Module, recipe: RetrainRecipe, images: Images, device: str, callback: Callback) -> Said:
    """The same, by the network on this device."""
    found, size = list[tuple[Tensor, Tensor]](), recipe.training.eval_batch_size
    with cpu_threads(recipe.threads), callback.stop as stop, memory_for("evaluating", "training.eval_batch_size"):
        for piece in torch.split(torch.arange(len(images)), size):
            stop.check()
            found.append(surest(network, images, piece, device))
            callback.see(Progress(int(piece[-1]) + 1, len(images), "", "evaluate", kind=""))
    classes, probabilities = zip(*found, strict=True)
    return Said(torch.cat(classes), torch.cat(probabilities))


def classes_of(network: nn.Module, images: Images, piece: Tensor, device: str) -> Tensor:
    """Of the images at `piece` [k], on the CPU."""
    return surest(network, images, piece, device)[0]


@torch.inference_mode()
def surest(network: nn.Module, images: Images, piece: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """The most probable class of each image at `piece` [k], and its probability, on the CPU."""
    pixels, _ = images.at(piece)
    logits: Tensor = network(central(pixels, images.side).to(device))
    classes = logits.argmax(dim=1)
    probability = logits.float().softmax(dim=1).gather(1, classes.unsqueeze(1)).squeeze(1)
    return classes.cpu(), probability.nan_to_num().cpu()  # logits that are infinite have none
