"""What changes from epoch to epoch: the published protocol of DARTS at its first, second, middle and last epoch."""

from __future__ import annotations

from math import cos, pi

import pytest
import torch

from cleave.retrain.rates import place, rates
from cleave.retrain.recipes import load_training
from cleave.retrain.settings import RetrainSettings
from tests.fresh import fresh
from tests.retrain.mobile import ARCH
from tests.retrain.small import GENOTYPE


@pytest.mark.parametrize(
    ("epoch", "learning_rate", "drop_path"),
    [
        (0, 0.025, 0.0),
        (1, 0.024999828653, 0.00033333333),
        (299, 0.012565449749, 0.09966666667),
        (599, 1.71346545e-7, 0.19966666667),
    ],
)
def test_the_published_protocol(epoch: int, learning_rate: float, drop_path: float) -> None:
    found = rates(load_training(GENOTYPE, "darts-cifar", {}).training, epoch)
    assert found.learning_rate == pytest.approx(learning_rate, rel=1e-6)
    assert found.drop_path == pytest.approx(drop_path, rel=1e-6)
    assert found.auxiliary == 0.4


def test_on_imagenet_the_learning_rate_falls_by_a_factor() -> None:
    settings = load_training(GENOTYPE, "darts-imagenet", {}).training
    assert [rates(settings, epoch).learning_rate for epoch in (0, 1, 249)] == pytest.approx(
        [0.1, 0.097, 0.1 * 0.97**249]
    )
    assert rates(settings, 249).drop_path == 0


def test_a_learning_rate_rises_before_it_falls() -> None:
    settings = RetrainSettings(epochs=6, learning_rate=0.3, learning_rate_min=0.1, learning_rate_warmup=2)
    rising = [0.1, 0.2]
    falling = [0.1 + 0.2 * (1 + cos(pi * place / 4)) / 2 for place in range(4)]
    assert [rates(settings, epoch).learning_rate for epoch in range(6)] == pytest.approx(rising + falling)


def test_the_step_schedule_of_gm_nas() -> None:
    """From 1e-6 in three epochs to .064, then times .97 every 2.4 epochs."""
    settings = load_training(ARCH, "gm-imagenet", {}).training
    wanted = {0: 1e-6, 1: 1e-6 + (0.064 - 1e-6) / 3, 3: 0.064, 5: 0.064, 6: 0.064 * 0.97, 449: 0.064 * 0.97**185}
    assert {epoch: rates(settings, epoch).learning_rate for epoch in wanted} == pytest.approx(wanted)


def test_it_is_timms_schedule() -> None:
    scheduler = pytest.importorskip("timm.scheduler", reason="timm is not installed")
    settings = load_training(ARCH, "gm-imagenet", {}).training
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=settings.learning_rate)
    timms = scheduler.StepLRScheduler(optimizer, decay_t=2.4, decay_rate=0.97, warmup_t=3, warmup_lr_init=1e-6)
    for epoch in range(settings.epochs):
        timms.step(epoch)
        assert rates(settings, epoch).learning_rate == pytest.approx(optimizer.param_groups[0]["lr"])


def test_the_cosine_of_proxylessnas() -> None:
    settings = load_training(ARCH, "proxyless-imagenet", {}).training
    found = [rates(settings, epoch).learning_rate for epoch in (0, 1, 150, 299)]
    assert found == pytest.approx([0.05, 0.025 * (1 + cos(pi / 300)), 0.025, 0.025 * (1 + cos(pi * 299 / 300))])


def test_a_schedule_that_is_not_cut_goes_from_epoch_to_epoch() -> None:
    assert [place(epoch, 7, []) for epoch in range(7)] == list(range(7))


def test_a_schedule_that_is_cut_goes_on_where_it_was_and_ends_where_it_should() -> None:
    """Epoch by epoch: what is left of the way is walked in equal steps, laid out anew at every cut."""
    random = fresh()
    for _ in range(50):
        planned, cuts, walked = int(random.integers(8, 40)), list[tuple[int, int]](), [0.0]
        total = planned
        for epoch in range(planned):
            if epoch >= total:
                break
            if 0 < epoch < total - 2 and random.random() < 0.2:
                total = int(random.integers(epoch + 1, total))
                cuts.append((epoch, total))
            walked.append(walked[-1] + (planned - walked[-1]) / (total - epoch))
        assert [place(epoch, planned, cuts) for epoch in range(total + 1)] == pytest.approx(walked[: total + 1])
        assert walked[total] == pytest.approx(planned)
