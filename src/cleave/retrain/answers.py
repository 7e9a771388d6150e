"""What trained networks say test images are of, kept in their run folders: so they are asked once."""

from __future__ import annotations

import hashlib
from pathlib import Path

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


class KeptAnswers(Shape):
    """`weights`, `images`: the SHA-256 of what was asked and about what. `seal`: that of the rest."""

    weights: str
    images: str
    predicted: list[int]
    seal: str


def answers(run: Path, images: Images, device: str, callback: Callback) -> Tensor:
    """The classes [n] that the network of a finished training says the images are of; kept, where the folder takes it.

    What was kept counts if it is of these weights and images, and as it was written. UserError where the training is
    not finished, or its weights are not as they were written.
    """
    network = trained_network(run)
    weights = newest_saved(run)["search"]["kept"][LABEL]
    asked = {"weights": weights, "images": fingerprint((images,)), "side": images.side}
    file = run / f"answers-{asked['images'][:16]}.json"
    known = kept(file, asked)
    if known is not None:
        return torch.tensor(known)
    found = predicted(network.to(device), recipe_of(read_origin(run, TRAIN)), images, device, callback)
    content = {**asked, "predicted": found.tolist()}
    try:
        write_json(file, {**content, "seal": seal(content)})
    except UserError as error:
        callback.say(f"the answers are not kept: {error}")
    return found


def kept(file: Path, asked: dict[str, object]) -> list[int] | None:
    """The classes that were kept; None where nothing was asked, or what is there is not what was written."""
    if not is_there(file):
        return None
    try:
        found = read_json(file, KeptAnswers)
    except Damaged:
        return None
    content = {**asked, "predicted": found["predicted"]}
    return found["predicted"] if found == {**content, "seal": seal(content)} else None


def seal(content: dict[str, object]) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()


def predicted(network: nn.Module, recipe: RetrainRecipe, images: Images, device: str, callback: Callback) -> Tensor:
    """The same, by the network on this device."""
    found, size = list[Tensor](), recipe.training.eval_batch_size
    with cpu_threads(recipe.threads), callback.stop as stop, memory_for("evaluating", "training.eval_batch_size"):
        for piece in torch.split(torch.arange(len(images)), size):
            stop.check()
            found.append(classes_of(network, images, piece, device))
            callback.see(Progress(int(piece[-1]) + 1, len(images), "", "evaluate", kind=""))
    return torch.cat(found)


@torch.inference_mode()
def classes_of(network: nn.Module, images: Images, piece: Tensor, device: str) -> Tensor:
    """Of the images at `piece` [k], on the CPU."""
    pixels, _ = images.at(piece)
    logits: Tensor = network(central(pixels, images.side).to(device))
    return logits.argmax(dim=1).cpu()
