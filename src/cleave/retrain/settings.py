"""How one architecture is trained by itself: every key with its type, range, unit and default. Needs no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from cleave.errors import UserError
from cleave.extras import need_extra
from cleave.kinds import of_kind
from cleave.settings import (
    TIMM,
    Extensions,
    GuardSettings,
    Name,
    NotNegative,
    Positive,
    Settings,
    SpaceSettings,
    Threads,
    ViewSettings,
)

Share = Annotated[float, Field(ge=0, lt=1)]


class RetrainSettings(Settings):
    """SGD along a cosine, or as said. The defaults are for data of which nothing is known; what is off is off there.

    Sources of the methods stand beside their keys; those of published constants are in `cleave.retrain.catalogue`.
    """

    epochs: Positive = 100
    batch_size: Positive = 96  # images of a step, on all GPUs together
    # Passes that a step is divided into, for memory: loss and gradient are those of the whole batch, but batch
    # normalisation goes by the images of a pass.
    accumulate: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 0.025
    learning_rate_min: Annotated[float, Field(ge=0)] = 0.0  # where the cosine ends (Loshchilov & Hutter, 2017)
    learning_rate_warmup: NotNegative = 0  # epochs at the beginning in which the learning rate rises
    learning_rate_warmup_from: Annotated[float, Field(ge=0)] | None = None  # in the first of them; null: the first step
    # Factor of the learning rate from epoch to epoch, in place of the cosine; null: the cosine.
    learning_rate_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    learning_rate_decay_epochs: Annotated[float, Field(gt=0)] = 1.0  # epochs from one such factor to the next
    # rmsprop: as in TensorFlow, by timm's RMSpropTF (`pip install 'cleave-nas[train]'`).
    optimizer: Literal["sgd", "rmsprop"] = "sgd"
    rmsprop_alpha: Share = 0.9  # share of the old mean of squared gradients that is left after a step
    rmsprop_eps: Annotated[float, Field(gt=0)] = 1e-3  # added to that mean
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 3e-4
    spare_norms: bool = False  # no weight decay on normalisations and biases
    clip: Annotated[float, Field(gt=0)] | None = 5.0  # largest length of a gradient; null: any
    label_smoothing: Share = 0.0  # share of a label that is spread over all classes (Szegedy et al., 2016)
    # Decay per step of the averages of weights and statistics by which the network is judged and kept (Polyak &
    # Juditsky, 1992); null: by the weights themselves. What is good belongs to a batch size.
    ema: Share | None = None
    auxiliary: Annotated[float, Field(ge=0)] = 0.0  # weight of the auxiliary head's loss; 0: no such head
    dropout: Share | None = None  # share of the pooled channels dropped; null: as the space's head says
    drop_path: Share = 0.0  # share of paths dropped in the end, rising from 0 epoch by epoch (Zoph et al., 2018)
    cutout: NotNegative = 0  # pixels on a side of the square that is made grey (DeVries & Taylor, 2017)
    # Least share of an image's area that is cropped and enlarged (Szegedy et al., 2015); null: images are shifted.
    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    jitter: Share = 0.0  # most that brightness, contrast and saturation change, and half of it the hue
    # Magnitude of two random operations on each image (Cubuk et al., 2020); 0: none.
    rand_augment: Annotated[int, Field(strict=True, ge=0, le=30)] = 0
    # RandAugment as timm has it, in timm's notation, as in rand-m9-mstd0.5; null: none.
    auto_augment: Name | None = None
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of images that lose a rectangle (Zhong et al., 2020)
    erasing_noise: bool = False  # each pixel of a rectangle becomes noise (timm's mode pixel); false: it becomes grey
    mixup: Annotated[float, Field(ge=0)] = 0.0  # alpha of the mixture of two images (Zhang et al., 2018); 0: none
    cutmix: Annotated[float, Field(ge=0)] = 0.0  # alpha of the pasted piece (Yun et al., 2019); with mixup: in turn
    # A network of timm's that answers are learned from (Hinton et al., 2015), by timm's name; null: none.
    teacher: Name | None = None
    teacher_weights: Name | None = None  # a file of its weights, .safetensors or .pth; null: timm's, by its cache
    teacher_share: Annotated[float, Field(gt=0, le=1)] = 0.9  # of the loss; the rest is by the labels
    temperature: Annotated[float, Field(gt=0)] = 1.0  # by which both networks' answers are softened
    precision: Literal["float32", "bfloat16", "float16"] = "float32"  # of the passes; weights are float32
    channels_last: bool = True  # how weights lie in memory
    eval_batch_size: Positive = 250  # images that are judged at once


def as_label(value: Any) -> Any:  # noqa: ANN401
    """A whole number, which is how YAML takes a leaf's label of one digit, as that label; anything else as it is."""
    return str(value) if type(value) is int else value


