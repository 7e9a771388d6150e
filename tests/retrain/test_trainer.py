"""The trainer of one architecture: exact resume, parts of a batch, averages, and what is in the network it leaves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.errors import UserError
from cleave.net import count_parameters
from cleave.net.cost import cost_alone
from cleave.retrain.ranks import Ranks
from cleave.retrain.retraining import retrain_layout
from cleave.retrain.settings import RetrainSettings, check_settings
from cleave.retrain.trainer import RetrainTrainer
from cleave.space.nb201 import NASBench201
from cleave.train import TRACKED
from cleave.train.statistics import normalisations
from tests.retrain.small import ALL, SIZE, SPACE, images, in_doubles, task, trainer


def same(one: RetrainTrainer, other: RetrainTrainer) -> bool:
    pairs = zip(one.trained().values(), other.trained().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs) and one.means() == other.means()


@pytest.mark.parametrize("changes", [{}, ALL, {"accumulate": 2, "spare_norms": True, "channels_last": False}])
def test_a_training_goes_on_from_any_step(changes: dict[str, Any]) -> None:
    whole, record = trainer(**changes), trainer(**changes).record()
    while whole.step < whole.steps:
        again = trainer(**changes)
        again.restore(record)
        again.advance()
        whole.advance()
        record = again.record()
        assert same(whole, again), f"step {whole.step}"


def test_two_trainings_are_equal_and_another_seed_is_another() -> None:
    one, other = trainer(**ALL), trainer(**ALL)
    for each in (one, other):
        for _ in range(each.steps):
            each.advance()
    assert same(one, other)
    assert one.steps == 2 * 3  # 18 images in batches of 8: the third is filled from the next pass


def test_a_step_is_that_of_plain_torch() -> None:
    """Without anything random: the loss of the batch with the auxiliary head's, its gradient clipped, SGD."""
    fast, slow = in_doubles(auxiliary=0.4, clip=0.5, weight_decay=0.01), in_doubles(auxiliary=0.4)
    parameters = list(slow.network.parameters())
    sgd = torch.optim.SGD(parameters, lr=0.025, momentum=0.9, weight_decay=0.01)
    for step in range(2):
        pixels, labels = slow.batches.batch(step)
        logits, other = slow.network.heads(pixels, slow.gates)
        assert other is not None
        loss = cross_entropy(logits, labels) + 0.4 * cross_entropy(other, labels)
        sgd.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        sgd.step()
        fast.advance()
        assert fast.sums[0] / fast.sums.new_tensor(8 * (step + 1)) == pytest.approx(fast.means()[0])
    for one, two in zip(fast.network.parameters(), parameters, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_nothing_of_initial_statistics_is_left_after_the_first_steps(accumulate: int) -> None:
    """As in a training from so few images that it has a few dozen steps."""
    made, seen = trainer(accumulate=accumulate, ema=None), list[Tensor]()
    norm = normalisations(made.network)[-1]
    norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().mean(dim=(0, 2, 3))))
    for _ in range(2):
        made.advance()
    assert len(seen) == 2 * accumulate
    torch.testing.assert_close(norm.running_mean, torch.stack(seen).mean(dim=0))


def without_statistics(made: RetrainTrainer) -> RetrainTrainer:
    """Its normalisations do not go by the batch."""
    made.network.eval()
    return made


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_give_its_loss_and_gradient(parts: int) -> None:
    """Paths that are dropped and images that are mixed are those of the whole batch, whatever its parts."""
    random = {"drop_path": 0.3, "auxiliary": 0.4, "mixup": 0.2, "cutout": 8, "epochs": 3}
    whole = without_statistics(in_doubles(**random))
    divided = without_statistics(in_doubles(**random, accumulate=parts))
    for _ in range(whole.task.steps_per_epoch + 2):  # paths are dropped from the second epoch on
        whole.advance()
        divided.advance()
        assert divided.means() == pytest.approx(whole.means(), rel=1e-9)
    for one, two in zip(whole.network.parameters(), divided.network.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-7, atol=1e-9)


def test_processes_take_parts_of_a_batch_that_cover_it() -> None:
    passes = zip(*(Ranks(rank, 3).parts(24, 2) for rank in range(3)), strict=True)
    assert [number for parts in passes for part in parts for number in range(24)[part]] == list(range(24))
    with pytest.raises(UserError, match=r"batch_size=32: cannot be divided among 3 processes.*multiple of 3"):
        Ranks(0, 3).parts(32, 1)


