"""Whole networks of timm's, up to their classifiers, as operations. timm, of the extra `train`, is imported late."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from cleave.errors import UserError, brief, shown, unknown
from cleave.extras import need_extra
from cleave.ops.operation import Norm
from cleave.torch_state import seeded

SCALED = ("mobilenetv3_large_100", "mobilenetv3_small_100")
"""Those whose channels may have a factor."""


class TimmBody(nn.Module):
    """A network without its classifier. It sees images at `side` pixels or more, and where `only`, at no others.

    Images are resized inside (bilinear), so that the same pixels can be given to networks of every kind.
    """

    def __init__(self, network: nn.Module, side: int, only: bool) -> None:
        super().__init__()
        self.network, self.side, self.only = network, side, only

    def forward(self, x: Tensor) -> Tensor:
        """Its pooled features, [n, features, 1, 1]."""
        features: Tensor = self.network(self.sized(x))
        return features[:, :, None, None]

    def sized(self, x: Tensor) -> Tensor:
        """Images as the network sees them."""
        side = x.shape[-1]
        wanted = self.side if self.only else max(side, self.side)
        if side == wanted:
            return x
        return interpolate(x, (wanted, wanted), mode="bilinear", align_corners=False, antialias=side > wanted)


def make_body(
    channels_in: int, channels_out: int, stride: int, norm: Norm, name: str, width: float, side: int
) -> TimmBody:
    """A factory of an operation, for the network of timm's of this name. Its normalisations are its own."""
    config = config_of(name)
    only = bool(config["fixed_input_size"])
    return TimmBody(make_network(name, width, channels_in), config["input_size"][-1] if only else side, only)


def make_network(name: str, width: float, channels: int) -> nn.Module:
    """It with new weights, for images of so many channels. `width`: a factor of all channels of those in `SCALED`."""
    from timm import create_model

    make = partial(create_model, name) if width == 1 else scaled(name, width)
    made: nn.Module = make(num_classes=0, in_chans=channels)
    return made


def scaled(name: str, width: float) -> Callable[..., nn.Module]:
    """What makes one of `SCALED` with a factor of its channels; UserError for another one."""
    from timm.models.mobilenetv3 import _gen_mobilenet_v3  # what is public has a few factors alone

    plain = name.partition(".")[0]
    if plain not in SCALED:
        raise UserError(f"space.width={width:g}: is a factor for {' and '.join(SCALED)} alone, not for {name}")
    return partial(_gen_mobilenet_v3, plain, width)


@lru_cache(maxsize=32)
def features_of(name: str, width: float, side: int, channels: int) -> int:
    """The features that it gives. UserError where it cannot see images of that size, or draws random numbers itself in
    training, so that what is resumed would go on otherwise."""
    with seeded(0), torch.no_grad():
        body = make_body(channels, 0, 1, Norm(), name, width, side).train()
        before = torch.get_rng_state()
        try:
            features = body(torch.zeros(2, channels, side, side)).shape[1]
        except RuntimeError as error:
            raise UserError(
                f"space.side={side}: {name} takes no such images ({brief(str(error))}); give a larger one"
            ) from error
        if not torch.equal(before, torch.get_rng_state()):
            raise UserError(f"space.network={name}: drops something at random in training of its own; use another one")
    return int(features)


def config_of(name: str, key: str = "space.network") -> dict[str, Any]:
    """What timm says of a network that `key` names; UserError where it has none of that name."""
    need_extra("train")
    from timm.models import get_pretrained_cfg, is_model, list_models, list_pretrained

    if not is_model(name):
        near = get_close_matches(name.partition(".")[0], list_models(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{key}: timm has no network {shown(name)}{hint}")
    try:
        found = get_pretrained_cfg(name, allow_unregistered=True)
    except RuntimeError as error:  # another tag
        raise unknown(key, name, list_pretrained(f"{name.partition('.')[0]}.*")) from error
    if found is None:
        raise UserError(f"{key}={name}: timm does not say what images it takes; use another one")
    config: dict[str, Any] = found.to_dict()
    return config


def classifier_of(config: Mapping[str, Any]) -> str:
    """The name of the classifier's weights; of several the first one's."""
    named = config["classifier"]
    return f"{named if isinstance(named, str) else named[0]}.weight"
