"""A network of timm's that a training learns from beside its labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cleave.data.augment import Normalise
from cleave.errors import PATH, UserError, brief
from cleave.ops.timm_body import classifier_of, config_of
from cleave.retrain.settings import RetrainSettings
from cleave.retrain.timm_weights import weights_in

NAMED = "training.teacher"
"""The key by which it is named."""
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

    name, file, config = settings.teacher, settings.teacher_weights, config_of(settings.teacher, NAMED)
    state = None if file is None else weights_in(file, config, name, f"{NAMED}_weights", NAMED)
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
    config = config_of(settings.teacher, NAMED)
    wanted, _, size = config["input_size"]
    if channels != wanted:
        raise UserError(f"training.teacher={settings.teacher}: takes images of {wanted} channels, not {channels}")
    if config["fixed_input_size"] and side != size:
        raise UserError(
            f"training.teacher={settings.teacher}: takes images of {size} pixels on a side only, not {side}; give "
            f"data.image_size={size}, or data.view={size} of larger ones"
        )


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