def test_what_is_kept_has_averages_and_no_auxiliary_head() -> None:
    made, plain = trainer(ema=0.5, auxiliary=0.4), trainer(auxiliary=0.4)
    for each in (made, plain):
        each.advance()
        each.advance()
    kept, before = made.trained(), trainer(auxiliary=0.4).network.state_dict()
    assert not any(name.startswith("auxiliary") for name in kept)
    assert any(name.startswith("auxiliary") for name in made.network.state_dict())
    assert torch.equal(made.network.classifier.weight, plain.network.classifier.weight), "averages changed the training"
    after = trainer(auxiliary=0.4)
    after.advance()
    for name in ("classifier.weight", "blocks.cell0.preprocess.0.2.running_mean"):
        one, two = after.network.state_dict()[name], plain.network.state_dict()[name]
        torch.testing.assert_close(kept[name], 0.25 * before[name] + 0.25 * one + 0.5 * two)


def test_a_network_is_judged_by_its_running_statistics_and_averages() -> None:
    made = trainer(ema=0.5, eval_batch_size=5)
    made.advance()
    with made.weights.averages.applied():  # type: ignore[union-attr]
        twin = TRACKED.of(made.network)
        pixels = made.task.normalise(images(20, seed=5).pixels)
        right = int((twin(pixels, made.gates).argmax(dim=1) == images(20).labels).sum())
    state = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    assert made.judge(images(20, seed=5)).overall == pytest.approx(100 * right / 20)
    assert all(torch.equal(state[name], tensor) for name, tensor in made.network.state_dict().items())


def test_the_auxiliary_head_is_in_no_cost() -> None:
    made = task(auxiliary=0.4)
    cost = cost_alone(made.layout, made.arch, (3, 32, 32), 3)
    assert cost == cost_alone(task().layout, made.arch, (3, 32, 32), 3)
    assert cost.parameters == count_parameters(trainer().network)
    assert cost.parameters < count_parameters(RetrainTrainer(made).network)


def test_an_auxiliary_head_needs_images_of_some_size() -> None:
    with pytest.raises(UserError, match=r"training\.auxiliary=0\.4: .* 29 pixels or more on a side, not 28"):
        retrain_layout(SPACE, SIZE, (3, 28), 0.4)
    layout = retrain_layout(SPACE, SIZE, (3, 29), 0.4)
    made = task(auxiliary=0.4)
    assert layout == made.layout
    network = RetrainTrainer(made).network
    logits, other = network.heads(torch.rand(2, 3, 29, 29), trainer().gates)
    assert other is not None
    assert other.shape == logits.shape
    with pytest.raises(UserError, match=r"nasbench201 have no auxiliary head; give training\.auxiliary=0"):
        retrain_layout(NASBench201(), NASBench201().usual_size, (3, 32), 0.4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate_min": 0.1}, r"training\.learning_rate_min=0\.1: is above training\.learning_rate=0\.025"),
        (
            {"learning_rate_warmup": 5, "epochs": 5},
            r"learning_rate_warmup=5: must be below training\.epochs=5",
        ),
        ({"learning_rate_min": 0.01, "learning_rate_decay": 0.9}, r"learning_rate_min=0\.01: is of the cosine"),
        ({"nesterov": True, "momentum": 0.0}, r"nesterov=true: needs momentum"),
        ({"batch_size": 10, "accumulate": 4}, r"accumulate=4: does not divide training\.batch_size=10"),
        ({"batch_size": 4, "accumulate": 4}, r"batch_size=4: batch normalisation needs two images or more in a pass"),
        ({"precision": "float16"}, r"precision=float16: is for GPUs"),
        ({"precision": "bfloat16"}, r"precision=bfloat16: is for GPUs"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_settings(RetrainSettings(**changes), "cpu")


def test_a_loss_that_is_not_finite_is_said() -> None:
    made = trainer(learning_rate=1e30, clip=None)
    made.advance()
    with pytest.raises(UserError, match=r"network, step 1: the loss is nan; try a smaller training\.learning_rate"):
        made.advance()
