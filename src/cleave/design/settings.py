"""What a design may be asked for: every key with its type, unit and default. Needs no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cleave.amounts import Amount, Milliseconds, Seconds
from cleave.settings import COST_OF, ImageSize, Name, Positive, Settings, Threads, ViewSettings


class DesignData(ViewSettings):
    """Which images. Held-out ones choose the network; test images are read once, at the end."""

    image_size: ImageSize | None = None  # pixels on a side; null: what the images have and the time allows
    limit: Positive | None = None  # images that are used at most; null: all
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.8


class DesignLimits(Settings):
    """What the network may cost at most."""

    macs: Amount | None = None  # multiply-adds of an image, as in 100M; null: any number
    params: Amount | None = None  # parameters, as in 5M; null: any number
    latency: Milliseconds | None = None  # ms of an image on this machine, as in 8ms; null: any

    @property
    def given(self) -> dict[str, float]:
        """The limits that there are, by key."""
        return {key: most for key in COST_OF if (most := getattr(self, key)) is not None}


class DesignRecipe(Settings):
    """One design, whole."""

    data: DesignData = DesignData()
    time: Seconds = 3600.0  # seconds by the clock, of all sessions together, as in 15m or 1h
    limits: DesignLimits = DesignLimits()
    # What weights begin with: auto, new, a file, timm:mobilenetv3_large_100 (as `begin.weights` of a search).
    init: Name = "auto"
    against: list[Name] = Field(default=[])  # more of timm's networks to train beside ours
    width: Annotated[float, Field(gt=0, le=2)] | None = None  # a factor of all channels; null: as the time allows
    # By what latency is measured; null: onnxruntime where it is installed, else torch.
    runtime: Literal["onnx", "torch"] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    device: Name = "auto"  # auto | cpu | cuda | cuda:N
    threads: Threads | None = None  # of the CPU; null: as many as there are cores, 8 at most
