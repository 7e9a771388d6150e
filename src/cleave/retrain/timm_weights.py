"""Weights of timm's networks in files: read without running anything that a file may hold, and only where they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.data.augment import Normalise
from cleave.errors import PATH, UserError, brief
from cleave.ops.timm_body import classifier_of, config_of
from cleave.pretrained.reading import cached, tensors_in
from cleave.space.timm_networks import BODY
from cleave.torch_state import seeded

FILE, NETWORK = "begin.file", "space.network"
"""The keys by which a training names weights, and whose they are."""


@dataclass(frozen=True)
class Pretrained:
    """Weights of one of timm's networks that a training begins with; its classifier begins anew.

    `tensors`: by their names in the network that is trained. `statistics`: of the images that they know. `identity`:
    the SHA-256 of the file, where timm has it from ("file" for one that was named), its licence where timm tells it.
    """

    tensors: Mapping[str, Tensor]
    statistics: Normalise
    identity: Mapping[str, str | None]

    def normalise(self, device: str) -> Normalise:
        """How they take images."""
        return Normalise(self.statistics.mean.to(device), self.statistics.std.to(device))


def open_pretrained(name: str, file: str | None, channels: int) -> Pretrained:
    """Those of a network for images of so many channels, in a file (None: in timm's cache); UserError where they are
    not there, or not this network's."""
    config = config_of(name)
    path = find_cached(name, config) if file is None else Path(file)
    state = weights_in(str(path), config, name, FILE, NETWORK)
    source = f"{config.get('hf_hub_id') or config.get('url')}" if file is None else "file"
    identity = {
        "weights": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": source,
        "license": config.get("license") if file is None else None,
    }
    body = {f"blocks.{BODY}.op.network.{key}": value for key, value in adapted(name, state, config, channels).items()}
    return Pretrained(body, statistics_of(config, channels), identity)


def adapted(name: str, state: Mapping[str, Tensor], config: Mapping[str, Any], channels: int) -> dict[str, Tensor]:
    """The tensors of the network without its classifier, as timm puts weights into one for images of so many channels;
    UserError where they are another network's."""
    from timm import create_model  # not at the top: of an extra

    overlay = {"state_dict": dict(state), "num_classes": len(state[classifier_of(config)]), "label_offset": 0}
    try:
        with seeded(0):
            made = create_model(
                name,
                pretrained=True,
                pretrained_cfg_overlay=overlay,
                num_classes=overlay["num_classes"],
                in_chans=channels,
            )
            made.reset_classifier(0)
    except (RuntimeError, LookupError) as error:
        raise UserError(f"{FILE}: is not of {name} ({brief(str(error))}); give the name of its network") from error
    found: dict[str, Tensor] = made.state_dict()
    return found


def statistics_of(config: Mapping[str, Any], channels: int) -> Normalise:
    """By timm's mean and deviation of images (0 to 1); of grey ones, or those of other channels, the mean of both."""
    mean, std = (torch.tensor(config[key]) for key in ("mean", "std"))
    if len(mean) != channels:
        mean, std = mean.mean().expand(channels).clone(), std.mean().expand(channels).clone()
    return Normalise(mean, std)


def find_cached(name: str, config: Mapping[str, Any]) -> Path:
    """The same; UserError where it is not in there."""
    found = cached(config)
    if found is None:
        raise UserError(
            f"{FILE}: the weights of {name} are not in timm's cache, and nothing is downloaded; name a file, or get "
            f"them once: python -c 'import timm; timm.create_model(\"{name}\", pretrained=True)'"
        )
    return found


def weights_in(file: str, config: Mapping[str, Any], name: str, key: str, of: str) -> dict[str, Tensor]:
    """Tensors by name; UserError where they are not the network's. `key` names the file, and `of` the network."""
    state = tensors_in(file, key)
    if classifier_of(config) not in state:
        raise UserError(
            f"{key}: {brief(file, PATH)}: has no {classifier_of(config)}, so it is not of {name}; "
            f"give {of} the name of its network"
        )
    return state
