"""What changes from epoch to epoch of a training from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cleave.retrain.settings import RetrainSettings
from cleave.train.rates import cosine


class Rates(NamedTuple):
    """Of one epoch: the learning rate, the share of paths that is dropped, the weight of the auxiliary head's loss."""

    learning_rate: float
    drop_path: float
    auxiliary: float


def place(epoch: int, planned: int, cuts: Sequence[tuple[int, int]]) -> float:
    """Where on the way that `planned` epochs would go an epoch is, counted from 0.

    `cuts`: (epoch, epochs), from that epoch on the rest of the way was laid out for so many epochs in all.
    """
    before, here, steps = 0, 0.0, 1.0
    for at, total in cuts:
        if epoch < at:
            break
        before, here = at, here + (at - before) * steps
        steps = (planned - here) / (total - at)
    return here + (epoch - before) * steps if before else epoch


def rates(settings: RetrainSettings, epoch: float) -> Rates:
    """Those of an epoch, counted from 0. Paths are dropped as in the code of DARTS: share * epoch / epochs."""
    return Rates(learning_rate(settings, epoch), settings.drop_path * epoch / settings.epochs, settings.auxiliary)


def learning_rate(settings: RetrainSettings, epoch: float) -> float:
    """Constant within an epoch: it rises in the first ones, then goes along a cosine or falls by a factor."""
    highest, rise, start = settings.learning_rate, settings.learning_rate_warmup, settings.learning_rate_warmup_from
    if epoch < rise and start is not None:
        return start + (highest - start) * epoch / rise
    if settings.learning_rate_decay is None or epoch < rise:
        return cosine(epoch, settings.epochs, highest, settings.learning_rate_min, rise)
    decays = (epoch - rise) // settings.learning_rate_decay_epochs
    return float(highest * settings.learning_rate_decay**decays)
