"""Steps of the trainer, against the updates written out; what is saved of it; several networks in one step."""

from __future__ import annotations

from math import nan

import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.functional import cross_entropy

from cleave.errors import UserError
from cleave.train import Averages, Pass, Path, Sgd, Trainer, supervised

SGDS = [
    Sgd(0.9, 0.02, nesterov=True, clip=0.05),
    Sgd(0.9, 0.02),
    Sgd(0.0, 0.1, spares=True),
    Sgd(0.5, 0.1, nesterov=True, clip=0.01, spares=True),
]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def rate(step: int) -> float:
    return 0.1 / (1 + step)


def explain(loss: float) -> UserError:
    return UserError(f"the loss is {loss}")


def trainer_of(module: nn.Module, sgd: Sgd, average: float | None = None) -> Trainer:
    parameters = dict(module.named_parameters())
    return Trainer(parameters, sgd, rate, explain, None if average is None else Averages(parameters, average))


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(6, 5, dtype=torch.float64), torch.randint(3, (6,))


def step(trainer: Trainer, images_and_labels: tuple[Tensor, Tensor], *paths: Path) -> Pass:
    trainer.begin()
    return trainer.update(images_and_labels, paths)


@pytest.mark.parametrize("sgd", SGDS)
def test_a_step_is_the_update_written_out(sgd: Sgd) -> None:
    module = network()
    trainer = trainer_of(module, sgd)
    values = {name: value.detach().clone() for name, value in module.named_parameters()}
    velocity: dict[str, Tensor] = {}
    for number in range(3):
        images, labels = batch()
        leaves = {name: value.clone().requires_grad_() for name, value in values.items()}
        loss = cross_entropy(torch.func.functional_call(module, leaves, (images,)), labels)
        gradients = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
        length = torch.cat([gradient.flatten() for gradient in gradients.values()]).norm().item()
        factor = 1.0 if sgd.clip is None else min(1.0, sgd.clip / (length + 1e-6))
        for name, gradient in gradients.items():
            decayed = not (sgd.spares and values[name].dim() == 1)
            update = factor * gradient + (sgd.weight_decay * values[name] if decayed else 0)
            velocity[name] = sgd.momentum * velocity[name] + update if name in velocity else update
            moved = update + sgd.momentum * velocity[name] if sgd.nesterov else velocity[name]
            values[name] = values[name] - rate(number) * moved
        done = step(trainer, (images, labels), supervised(module))
        assert done.loss.item() == pytest.approx(loss.item())
        for name, value in module.named_parameters():
            torch.testing.assert_close(value.detach(), values[name])
    assert trainer.step == 3


def test_several_paths_are_one_step_down_their_mean_loss() -> None:
    one, other, images_and_labels = network(), network(), batch()
    together = network()
    together.load_state_dict(one.state_dict())

    def halved(images: Tensor) -> Tensor:
        return together(images) / 2

    def mean(both: tuple[Tensor, Tensor]) -> Pass:
        images, labels = both
        logits = one(images)
        return Pass((cross_entropy(logits, labels) + cross_entropy(logits / 2, labels)) / 2, logits)

    first = step(trainer_of(together, SGDS[0]), images_and_labels, supervised(together), supervised(halved))
    step(trainer_of(one, SGDS[0]), images_and_labels, mean)
    for mine, expected in zip(together.parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)
    other.load_state_dict(together.state_dict())
    assert first.logits.shape == (6, 3)
    assert not first.loss.requires_grad


def test_what_does_not_run_stands_still_unless_it_is_idle() -> None:
    module = nn.ModuleDict({"used": network(), "unused": network()})
    still, drifting = (trainer_of(module, Sgd(0.9, 0.1)) for _ in range(2))
    before = [parameter.detach().clone() for parameter in module["unused"].parameters()]
    step(still, batch(), supervised(module["used"]))
    assert all(torch.equal(a, b) for a, b in zip(before, module["unused"].parameters(), strict=True))
    assert still.momentum.keys() == {name for name, _ in module.named_parameters() if name.startswith("used")}
    idle = (parameter for parameter in module.parameters() if parameter.grad is None)
    drifting.begin()
    drifting.update(batch(), [supervised(module["used"])], idle)
    moved = zip(before, module["unused"].parameters(), strict=True)
    assert all(torch.allclose(after, (1 - 0.1 * 0.1) * value) for value, after in moved)


def test_a_saved_trainer_goes_on_bit_for_bit() -> None:
    whole, batches = network(), [batch() for _ in range(4)]
    broken = network()
    broken.load_state_dict(whole.state_dict())
    one, first = (trainer_of(module, SGDS[3], average=0.9) for module in (whole, broken))
    for images_and_labels in batches:
        step(one, images_and_labels, supervised(whole))
    for images_and_labels in batches[:2]:
        step(first, images_and_labels, supervised(broken))
    again = network()
    again.load_state_dict(broken.state_dict())
    second = trainer_of(again, SGDS[3], average=0.9)
    second.load(first.state(), first.step)
    for images_and_labels in batches[2:]:
        step(second, images_and_labels, supervised(again))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    assert one.averages is not None
    assert second.averages is not None
    assert all(torch.equal(value, second.averages.values[name]) for name, value in one.averages.values.items())


def scaling(module: nn.Module) -> Trainer:
    scaler = GradScaler("cpu", growth_interval=2)
    return Trainer(dict(module.named_parameters()), SGDS[3], rate, explain, scaler=scaler)


def test_scaled_losses_change_nothing_and_their_scale_is_saved() -> None:
    """By powers of two, in float64: the same weights to the bit, gradients clipped at the same length."""
    plain, scaled = network(), network()
    scaled.load_state_dict(plain.state_dict())
    one = trainer_of(plain, SGDS[3])
    other, again = scaling(scaled), scaling(scaled)
    for images_and_labels in [batch() for _ in range(3)]:
        step(one, images_and_labels, supervised(plain))
        step(other, images_and_labels, supervised(scaled))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), scaled.parameters(), strict=True))
    again.load(other.state(), other.step)
    assert again.scaler.state_dict() == other.scaler.state_dict()
    assert again.scaler.get_scale() == 2.0**17


def test_a_loss_that_is_not_finite_is_explained_and_moves_nothing() -> None:
    module = network()
    trainer = trainer_of(module, SGDS[0])
    with torch.no_grad():
        module[2].bias[0] = nan
    before = module[0].weight.detach().clone()
    with pytest.raises(UserError, match="the loss is nan"):
        step(trainer, batch(), supervised(module))
    assert torch.equal(module[0].weight, before)
    assert trainer.step == 0
