"""A training from scratch that a test can afford: random images, three cells of DARTS at two channels."""

from __future__ import annotations

from dataclasses import replace

import torch

from cleave.data.augment import Augment, Normalise
from cleave.data.images import Images
from cleave.retrain.ranks import ALONE, Ranks
from cleave.retrain.retraining import Retraining, retrain_layout
from cleave.retrain.settings import RetrainSettings
from cleave.retrain.trainer import RetrainTrainer, averaged
from cleave.space.darts import Darts, DartsSpaceSettings
from cleave.train import Averages

SPACE, SIZE, SIDE = Darts(), DartsSpaceSettings(channels=2, cells=3), 32
GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=[2, 3, 4, 5])"
)
"""Of DARTS, second order (Liu et al., 2019)."""
ALL = {
    "auxiliary": 0.4, "drop_path": 0.2, "cutout": 8, "ema": 0.9, "mixup": 0.2, "cutmix": 1.0, "rand_augment": 9,
    "erasing": 0.5, "jitter": 0.2, "crop": 0.3, "label_smoothing": 0.1,
}  # fmt: skip
"""Everything that a recipe may ask for on a CPU."""


def images(count: int = 18, seed: int = 0) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % 3, ("a", "b", "c"), shuffled=True)


def task(**changes: object) -> Retraining:
    settings = RetrainSettings.model_validate({"epochs": 2, "batch_size": 8, **changes})
    layout = retrain_layout(SPACE, SIZE, (3, SIDE), settings.auxiliary)
    train = images()
    return Retraining(
        "network", SPACE.parse(GENOTYPE), layout, settings, train, Augment(4), Normalise.of(train), seed=1
    )


def trainer(ranks: Ranks = ALONE, **changes: object) -> RetrainTrainer:
    return RetrainTrainer(task(**changes), ranks)


def in_doubles(ranks: Ranks = ALONE, **changes: object) -> RetrainTrainer:
    """The same of float64 weights and images."""
    found = trainer(ranks, **changes)
    found.network.double()
    if found.weights.averages is not None:
        found.weights.averages = Averages(averaged(found.network), found.weights.averages.decay)
    normalise = Normalise(found.task.normalise.mean.double(), found.task.normalise.std.double())
    found.task, found.batches.stream.normalise = replace(found.task, normalise=normalise), normalise
    return found
