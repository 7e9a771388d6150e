"""One architecture to be trained by itself: all that its outcome follows from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from cleave.data.augment import Augment, Normalise
from cleave.data.decode import Resample
from cleave.data.images import Images
from cleave.errors import UserError
from cleave.net import Network
from cleave.retrain.settings import RetrainSettings
from cleave.retrain.teacher import Teacher
from cleave.space import Arch, Layout, Space


@dataclass(frozen=True)
class Inherited:
    """What weights are taken from, and on how many training images their statistics are measured."""

    supernet: Network
    images: int


@dataclass(frozen=True)
class Retraining:
    """One architecture, its network, how it is trained, and the images: all that the outcome follows from.

    `label`: what its random numbers go by, beside the seed. `layout` as of `retrain_layout`. `section`: where the
    settings are said. `resample`: how random pieces come to their size. `teacher`: who is learned from beside labels.
    `inherited`: the weights that it begins with; None: new ones. `pretrained`: tensors of the network, by name, that it
    begins with.
    """

    label: str
    arch: Arch
    layout: Layout
    settings: RetrainSettings
    train: Images
    augment: Augment
    normalise: Normalise
    seed: int = 0
    device: str = "cpu"
    section: str = "training"
    resample: Resample = "bilinear"
    teacher: Teacher | None = None
    inherited: Inherited | None = None
    pretrained: Mapping[str, Tensor] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches that show every training image at least once."""
        return -(-len(self.train) // self.settings.batch_size)


def retrain_layout(
    space: Space,
    size: object,
    image: tuple[int, int],
    auxiliary: float,
    dropout: float | None = None,
    usual: Layout | None = None,
) -> Layout:
    """What networks look like in training: with an auxiliary head if its loss has a weight.

    `image`: (channels, pixels on a side). `dropout`: None as the space says. `usual`: without either; None: as of those
    trained from scratch. UserError where there is no such head, or images are too small for it.
    """
    channels, side = image
    layout = usual or space.layout(size, channels)
    if dropout is not None:
        layout = replace(layout, head=replace(layout.head, dropout=dropout))
    if not auxiliary:
        return replace(layout, auxiliary=None)
    head, key = layout.auxiliary or space.auxiliary(size), f"training.auxiliary={auxiliary:g}"
    if head is None:
        raise UserError(f"{key}: networks of {space.name} have no auxiliary head; give training.auxiliary=0")
    if side < head.smallest:
        raise UserError(
            f"{key}: the auxiliary head needs images of {head.smallest} pixels or more on a side, not {side}: give "
            "training.auxiliary=0, or a larger data.image_size"
        )
    return replace(layout, auxiliary=head)
