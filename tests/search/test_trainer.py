"""One node in training: its step against a plain twin, its state, its frozen parts, its score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from cleave.config import load_recipe
from cleave.data.augment import Normalise
from cleave.errors import UserError
from cleave.net import noisy, one_hot
from cleave.resolve import resolve
from cleave.run.generations import read_record, write_record
from cleave.search.evaluator import LeafEvaluator
from cleave.search.matching import Matcher
from cleave.search.problem import Problem, Setup, open_problem
from cleave.search.schedule import alone, schedule
from cleave.search.scope import Standalone
from cleave.search.trainer import NodeTrainer
from cleave.space import NetworkSize, Region, find_space
from cleave.split import Node
from cleave.train import Pass
from tests.toys import ToyHead

SPACE = find_space("nasbench201")
TINY = [
    "data.limit=96", "data.image_size=8", "space.channels=2", "search.batch_size=32", "search.epochs=1",
    "split.batches=2", "threads=1",
]  # fmt: skip


def problem(*changes: str) -> Problem:
    recipe, _ = resolve(load_recipe(None, [*TINY, *changes], {}), SPACE)
    return open_problem(recipe)


@pytest.fixture(scope="module", params=["darts", "rsps"])
def tiny(request: pytest.FixtureRequest) -> Problem:
    return problem(f"method.name={request.param}", "split.splits=1", "search.epochs=3")


def leaf(problem: Problem, region: Region = SPACE.region) -> NodeTrainer:
    return NodeTrainer(problem, Node((0,), region), schedule(problem.recipe, 1))


def root(problem: Problem) -> NodeTrainer:
    return NodeTrainer(problem, Node((), SPACE.region), schedule(problem.recipe, 0))


def test_warm_up_leaves_the_architecture_alone_and_search_moves_it() -> None:
    both = problem("split.splits=1")
    warm, searching = root(both), leaf(both)
    for trainer, moves in ((warm, False), (searching, True)):
        before = {name: value.clone() for name, value in trainer.method.named_parameters()}
        trainer.advance()
        moved = [not torch.equal(value, before[name]) for name, value in trainer.method.named_parameters()]
        assert any(moved) is moves


def test_a_weight_step_is_clipped_nesterov_sgd_with_weight_decay(tiny: Problem) -> None:
    """Two steps against the update written out, with a clip small enough to bite."""
    clip, rate, momentum = 0.05, tiny.recipe.method.learning_rate, tiny.recipe.method.momentum
    settings = tiny.recipe.method.model_copy(update={"clip": clip})
    trainer = root(replace(tiny, recipe=tiny.recipe.model_copy(update={"method": settings})))
    twin = {name: value.detach().clone() for name, value in trainer.network.named_parameters()}
    velocity: dict[str, torch.Tensor] = {}
    for step in range(2):
        images, labels = trainer.train.batch(step)
        gates = trainer.method.gates(trainer.context("gates", step))
        trainer.network.zero_grad()
        cross_entropy(trainer.network(images, gates), labels).backward()
        grads = {n: p.grad.clone() for n, p in trainer.network.named_parameters() if p.grad is not None}
        length = torch.stack([grad.square().sum() for grad in grads.values()]).sum().sqrt()
        factor = min(1.0, clip / (length.item() + 1e-6))
        for name, grad in grads.items():
            update = grad * factor + settings.weight_decay * twin[name]
            velocity[name] = momentum * velocity[name] + update if name in velocity else update
            twin[name] = twin[name] - rate * (update + momentum * velocity[name])
        trainer.network.zero_grad()
        trainer.advance()
        for name, value in trainer.network.named_parameters():
            torch.testing.assert_close(value.detach(), twin[name], rtol=1e-4, atol=1e-6)


def test_a_step_of_several_paths_goes_down_their_mean_loss() -> None:
    tiny = problem("method.name=rsps", "method.paths=3", "method.label_smoothing=0.2", "split.splits=1")
    trainer, twin = root(tiny), root(tiny)
    context = trainer.context("gates", 0)
    gates = [one_hot(SPACE.sample(SPACE.region, context.generator)) for _ in range(3)]
    images, labels = trainer.train.batch(0)
    losses = [cross_entropy(twin.network(images, each), labels, label_smoothing=0.2) for each in gates]
    twin.weights.begin()
    twin.weights.update((images, labels), [lambda batch: Pass(torch.stack(losses).mean(), torch.zeros(1, 1))])
    cost = trainer.advance()
    assert (cost.weight_steps, cost.arch_steps) == (3, 0)
    for value, expected in zip(trainer.network.parameters(), twin.network.parameters(), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


def test_where_nothing_that_ran_depends_on_alpha_it_stands_still_but_for_its_decay() -> None:
    """As where GDAS draws what computes nothing everywhere."""
    trainer = leaf(problem("method.name=gdas", "split.splits=1", "method.architecture_weight_decay=0"))
    nothing = one_hot({choice.name: "none" for choice in SPACE.choices})
    trainer.method.mixture = lambda context: nothing  # type: ignore[method-assign,assignment]
    before = [alpha.clone() for alpha in trainer.method.parameters()]
    assert trainer.advance().arch_steps == 1
    assert all(map(torch.equal, before, trainer.method.parameters()))


def test_an_architecture_learns_every_so_many_steps_and_not_at_the_beginning() -> None:
    tiny = problem("search.epochs=3", "split.splits=1", "method.architecture_every=2", "method.architecture_after=1")
    trainer, found = leaf(tiny), []
    for _ in range(trainer.steps):
        before = [alpha.clone() for alpha in trainer.method.parameters()]
        cost = trainer.advance()
        moved = [not torch.equal(a, b) for a, b in zip(before, trainer.method.parameters(), strict=True)]
        assert any(moved) is bool(cost.arch_steps)
        found.append(cost.arch_steps)
    per_epoch = tiny.steps_per_epoch
    assert per_epoch >= 2
    assert found == [0] * per_epoch + 2 * [1 - step % 2 for step in range(per_epoch)]


def test_normalisations_and_biases_can_be_spared() -> None:
    tiny = problem("method.name=rsps", "split.splits=1", "method.spare_norms=true", "method.weight_decay=0.3")
    trainer = root(tiny)
    spared = {id(weight) for weight in trainer.weights.optimizer.param_groups[1]["params"]}
    names = {name for name, weight in trainer.network.named_parameters() if id(weight) in spared}
    assert "classifier.bias" in names
    assert "classifier.weight" not in names
    assert names == {name for name, weight in trainer.network.named_parameters() if weight.dim() == 1}


def test_a_network_that_is_trained_alone_may_be_larger_and_trained_otherwise(tiny: Problem) -> None:
    arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(0))
    settings = tiny.recipe.method.model_copy(update={"learning_rate": 0.01, "learning_rate_min": 0.005})
    larger = Setup(SPACE.layout(NetworkSize(4, 2), tiny.train.pixels.shape[1]), settings)
    trainer = NodeTrainer(tiny, Standalone("large", arch), alone(3), larger)
    usual = NodeTrainer(tiny, Standalone("large", arch), alone(3))
    assert len(trainer.network.blocks) > len(usual.network.blocks)
    assert trainer.network.classifier.in_features == 2 * usual.network.classifier.in_features
    trainer.advance()
    assert trainer.weights.optimizer.param_groups[0]["lr"] == 0.01
    assert 0 <= LeafEvaluator(trainer)(arch) <= 100


def headed(drop_path: float = 0.0) -> NodeTrainer:
    """A network with dropout and an auxiliary head, trained alone for three epochs."""
    space = ToyHead()
    tiny = problem("method.name=rsps", "split.splits=1")
    layout = space.layout(space.paper_size, tiny.train.pixels.shape[1])
    arch = space.sample(space.region, torch.Generator().manual_seed(0))
    setup = Setup(layout, tiny.recipe.method, drop_path)
    return NodeTrainer(replace(tiny, space=space), Standalone("headed", arch), alone(3), setup)


def test_the_auxiliary_head_learns_by_its_share_of_the_loss() -> None:
    trainer = headed()
    images, labels = trainer.train.batch(0)
    with noisy(trainer.network, trainer.chance.generator("noise", 0)):
        logits, other = trainer.network.heads(images, one_hot(trainer.scope.arch))
    expected = cross_entropy(logits, labels) + 0.4 * cross_entropy(other, labels)
    head = trainer.network.auxiliary.classifier.weight.clone()
    trainer.advance()
    assert trainer.sums[0].item() / len(labels) == pytest.approx(expected.item(), rel=1e-5)
    assert not torch.equal(head, trainer.network.auxiliary.classifier.weight)


def test_what_is_dropped_follows_from_the_step_and_rises_with_the_epochs(tmp_path: Path) -> None:
    whole, first = headed(0.6), headed(0.6)
    for _ in range(whole.steps):
        whole.advance()
    for _ in range(2):
        first.advance()
    write_record(tmp_path / "saved", first.record())
    second = headed(0.6)
    second.restore(read_record(tmp_path / "saved"))
    while second.step < second.steps:
        second.advance()
    assert write_record(tmp_path / "a", whole.record()) == write_record(tmp_path / "b", second.record())
    without = headed()
    for _ in range(without.problem.steps_per_epoch):
        without.advance()
    again = headed(0.6)
    for _ in range(again.problem.steps_per_epoch):  # in the first epoch no path is dropped
        again.advance()
    assert again.means() == without.means() != whole.means()


def test_what_does_not_run_stands_still_in_spite_of_weight_decay_and_momentum() -> None:
    single = problem("method.name=rsps", "split.splits=1")
    trainer = root(single)
    trainer.advance()
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    gates = trainer.method.gates(trainer.context("gates", trainer.step))
    trainer.advance()
    idle = 0
    for name, value in trainer.network.named_parameters():
        if ".ops." in name:
            edge, operation = name.split(".edges.")[1].split(".ops.")
            if operation.split(".")[0] not in gates[edge].active:
                idle += 1
                assert torch.equal(value, before[name])
    assert idle > 0


def test_a_method_is_told_how_far_its_search_is_and_nothing_before(tiny: Problem) -> None:
    searching, warm = leaf(tiny), root(tiny)
    told = []
    while searching.step < searching.steps:
        told.append(searching.context("gates", searching.step).epoch)
        searching.advance()
    per_epoch = tiny.steps_per_epoch
    assert told == [epoch for epoch in range(3) for _ in range(per_epoch)]
    assert searching.context("gates", 0).epochs == 3
    assert (warm.context("gates", 0).epoch, warm.context("gates", 0).epochs) == (0, 0)


def test_steps_are_a_pure_function_of_seed_leaf_and_step(tiny: Problem) -> None:
    one, again = leaf(tiny), leaf(tiny)
    for trainer in (one, again):
        torch.rand(int(torch.randint(5, ())))  # the global generator must not matter
        for _ in range(3):
            trainer.advance()
    assert all(torch.equal(value, again.network.state_dict()[name]) for name, value in one.network.state_dict().items())
    assert one.means() == again.means()


def test_a_saved_learner_goes_on_bit_for_bit(tiny: Problem, tmp_path: Path) -> None:
    whole, first = leaf(tiny), leaf(tiny)
    for _ in range(5):
        whole.advance()
    for _ in range(2):
        first.advance()
    write_record(tmp_path / "saved", first.record())
    second = leaf(tiny)
    second.restore(read_record(tmp_path / "saved"))
    for _ in range(3):
        second.advance()
    assert second.means() == whole.means()
    assert write_record(tmp_path / "a", whole.record()) == write_record(tmp_path / "b", second.record())


def test_children_inherit_weights_momentum_and_architecture_by_name(tiny: Problem, tmp_path: Path) -> None:
    parent = root(tiny)
    parent.advance()
    write_record(tmp_path / "parent", parent.record())
    region = SPACE.region.restrict("2<-1", ["nor_conv_1x1", "none"])
    child = leaf(tiny, region)
    child.inherit(read_record(tmp_path / "parent"), SPACE.region)
    ours, theirs = child.record(), parent.record()
    assert ours.weights.keys() < theirs.weights.keys()
    assert all(torch.equal(value, theirs.weights[name]) for name, value in ours.weights.items())
    assert ours.state["momentum"]
    assert all(torch.equal(value, theirs.state["momentum"][name]) for name, value in ours.state["momentum"].items())
    images, _ = child.train.batch(0)
    arch = SPACE.sample(region, torch.Generator().manual_seed(1))
    torch.testing.assert_close(child.network(images, one_hot(arch)), parent.network(images, one_hot(arch)))


def test_scoring_changes_nothing_and_gives_the_same_twice(tiny: Problem) -> None:
    trainer = root(tiny)
    trainer.advance()
    before = trainer.record()
    weights = {name: value.clone() for name, value in before.weights.items()}
    first, second = (Matcher(trainer).score("3<-0") for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (5, 5)
    assert all(torch.equal(value, weights[name]) for name, value in trainer.record().weights.items())


def test_all_choices_are_scored_on_the_same_batches_and_paths(tiny: Problem) -> None:
    trainer = root(tiny)
    one, two = list(Matcher(trainer).probes()), list(Matcher(trainer).probes())
    assert len(one) == tiny.recipe.split.batches
    for a, b in zip(one, two, strict=True):
        assert [gate.active for gate in a.gates.values()] == [gate.active for gate in b.gates.values()]
        assert a.loss(a.gates).item() == b.loss(b.gates).item()


def test_accuracy_is_that_of_all_held_out_images_without_augmentation(tiny: Problem) -> None:
    trainer = root(tiny)
    arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(0))
    whole = replace(
        tiny,
        recipe=tiny.recipe.model_copy(
            update={"search": tiny.recipe.search.model_copy(update={"eval_batch_size": len(tiny.valid)})}
        ),
    )
    trainer.problem = whole
    with torch.no_grad():
        logits = trainer.network(tiny.normalise(tiny.valid.pixels), one_hot(arch))
    hits = (logits.argmax(dim=1) == tiny.valid.labels).double().mean().item()
    assert LeafEvaluator(trainer)(arch) == pytest.approx(100 * hits)


def test_training_learns_something() -> None:
    trainer = leaf(problem("split.splits=1", "search.epochs=60", "data.image_size=16", "space.channels=4"))
    losses = []
    for _ in range(trainer.steps):
        trainer.advance()
        if trainer.step % trainer.problem.steps_per_epoch == 0:
            losses.append(trainer.means()[0])
    assert losses[-1] < 0.75 * losses[0]


def test_a_loss_that_is_not_finite_stops_with_step_leaf_and_advice(tiny: Problem) -> None:
    trainer = leaf(tiny)
    trainer.advance()
    with torch.no_grad():
        trainer.network.classifier.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"leaf 0, step 1: the loss is nan; try a smaller method\.learning_rate"):
        trainer.advance()


def test_a_gradient_that_is_not_finite_is_not_compared(tiny: Problem) -> None:
    trainer = root(tiny)
    with torch.no_grad():
        trainer.network.classifier.weight.fill_(float("inf"))
    with pytest.raises(UserError, match=r"leaf root: a gradient on choice 1<-0 is not finite"):
        Matcher(trainer).score("1<-0")


def trained(kind: Problem, steps: int = 4) -> NodeTrainer:
    trainer = leaf(kind)
    for _ in range(steps):
        trainer.advance()
    return trainer


BFLOAT16 = 0.1
"""Of one pass: its eight digits round by .4 %, layer after layer."""


@pytest.mark.parametrize("method", ["darts", "darts2", "rsps"])
def test_bfloat16_changes_passes_a_little_and_keeps_weights_in_float32(method: str) -> None:
    changes = (f"method.name={method}", "split.splits=1", "search.epochs=3")
    full, half = trained(problem(*changes), 1), trained(problem(*changes, "precision=bfloat16"), 1)
    assert half.means() != full.means()
    assert half.means()[0] == pytest.approx(full.means()[0], rel=BFLOAT16)
    assert all(weight.dtype == torch.float32 for weight in half.network.parameters())
    half.network.load_state_dict(full.network.state_dict())
    images, _ = full.train.batch(0)
    arch = one_hot(SPACE.sample(SPACE.region, torch.Generator().manual_seed(0)))
    with torch.no_grad():
        one, other = half.logits(images, arch), full.logits(images, arch)
    assert (one - other).norm() < BFLOAT16 * other.norm()


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's own, while it traces
@pytest.mark.parametrize("method", ["darts", "darts2"])
def test_compiled_steps_are_the_same_steps(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what torch traces, that is; what its compiler makes of it takes minutes. In float64: roundings may differ."""
    monkeypatch.setattr("cleave.search.compiling.BACKEND", "eager")
    changes = (f"method.name={method}", "split.splits=1", "search.epochs=3")
    eager, compiled = (in_doubles(problem(*changes, *more)) for more in ((), ("compile=true",)))
    for _ in range(2):
        for each in (eager, compiled):
            each.advance()
        for name, weight in compiled.network.state_dict().items():
            torch.testing.assert_close(weight, eager.network.state_dict()[name], rtol=1e-9, atol=1e-9)
    found, expected = (Matcher(each).score("1<-0") for each in (compiled, eager))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def in_doubles(kind: Problem) -> NodeTrainer:
    """A leaf of float64 weights and images."""
    normalise = Normalise(kind.normalise.mean.double(), kind.normalise.std.double())
    trainer = leaf(replace(kind, normalise=normalise))
    trainer.network.double()
    trainer.method.double()
    return trainer


def test_a_single_path_is_not_compiled() -> None:
    with pytest.raises(UserError, match=r"compile=true: method\.name=rsps runs another path"):
        problem("method.name=rsps", "compile=true")
