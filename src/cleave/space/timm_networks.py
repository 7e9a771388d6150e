"""Networks of timm's as they are published, to train beside what a search finds: a space of one architecture each."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import Field

from cleave.errors import UserError, shown
from cleave.ops import Operation
from cleave.ops.timm_body import features_of, make_body
from cleave.settings import TIMM, Name, SpaceSettings
from cleave.space.choice import Arch
from cleave.space.layout import Fixed, Layout
from cleave.space.space import Space

BODY = "network"
"""The name of the one block."""


PREFIX = f"{TIMM}:"
"""What their names begin with where architectures are written."""


class TimmSettings(SpaceSettings):
    """Which network, and how it sees images."""

    smaller = ("width", "side", "network")
    name: str = TIMM
    network: Name = "mobilenetv3_large_100"  # by timm's name, perhaps with a tag, as in resnet18.a1_in1k
    # A factor of all channels, which are then multiples of 8; of mobilenetv3_large_100 and mobilenetv3_small_100 alone.
    width: Annotated[float, Field(gt=0, le=10)] = 1.0
    # Pixels on a side that images are enlarged to within the network where they are smaller: most networks make one
    # pixel of 32. Those that take images of one size alone get them at that size.
    side: Annotated[int, Field(strict=True, ge=8, le=4096)] = 64


class TimmNetworks(Space):
    """One architecture, written as the name of the network."""

    name = TIMM
    choices = ()
    settings_class = TimmSettings
    paper_size = TimmSettings()
    paper_image_size, paper_classes = 224, 1000

    def __init__(self, settings: TimmSettings | None = None) -> None:
        self.settings = settings or TimmSettings()

    @classmethod
    def from_settings(cls, settings: TimmSettings) -> TimmNetworks:
        return cls(settings)

    def layout(self, size: TimmSettings, image_channels: int) -> Layout:
        shape = (size.network, size.width, size.side)
        operation = Operation(partial(make_body, name=size.network, width=size.width, side=size.side))
        features = features_of(*shape, image_channels)
        return Layout(
            ((BODY, Fixed(size.network, image_channels, features)),), features, operations={size.network: operation}
        )

    def format(self, arch: Arch) -> str:
        return self.settings.network

    def parse(self, text: str) -> Arch:
        """The architecture without choices; UserError for the name of another network."""
        if text != self.settings.network:
            raise UserError(
                f"architecture {shown(text)}: is not space.network={self.settings.network}; write timm:NAME for any of "
                "timm's networks, as in timm:resnet18"
            )
        return {}


def written(text: str) -> dict[str, Any]:
    """What of a recipe says an architecture that is written: itself, and of `timm:NAME` its space too."""
    if not text.startswith(PREFIX):
        return {"arch": text}
    name = text.removeprefix(PREFIX)
    return {"arch": name, "space": {"name": TIMM, "network": name}}
