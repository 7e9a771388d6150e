"""What a recipe of the weight-sharing study may say. Nothing here needs torch.

The defaults are small enough for two CPU cores; the published protocol is `cleave study NAME --budget paper`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny

from cleave.kinds import of_kind
from cleave.settings import (
    Extensions,
    ImageSettings,
    Name,
    NetworkSettings,
    NotNegative,
    Positive,
    Settings,
    SpaceSettings,
    Threads,
)

StatisticsName = Literal["tracked", "batch", "recalibrated"]


class StudySpace(SpaceSettings):
    """Which children there are, beside what the space's own settings say."""

    children: Positive | None = None  # how many are drawn by the seed; null: all of the space

    def __reduce__(self) -> tuple[Any, ...]:
        """Classes that `study_space` makes are made again in another process."""
        _, kind = type(self).__bases__
        return restored, (kind, self.model_dump())


class StudyNetwork(StudySpace, NetworkSettings):
    """Which children there are, and the size of the supernets."""

    name: Name = "cells64"
    cells: Positive = 4  # as many as the space's layout makes of it


@cache
def study_space(kind: type[SpaceSettings]) -> type[StudySpace]:
    """A space's settings as a study has them."""
    return StudyNetwork if kind is NetworkSettings else type(f"Study{kind.__name__}", (StudySpace, kind), {})


def restored(kind: type[SpaceSettings], values: Mapping[str, Any]) -> StudySpace:
    return study_space(kind).model_validate(values)


class StudyData(ImageSettings):
    """Which images, and which of them children are ranked by. `train_fraction` has no meaning with judge=test."""

    name: Name = "cifar10"
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.8
    limit: Positive | None = 5000
    # held-out: children are ranked by images held out of the training part. test: by the test images, as in the paper,
    # so that nothing is left to report by.
    judge: Literal["held-out", "test"] = "held-out"
    report_test: bool = False  # also look at the test images, once, after the last epoch


class TrainingSettings(Settings):
    """SGD (without Nesterov's step), the learning rate falling along a cosine, epoch by epoch."""

    epochs: Positive = 10  # of each supernet; sharing.budget=matched divides them
    batch_size: Positive = 64  # images; what is left at the end of an epoch is a smaller batch
    learning_rate: Annotated[float, Field(gt=0)] = 0.025
    learning_rate_min: Annotated[float, Field(ge=0)] = 0.001
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    # Shared weights that a mini-batch does not use. frozen: stand still. drift: are moved by momentum and weight decay,
    # as in the released code.
    idle: Literal["frozen", "drift"] = "frozen"
    order: Literal["fixed", "shuffled-once", "reshuffled", "iid"] = "fixed"  # of children, one per mini-batch


class SharingSettings(Settings):
    """Which weights the children share. What they do not share begins with the same values."""

    policy: Literal["all", "none", "groups", "prefix", "pattern"] = "all"
    groups: Positive | None = None  # how many supernets, each trained by itself (policy=groups)
    by: Literal["sequential", "shuffled", "given", "clustered"] = "sequential"  # how children are grouped
    # given: a CSV with the columns architecture and group. clustered: the log of a study, whose curves are clustered.
    file: Name | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 42  # of by=shuffled
    cells: NotNegative | None = None  # policy=prefix: how many searched blocks are shared, and all before them
    # policy=pattern: what has this (a regular expression) in its name is shared; a name is, for example,
    # blocks.cell0.edges.2<-1.ops.sep_conv_3x3.1.Conv2d.weight
    pattern: Name | None = None
    # each: every supernet is trained for training.epochs. matched: these are divided among the supernets, in proportion
    # to their children, so that every child gets as many mini-batches as if all were shared.
    budget: Literal["each", "matched"] = "each"


class NormSettings(Settings):
    """Running statistics of the normalisations."""

    momentum: Annotated[float, Field(gt=0, le=1)] = 0.4  # share of a new batch in them
    running: Literal["shared", "child"] = "shared"  # one for all that share the layer, or each child its own


def different(values: list[Any]) -> list[Any]:
    """Refuses what is there twice."""
    if len(set(values)) < len(values):
        raise ValueError("lists something twice")
    return values


class LookSettings(Settings):
    """When the children are looked at, all of them each time, and by which statistics of the normalisations."""

    every: Positive = 1  # epochs between looks; always after the last
    dense: NotNegative = 64  # how many of the last mini-batches are each followed by a look
    images: Positive | None = 500  # how many of those that children are ranked by are used; null: all
    # tracked: the running ones. batch: of the batch that is judged. recalibrated: anew from training batches.
    statistics: Annotated[list[StatisticsName], Field(min_length=1), AfterValidator(different)] = Field(
        default=["tracked"]
    )
    calibration: Positive = 4  # training batches for recalibrated
    batch_size: Positive = 250  # images judged at once


class TuneSettings(Settings):
    """Children trained on alone from a snapshot, and looked at after every mini-batch."""

    epochs: Annotated[list[Positive], AfterValidator(different)] = Field(
        default=[]
    )  # after which epochs snapshots are taken; none: no tuning
    batches: Positive = 20  # mini-batches


AnyStudySpace = Annotated[
    SerializeAsAny[StudySpace], BeforeValidator(lambda value: of_kind(StudyRecipe, "space", value))
]


class StudyRecipe(Settings):
    """One study, whole."""

    usual: ClassVar[Mapping[str, str]] = {"space": "cells64"}

    space: AnyStudySpace = Field(default_factory=lambda: of_kind(StudyRecipe, "space"))
    data: StudyData = StudyData()
    training: TrainingSettings = TrainingSettings()
    sharing: SharingSettings = SharingSettings()
    norm: NormSettings = NormSettings()
    looks: LookSettings = LookSettings()
    tune: TuneSettings = TuneSettings()
    instances: Positive = 2  # repetitions
    vary: Literal["weights", "order"] = "weights"  # what differs between them: all that is random, or the order alone
    truth: Name | None = None  # accuracies of the children trained alone: a CSV or another study's log
    extensions: Extensions = Field(default=[])
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    device: Name = "auto"  # auto | cpu | cuda | cuda:N
    threads: Threads = 1  # of the CPU, in each worker
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0  # at least this long between checkpoints

    @classmethod
    def of_section(cls, section: str, kind: type[Any]) -> type[Any]:
        return study_space(kind) if section == "space" else kind  # type: ignore[arg-type]
