"""What a recipe may say: every key with its type, range, unit and default. Nothing here needs torch.

The defaults are the run that `cleave search` does without a recipe: small enough for two CPU cores. The published
protocols are recipes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cleave.errors import plain


def spelled(*names: str, **aliases: str) -> BeforeValidator:
    """Lets a name be written with other capitals, hyphens or underscores, or by an alias."""
    known = {plain(name): name for name in names} | aliases

    def canonical(value: Any) -> Any:  # noqa: ANN401
        return known.get(plain(value), value) if isinstance(value, str) else value

    return BeforeValidator(canonical)


SplitterName = Annotated[
    Literal["none", "exhaustive", "random", "gradient"],
    spelled(
        "none", "exhaustive", "random", "gradient",
        oneshot="none", fewshot="exhaustive", gradientmatching="gradient", gm="gradient",
    ),
]  # fmt: skip
SimilarityName = Annotated[
    Literal["cos", "l2", "filter-cos"],
    spelled("cos", "l2", "filter-cos", cosine="cos", perfiltercos="filter-cos", filtercosine="filter-cos"),
]
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
ImageSize = Annotated[int, Field(strict=True, ge=8, le=4096)]
Threads = Annotated[int, Field(strict=True, ge=1, le=1024)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Branch = Annotated[int, Field(strict=True, ge=2, le=MOST)]


class Settings(BaseModel):
    """A mapping of a recipe: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SpaceSettings(Settings):
    """Which architectures there are, and the size of the supernet."""

    name: Name = "nasbench201"
    ops: int | list[str] | None = None  # how many operations or which; null: all
    channels: Positive = 8  # of the first cells
    cells: Positive = 1  # per stage


class DataSettings(Settings):
    """Which images; the part they are divided into for the search. Test images are never loaded by a search."""

    name: Name = "bundled"  # or the path of a folder of images
    root: Name | None = None  # where named image sets are kept; null: CLEAVE_DATA, else the cache folder
    # Pixels on a side; null: as a published set stores them, and 32 for a folder, whose images may be of any size.
    image_size: ImageSize | None = 16
    # The rest is held out; no meaning with a folder that has train/, val/ and test/, where val/ is held out.
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    limit: Positive | None = 4000  # at most so many images are used; null: all
    skip_damaged: bool = False  # leave out files of a folder that cannot be used; false: they are an error
    padding: NotNegative | None = None  # pixels of random shift; null: an eighth of the size
    flip: bool = True  # mirror images half of the time


class MethodSettings(Settings):
    """How weights are trained: SGD with Nesterov momentum, cosine from `learning_rate` to `learning_rate_min`."""

    learning_rate: Annotated[float, Field(gt=0)] = 0.025
    learning_rate_min: Annotated[float, Field(ge=0)] = 0.001
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    clip: Annotated[float, Field(gt=0)] = 5.0  # largest length of a weight gradient


class ArchitectureSettings(MethodSettings):
    """Adam on the architecture weights."""

    # Adam moves a weight by about this in a step. Published is 3e-4, for some 15,000 steps; this is for a few hundred.
    architecture_learning_rate: Annotated[float, Field(gt=0)] = 0.03
    architecture_betas: tuple[Beta, Beta] = (0.5, 0.999)
    architecture_weight_decay: Annotated[float, Field(ge=0)] = 1e-3


class DartsSettings(ArchitectureSettings):
    """DARTS, first order."""

    name: Literal["darts"] = "darts"


class Darts2Settings(ArchitectureSettings):
    """DARTS, second order."""

    name: Literal["darts2"] = "darts2"


class GumbelSettings(ArchitectureSettings):
    """Samples at a temperature that falls linearly over the epochs of a leaf's search."""

    temperature: Annotated[float, Field(gt=0)] = 1.0  # in the first epoch
    temperature_min: Annotated[float, Field(gt=0)] = 0.1  # in the last


class SnasSettings(GumbelSettings):
    """SNAS: soft samples."""

    name: Literal["snas"] = "snas"


class GdasSettings(GumbelSettings):
    """GDAS: hard samples, one candidate per choice."""

    name: Literal["gdas"] = "gdas"
    temperature: Annotated[float, Field(gt=0)] = 10.0


class DrnasSettings(ArchitectureSettings):
    """DrNAS: samples of a Dirichlet distribution, without progressive partial channels."""

    name: Literal["drnas"] = "drnas"


class RspsSettings(MethodSettings):
    """Random search with parameter sharing."""

    name: Literal["rsps"] = "rsps"
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    samples: Positive = 200  # architectures evaluated per leaf
    rejects: bool = True  # drop the worse half again and again, on ever more held-out images; false: all on all


class RandomSettings(MethodSettings):
    """Random search: architectures of the leaf trained one after the other, alone; the best one is taken."""

    name: Literal["random"] = "random"
    epochs_each: Positive = 1  # that an architecture is trained for
    samples: Positive | None = None  # architectures per leaf; null: as many as search.epochs allows


AnyMethod = Annotated[
    DartsSettings | Darts2Settings | SnasSettings | GdasSettings | DrnasSettings | RspsSettings | RandomSettings,
    Field(discriminator="name"),
]
METHOD_NAMES = tuple(kind.model_fields["name"].default for kind in get_args(get_args(AnyMethod)[0]))
METHOD_ALIASES = {"darts1st": "darts", "dartsv1": "darts", "darts2nd": "darts2", "dartsv2": "darts2"}


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
    restart: bool = True  # leaves start from new weights after the last split


class SearchSettings(Settings):
    """How leaves are searched."""

    epochs: Positive = 2  # per leaf
    batch_size: Positive = 64  # images
    eval_batch_size: Positive = 250  # images
    anneal: Literal["leaf", "path"] = "leaf"  # cosine over a leaf's own epochs, or over those from the root on
    snapshots: Positive = 1  # weights kept of every leaf: those of its last so many epochs
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 20.0  # at least this long between checkpoints


class TrustSettings(Settings):
    """What is measured beside a search, to tell how far to trust its result. None of it changes the result."""

    panel: NotNegative = 10  # architectures of each leaf whose ranking is followed; 0: none
    panel_epochs: Positive = 5  # last epochs of a leaf in which it is
    panel_images: Positive = 500  # held-out images that it goes by
    # Random architectures trained alone beside the chosen one, for as many passes as the search; 0: none.
    # 19 is the smallest number that can show something at the 95 % level.
    control: NotNegative = 19


def _named_method(value: Any) -> Any:  # noqa: ANN401
    """A method without a name is the default one; its name may be spelled in other ways."""
    if not isinstance(value, Mapping):
        return value
    name = value.get("name", METHOD_NAMES[0])
    return {**value, "name": METHOD_ALIASES.get(plain(name), plain(name)) if isinstance(name, str) else name}


class Recipe(Settings):
    """One search, whole."""

    space: SpaceSettings = SpaceSettings()
    data: DataSettings = DataSettings()
    method: Annotated[AnyMethod, BeforeValidator(_named_method)] = DartsSettings()
    split: SplitSettings = SplitSettings()
    search: SearchSettings = SearchSettings()
    trust: TrustSettings = TrustSettings()
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    device: Name = "auto"  # auto | cpu | cuda | cuda:N
    threads: Threads = 1  # of the CPU; on networks as small as the default ones a second thread only costs
    precision: Literal["float32", "bfloat16"] = "float32"  # of a search's passes; bfloat16 is for GPUs made for it
    compile: bool = False  # training steps by torch.compile: a minute or more for every node, so for long searches
    benchmark: Name | None = None  # table of trained accuracies; null: the imported one, if there is one
