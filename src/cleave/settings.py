"""What a recipe may say: every key with its type, range, unit and default. Nothing here needs torch.

The defaults are the run that `cleave search` does without a recipe: small enough for two CPU cores. The published
protocols are recipes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny

from cleave.amounts import Amount, Milliseconds
from cleave.kinds import SPLITTERS, of_kind
from cleave.registry import known_name, spelled

SIMILARITIES, GUARDS = "cleave.split.similarity:SIMILARITIES", "cleave.guards:GUARDS"
"""Where they are registered."""
SplitterName = Annotated[str, BeforeValidator(partial(known_name, SPLITTERS))]
SimilarityName = Annotated[str, BeforeValidator(partial(known_name, SIMILARITIES))]
GuardName = Annotated[str, BeforeValidator(partial(known_name, GUARDS))]
AverageName = Annotated[
    Literal["gradients", "similarities"],
    spelled("gradients", "similarities", gradient="gradients", cosines="similarities", cosine="similarities"),
]
MOST = 10**9
"""Of anything that is counted: what is more would overflow somewhere."""
# Strict: true and 3.0 are no counts.
Positive = Annotated[int, Field(strict=True, ge=1, le=MOST)]
NotNegative = Annotated[int, Field(strict=True, ge=0, le=MOST)]
Name = Annotated[str, Field(max_length=4096)]
"""Also of files: the longest path that Linux takes."""
Extensions = list[Name]
"""A user's own Python files, which are run before anything else: methods, splitters, operations, spaces, images."""
ImageSize = Annotated[int, Field(strict=True, ge=8, le=4096)]
Threads = Annotated[int, Field(strict=True, ge=1, le=1024)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Level = Annotated[float, Field(ge=0, le=1)]
Branch = Annotated[int, Field(strict=True, ge=2, le=MOST)]


class Settings(BaseModel):
    """A mapping of a recipe: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    usual: ClassVar[Mapping[str, str]] = {}
    """Of a recipe: the kinds of sections (`OPEN`) that are meant where none is named, if they are others."""

    @classmethod
    def of_section(cls, section: str, kind: type[Any]) -> type[Any]:
        """Of a recipe: what may be said in a section (`OPEN`) whose kind has these settings."""
        return kind


@dataclass(frozen=True)
class NetworkSize:
    """The size of a space's networks: `channels` of the first cell or layer, and `cells` per stage."""

    channels: int
    cells: int


TIMM = "timm"
"""The space of whole networks of timm's, of which there may be pretrained weights."""


class SpaceSettings(Settings):
    """Which architectures there are, and the size of the supernet.

    A space that says more or other than `NetworkSettings` has a subclass: every key with its type, unit and default.
    """

    name: Name = ""  # or FILE.py:Class, which runs that file
    smaller: ClassVar[tuple[str, ...]] = ()
    """The keys by which networks take less memory."""

    @property
    def smaller_by(self) -> str:
        """These keys as people write them."""
        return " or ".join(f"space.{key}" for key in self.smaller) or "another space"

    @property
    def size(self) -> Any:  # noqa: ANN401  what the space's own `layout` takes
        """What `Space.layout` is given: the settings themselves, where they are a space's own."""
        return self

    def at(self, size: Any) -> SpaceSettings:  # noqa: ANN401
        """These settings, of another size where they were not given one."""
        given = {key: value for key, value in vars(size).items() if key not in self.model_fields_set}
        return self.model_copy(update=given)


class NetworkSettings(SpaceSettings):
    """Those of a space that says no others: operations, if it has some to choose from, channels and cells."""

    name: Name = "nasbench201"
    smaller = ("channels", "cells")
    ops: int | list[str] | None = None  # how many operations or which; null: all
    channels: Positive = 8  # of the first cells
    cells: Positive = 1  # per stage

    @property
    def size(self) -> NetworkSize:
        return NetworkSize(self.channels, self.cells)


class ImageSettings(Settings):
    """Which images, and the part they are divided into. Test images are never loaded by a search."""

    name: Name = "bundled"  # or the path of a folder of images
    root: Name | None = None  # where named image sets are kept; null: CLEAVE_DATA, else the cache folder
    # Pixels on a side; null: as a published set stores them, and 32 for a folder, whose images may be of any size.
    image_size: ImageSize | None = 16
    # The rest is held out; no meaning with a folder that has train/, val/ and test/, where val/ is held out.
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    # Share of the images that is used, the same of every class, for both sides of train_fraction together; null: all.
    # Where it is given, `limit` holds only if it is given too.
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    limit: Positive | None = 4000  # images that are used at most; null: all
    # Where the images of a folder are while they are used: in memory, or on the disk, in a map from which each batch is
    # read. auto: on the disk if they would take more than half of the free memory. It changes no figure.
    storage: Literal["auto", "memory", "map"] = "auto"
    skip_damaged: bool = False  # leave out files of a folder that cannot be used; false: they are an error
    padding: NotNegative | None = None  # pixels of random shift; null: an eighth of the size
    flip: bool = True  # mirror images half of the time


class ViewSettings(ImageSettings):
    """The same of large images, as ImageNet's, which are kept larger than networks see them."""

    # Pixels on a side that networks see: the middle of images of image_size, or random pieces; null: image_size.
    view: ImageSize | None = None
    # 3: grey images have three equal channels, as networks take them that know colours; null: channels as stored.
    channels: Literal[3] | None = None
    # How files and published sets come to image_size, and random pieces to their size.
    resample: Literal["bilinear", "bicubic"] = "bilinear"
    held_out: Positive | None = None  # images that are held out, as many of every class; null: by train_fraction


class DataSettings(ViewSettings):
    """The same, and what is done to training images in a search."""

    # Least share of an image's area that is cut out at random and resized (Szegedy et al., 2015); null: it is shifted.
    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0  # most that it changes, up or down, as a share
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0  # the same


class BeginSettings(Settings):
    """The weights that the supernets of a search begin with."""

    # new: drawn by the seed; a file of timm's network that the space has a place for (`Space.pretrained`); timm:NAME,
    # its own out of a cache on this machine; or auto: this if it is there, else new.
    weights: Name = "new"
    # By which images are normalised, red, green and blue in 0 to 1; null: as timm says, of a file ImageNet's. With new
    # weights: by the training images.
    mean: tuple[Level, Level, Level] | None = None
    std: tuple[Share, Share, Share] | None = None


class MethodSettings(Settings):
    """How weights are trained: SGD with Nesterov momentum, cosine from `learning_rate` to `learning_rate_min`.

    A method's settings are a subclass that ends with its name, as in `name: Literal["darts"] = "darts"`.
    """

    if TYPE_CHECKING:  # else it would come first in every recipe
        name: str

    learning_rate: Annotated[float, Field(gt=0)] = 0.025
    learning_rate_min: Annotated[float, Field(ge=0)] = 0.001
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    clip: Annotated[float, Field(gt=0)] | None = 5.0  # largest length of a weight gradient; null: any
    learning_rate_warmup: NotNegative = 0  # epochs at the beginning in which the learning rate rises
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of a label that is spread over all classes
    spare_norms: bool = False  # no weight decay on normalisations and biases


class SplitSettings(Settings):
    """How the space is divided among sub-supernets."""

    splitter: SplitterName = "gradient"
    splits: NotNegative | None = None  # levels of the tree; null: 2, exhaustive 1, none 0
    branch: Branch | list[Branch] | None = None  # groups per split, one number or one per level; null: 2
    choice: str | list[str] | None = None  # lowest | random | names, one per level; null: lowest if scored
    similarity: SimilarityName = "cos"
    average: AverageName = "gradients"  # over mini-batches: gradients (the paper) or similarities (released code)
    batches: Positive = 4  # mini-batches per candidate, in a race at most (the paper: 100)
    # exact: all of them for every candidate (the paper); race: only as long as a choice may still win; null: race if
    # batches is 16 or more.
    rule: Literal["exact", "race"] | None = None
    enable: Literal["one", "own"] = "one"  # weight of a candidate while it is scored: 1 or its own
    shared: Literal["all", "body"] = "all"  # gradients compared: all shared (the paper), or without the ends
    warmup_epochs: NotNegative = 1  # before each split
    # Where the learning rate of a warm-up begins, on a cosine of its own to 0; a leaf then has one of its own too.
    # null: all of them walk one cosine.
    warmup_learning_rate: Annotated[float, Field(gt=0)] | None = None
    restart: bool = True  # leaves start from new weights after the last split


StatisticsName = Annotated[
    Literal["batch", "mean", "forgetting"], spelled("batch", "mean", "forgetting", batches="batch", forget="forgetting")
]
Calibration = Annotated[int, Field(strict=True, ge=2, le=10**6)]
"""Images; one alone has no variance."""
SomeBatches = Annotated[int, Field(strict=True, ge=1, le=10**4)]


HookName = Annotated[str, BeforeValidator(partial(known_name, "cleave.search.hooks:HOOKS"))]


class SearchSettings(Settings):
    """How leaves are searched."""

    epochs: Positive = 2  # per leaf
    batch_size: Positive = 64  # images
    eval_batch_size: Positive = 250  # images
    # The statistics by which normalisations go where architectures are judged, in a leaf and in the control. batch:
    # those of each held-out batch. mean, forgetting: those that the architecture has on training images, their mean or
    # a moving average. null: what the method or the space asks for; batch, if they ask for nothing.
    statistics: StatisticsName | None = None
    calibration_images: Calibration | None = None  # of mean: training images; null: 2,000 (Once-for-All)
    # Of forgetting: so many batches, each with this share in the moving average, then so many with that; null: NNCF's
    # [[5, 0.9], [10, 0.1]].
    forgetting: Annotated[list[tuple[SomeBatches, Share]], Field(min_length=1)] | None = None
    calibration_batch_size: Calibration = 32  # of mean, at most, and of forgetting: images
    anneal: Literal["leaf", "path"] = "leaf"  # cosine over a leaf's own epochs, or over those from the root on
    # Cosines of a leaf, one after the other, each over as many of its epochs (Huang et al., 2017).
    cycles: Positive = 1
    # Epochs of every leaf whose weights are kept, from its last one back; with cycles those that end one.
    snapshots: Positive = 1
    # What weight steps do otherwise, in this order. complexity-rate: smaller networks learn faster at first
    # (DYNAS); momentum-separation: a momentum for each candidate of a choice (DYNAS); gradient-projection: gradients of
    # networks that conflict (PCGrad, NASViT).
    hooks: list[HookName] = []
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 20.0  # at least this long between checkpoints


WayName = Annotated[
    Literal["accuracy", "mixture-accuracy", "mixture-loss", "halving"],
    spelled("accuracy", "mixture-accuracy", "mixture-loss", "halving"),
]


class SelectionSettings(Settings):
    """How one leaf is chosen among all (GM-NAS, appendix C), by held-out images."""

    # By the accuracy of each leaf's architecture under its shared weights; the accuracy or the loss of its supernet
    # as the method runs it; or halving: architectures are retrained, and the worse half is dropped again and again.
    by: WayName = "accuracy"
    # Of halving: the epochs after which the worse half is dropped, as in [30, 100, 600]; the last ones are those of the
    # whole training.
    schedule: list[Positive] | None = None
    recipe: Name | None = None  # of halving: how networks are retrained, as in `cleave train --recipe`; null: short
    training: dict[str, Any] = {}  # keys of that recipe's section `training` that are others here
    space: dict[str, Any] = {}  # sizes of the space that are others in retraining, such as channels and cells

    @property
    def by_mixture(self) -> bool:
        """Whether it takes the leaves' supernets."""
        return self.by in ("mixture-accuracy", "mixture-loss")

    @property
    def retrains(self) -> bool:
        """Whether it retrains networks."""
        return self.by == "halving"


COST_OF = {"macs": "multiply_adds", "params": "parameters", "latency": "milliseconds"}
"""The keys by which a recipe limits costs, and what `cleave.net.cost.Cost` calls these."""


class LimitSettings(Settings):
    """What an architecture may cost at most; none that costs more is drawn, derived or chosen."""

    macs: Amount | None = None  # multiply-adds of an image, as in 300M; null: any number
    params: Amount | None = None  # parameters, as in 5M; null: any number
    latency: Milliseconds | None = None  # ms of a network by the table `latency`, as in 8ms; null: any
    # Of a method that learns weights of candidates: added to the held-out loss for each share by which expected costs
    # are above a limit.
    penalty: Annotated[float, Field(ge=0)] = 1.0
    space: dict[str, Any] = {}  # sizes at which costs are counted that are others than the search's, such as width
    image_size: ImageSize | None = None  # pixels on a side at which costs are counted; null: those of the search

    @property
    def given(self) -> dict[str, float]:
        """The limits that there are, by key."""
        return {key: most for key in COST_OF if (most := getattr(self, key)) is not None}

    @property
    def most(self) -> dict[str, float]:
        """The same by what is limited, as `cleave.net.cost.Cost` names it."""
        return {COST_OF[key]: most for key, most in self.given.items()}


class TrustSettings(Settings):
    """What is measured beside a search, to tell how far to trust its result. None of it changes the result."""

    panel: NotNegative = 10  # architectures of each leaf whose ranking is followed; 0: none
    panel_epochs: Positive = 5  # last epochs of a leaf in which it is
    panel_images: Positive = 500  # held-out images that it goes by
    # Random architectures trained alone beside the chosen one, for as many passes as the search; 0: none.
    # 19 is the smallest number that can show something at the 95 % level.
    control: NotNegative = 19


class GuardSettings(Settings):
    """What watches a run for faults, and says so. None of it changes a result."""

    off: list[GuardName] = []  # guards that are turned off, by name


AnySpace = Annotated[SerializeAsAny[SpaceSettings], BeforeValidator(lambda value: of_kind(Recipe, "space", value))]
AnyMethod = Annotated[SerializeAsAny[MethodSettings], BeforeValidator(lambda value: of_kind(Recipe, "method", value))]
AnySplit = Annotated[SerializeAsAny[SplitSettings], BeforeValidator(lambda value: of_kind(Recipe, "split", value))]


class Recipe(Settings):
    """One search, whole."""

    space: AnySpace = Field(default_factory=lambda: of_kind(Recipe, "space"))
    begin: BeginSettings = BeginSettings()
    data: DataSettings = DataSettings()
    method: AnyMethod = Field(default_factory=lambda: of_kind(Recipe, "method"))
    split: AnySplit = Field(default_factory=lambda: of_kind(Recipe, "split"))
    search: SearchSettings = SearchSettings()
    selection: SelectionSettings = SelectionSettings()
    limits: LimitSettings = LimitSettings()
    trust: TrustSettings = TrustSettings()
    guards: GuardSettings = GuardSettings()
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    device: Name = "auto"  # auto | cpu | cuda | cuda:N
    threads: Threads = 1  # of the CPU; on networks as small as the default ones a second thread only costs
    precision: Literal["float32", "bfloat16"] = "float32"  # of a search's passes; bfloat16 is for GPUs made for it
    compile: bool = False  # training steps by torch.compile: a minute or more for every node, so for long searches
    extensions: Extensions = Field(default=[])
    benchmark: Name | None = None  # table of trained accuracies; null: the imported one, if there is one
    # Table of `cleave measure` by which milliseconds are told; after "foreign:" one of another device. null: none.
    latency: Name | None = None
