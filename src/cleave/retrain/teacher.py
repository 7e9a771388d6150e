"""A network of timm's that a training learns from beside its labels."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cleave.data.augment import Normalise
from cleave.errors import PATH, UserError, brief, cause, shown
from cleave.retrain.settings import RetrainSettings

UNREADABLE = (RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError, SafetensorError)
"""What readers of weights raise on a file that holds none."""
UNREACHED = (OSError, RuntimeError, ValueError, LookupError, ImportError)
"""What timm raises where weights are neither in its cache nor to be downloaded."""


@dataclass(frozen=True)
class Teacher:
    """A frozen network with the mean and deviation of the images that it takes (0 to 1, [channels]).

    `identity`: SHA-256 of its name and weights.
    """

    network: nn.Module
    normalise: Normalise
    identity: str

    def __call__(self, images: Tensor, normalised: Normalise) -> Tensor:
        """Its logits [n, classes] of images that were normalised for another network."""
        shape = (1, -1, 1, 1)
        own = self.normalise
        scale, shift = normalised.std / own.std, (normalised.mean - own.mean) / own.std
        logits: Tensor = self.network(images * scale.view(shape) + shift.view(shape))
        return logits


def open_teacher(settings: RetrainSettings, classes: Sequence[str], device: str = "cpu") -> Teacher | None:
    """The teacher that settings name, if any; UserError where it is unknown, has other classes or no weights."""
    if settings.teacher is None:
        return None
    from timm import create_model  # not at the top: of an extra

    config = config_of(settings.teacher)
    state = None if settings.teacher_weights is None else weights_in(settings.teacher_weights, config, settings.teacher)
    known = config["num_classes"] if state is None else len(state[classifier_of(config)])
    if known != len(classes):
        raise UserError(
            f"training.teacher={settings.teacher}: knows {known} classes, and the images have {len(classes)}, "
            f"{brief(classes[0])} and so on; give a teacher of the same classes, or leave it out"
        )
    try:
        network = create_model(settings.teacher, pretrained=state is None, num_classes=known)
    except UNREACHED as error:
        raise UserError(
            f"training.teacher={settings.teacher}: its weights are not in timm's cache and were not downloaded "
            f"({brief(str(error))}); name a file of them by training.teacher_weights"
        ) from error
    if state is not None:
        fill(network, state, settings)
    network.requires_grad_(False).eval()
    mean, std = (torch.tensor(config[key], device=device) for key in ("mean", "std"))
    return Teacher(network.to(device), Normalise(mean, std), identity_of(settings.teacher, network))


def check_image(settings: RetrainSettings, channels: int, side: int) -> None:
    """UserError where a teacher cannot take such images."""
    if settings.teacher is None:
        return
    config = config_of(settings.teacher)
    wanted, _, size = config["input_size"]
    if channels != wanted:
        raise UserError(f"training.teacher={settings.teacher}: takes images of {wanted} channels, not {channels}")
    if config["fixed_input_size"] and side != size:
        raise UserError(
            f"training.teacher={settings.teacher}: takes images of {size} pixels on a side only, not {side}; give "
            f"data.image_size={size}, or data.view={size} of larger ones"
        )


def config_of(name: str) -> dict[str, Any]:
    """What timm says of a network; UserError where it has none of that name."""
    from timm.models import get_pretrained_cfg, is_model, list_models

    if not is_model(name):
        near = get_close_matches(name.partition(".")[0], list_models(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"training.teacher: timm has no network {shown(name)}{hint}")
    found = get_pretrained_cfg(name, allow_unregistered=True)
    if found is None:
        raise UserError(f"training.teacher={name}: timm does not say what images it takes; use another one")
    config: dict[str, Any] = found.to_dict()
    return config


def classifier_of(config: Mapping[str, Any]) -> str:
    """The name of the classifier's weights; of several the first one's."""
    named = config["classifier"]
    return f"{named if isinstance(named, str) else named[0]}.weight"


def weights_in(file: str, config: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """Tensors by name, without running anything that a file may hold; UserError where they are not the network's."""
    from timm.models import load_state_dict

    try:
        open(file, "rb").close()  # timm has no word on why it cannot
        state: dict[str, Tensor] = load_state_dict(file, weights_only=True)
    except OSError as error:
        raise UserError(f"training.teacher_weights: {brief(file, PATH)}: cannot be read ({cause(error)})") from error
    except UNREADABLE as error:
        raise UserError(
            f"training.teacher_weights: {brief(file, PATH)}: holds no weights that can be read ({brief(str(error))})"
        ) from error
    if not isinstance(state.get(classifier_of(config)), Tensor):
        raise UserError(
            f"training.teacher_weights: {brief(file, PATH)}: has no {classifier_of(config)}, so it is not of {name}; "
            "give training.teacher the name of its network"
        )
    return state


def fill(network: nn.Module, state: Mapping[str, Tensor], settings: RetrainSettings) -> None:
    """Puts the weights in; UserError where they are another network's."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        told = str(error).partition("\n\t")[2]
        raise UserError(
            f"training.teacher_weights: {brief(settings.teacher_weights or '', PATH)}: is not of {settings.teacher} "
            f"({brief(told)}); give training.teacher the name of its network"
        ) from error


def identity_of(name: str, network: nn.Module) -> str:
    digest = hashlib.sha256(name.encode())
    for key, tensor in network.state_dict().items():
        digest.update(key.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