LeafLabel = Annotated[Name, BeforeValidator(as_label)]


class BeginSettings(Settings):
    """The weights that a training begins with."""

    # new: drawn by the seed; supernet: those that the architecture has in a leaf of a finished search; pretrained:
    # those of one of timm's networks (space.name=timm), in a file or timm's cache.
    weights: Literal["new", "supernet", "pretrained"] = "new"
    run: Name | None = None  # the folder of that search; null: of the one that is trained
    leaf: LeafLabel | None = None  # whose supernet, as in "0.1"; null: the chosen one's
    images: Positive = 2000  # training images, in whole batches, on which statistics of normalisations are measured
    file: Name | None = None  # of pretrained weights, .safetensors or .pth; null: timm's cache, and no download

    @property
    def inherits(self) -> bool:
        """Whether they come from a supernet."""
        return self.weights == "supernet"

    @property
    def pretrained(self) -> bool:
        """Whether they were trained elsewhere."""
        return self.weights == "pretrained"


class RetrainData(ViewSettings):
    """Which images. Test images are read by `cleave evaluate` alone."""

    image_size: Annotated[int, Field(strict=True, ge=8, le=4096)] | None = None
    limit: Positive | None = None
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.9
    use: Literal["all", "train"] = "train"  # train on all, or hold the rest of train_fraction out and tell its accuracy


AnyRetrainSpace = Annotated[
    SerializeAsAny[SpaceSettings], BeforeValidator(lambda value: of_kind(RetrainRecipe, "space", value))
]


class RetrainRecipe(Settings):
    """One training of one architecture, whole."""

    arch: Annotated[str, Field(max_length=100_000)]  # as its space writes it
    begin: BeginSettings = BeginSettings()
    space: AnyRetrainSpace = Field(default_factory=lambda: of_kind(RetrainRecipe, "space"))
    data: RetrainData = RetrainData()
    training: RetrainSettings = RetrainSettings()
    guards: GuardSettings = GuardSettings()
    most_multiply_adds: Positive | None = None  # of an image, for what is trained; null: any
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    device: Name = "auto"  # auto | cpu | cuda | cuda:N
    threads: Threads = 1  # of the CPU
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 20.0  # at least this long between checkpoints
    extensions: Extensions = Field(default=[])


def check_settings(settings: RetrainSettings, device: str, section: str = "training") -> None:
    """UserError for what contradicts: a schedule that makes no sense, parts of a batch that do not divide it."""
    highest, lowest, rise = settings.learning_rate, settings.learning_rate_min, settings.learning_rate_warmup
    if lowest > highest:
        raise UserError(f"{section}.learning_rate_min={lowest}: is above {section}.learning_rate={highest}; swap them")
    if rise and rise >= settings.epochs:
        raise UserError(
            f"{section}.learning_rate_warmup={rise}: must be below {section}.epochs={settings.epochs}; give 0 for none"
        )
    if settings.learning_rate_decay is not None and lowest:
        raise UserError(
            f"{section}.learning_rate_min={lowest}: is of the cosine; leave it out with learning_rate_decay"
        )
    start, every = settings.learning_rate_warmup_from, settings.learning_rate_decay_epochs
    if start is not None and (not rise or start > highest):
        raise UserError(
            f"{section}.learning_rate_warmup_from={start}: needs {section}.learning_rate_warmup, and may not be above "
            f"{section}.learning_rate={highest}"
        )
    if every != 1 and settings.learning_rate_decay is None:
        raise UserError(f"{section}.learning_rate_decay_epochs={every}: needs {section}.learning_rate_decay")
    check_augmentation(settings, section)
    check_extra(settings, section)
    if settings.nesterov and settings.momentum == 0:
        raise UserError(f"{section}.nesterov=true: needs momentum; give {section}.momentum above 0")
    if settings.batch_size % settings.accumulate:
        raise UserError(
            f"{section}.accumulate={settings.accumulate}: does not divide {section}.batch_size={settings.batch_size}"
        )
    if settings.batch_size == settings.accumulate:
        raise UserError(
            f"{section}.batch_size={settings.batch_size}: batch normalisation needs two images or more in a pass; "
            f"give a larger one, or less than {section}.accumulate={settings.accumulate}"
        )
    if settings.precision != "float32" and not device.startswith("cuda"):
        raise UserError(f"{section}.precision={settings.precision}: is for GPUs; on {device} use float32")


def check_augmentation(settings: RetrainSettings, section: str) -> None:
    """UserError for keys that say the same in two ways, or nothing."""
    if settings.auto_augment and settings.rand_augment:
        raise UserError(f"{section}.auto_augment: is another form of {section}.rand_augment; leave one of them out")
    if settings.auto_augment:
        from cleave.data.rand_augment import parsed  # needs torch

        parsed(settings.auto_augment, key=f"{section}.auto_augment")
    if settings.erasing_noise and not settings.erasing:
        raise UserError(f"{section}.erasing_noise=true: needs {section}.erasing, the share of images")


def check_extra(settings: RetrainSettings, section: str) -> None:
    """UserError where timm is asked for and not there, or what is said of it contradicts."""
    if settings.teacher_weights and not settings.teacher:
        raise UserError(f"{section}.teacher_weights: needs {section}.teacher, timm's name of that network")
    if settings.teacher is None:
        refuse_idle(settings, section, f"{section}.teacher", "teacher_share", "temperature")
    by_squares = settings.optimizer == "rmsprop"
    if not by_squares:
        refuse_idle(settings, section, f"{section}.optimizer=rmsprop", "rmsprop_alpha", "rmsprop_eps")
    if by_squares and settings.nesterov:
        raise UserError(f"{section}.nesterov=true: is of sgd; leave it out with {section}.optimizer=rmsprop")
    if settings.teacher or by_squares:
        need_extra("train")


def check_begin(begin: BeginSettings, space: str) -> None:
    """UserError for what is said of a supernet that is not asked for, or not named, and for weights that a space's
    networks have not."""
    if not begin.pretrained:
        refuse_idle(begin, "begin", "begin.weights=pretrained", "file")
    if begin.pretrained != (space == TIMM) and begin.weights != "new":
        raise UserError(
            f"begin.weights={begin.weights}: is not for networks of {space}; pretrained weights are those of timm's "
            "networks, as in: cleave train timm:resnet18 --pretrained cache"
        )
    if not begin.inherits:
        refuse_idle(begin, "begin", "begin.weights=supernet", "run", "leaf", "images")
    elif begin.run is None:
        raise UserError(
            "begin.weights=supernet: whose? Give the folder of a search, as in: cleave train RUN --from supernet "
            "--arch ARCH, or begin.run=RUN"
        )


def refuse_idle(settings: Settings, section: str, needed: str, *keys: str) -> None:
    """UserError for keys that were given a value and would not be used."""
    for key in keys:
        if (value := getattr(settings, key)) != type(settings).model_fields[key].default:
            raise UserError(f"{section}.{key}={value}: needs {needed}")
