"""What hooks make of weight steps, against steps written out in float64; what they save, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.net import one_hot
from cleave.plan.memory import COPIES, step_memory
from cleave.resolve import resolve
from cleave.run.generations import read_record, write_record
from cleave.search.hooks import HOOKS, GradientProjection, MomentumSeparation, WeightStep
from cleave.search.hooks.complexity_rate import exponent
from cleave.search.problem import Problem
from cleave.search.schedule import alone
from cleave.search.scope import Standalone
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch, find_space
from tests.reference import hooks as twin
from tests.search.test_trainer import SPACE, in_doubles, leaf, problem, root

Vectors = dict[str, Tensor]
SAMPLERS = ("balanced", "fair", "importance", "one-change")


def rsps(*changes: str) -> Problem:
    return problem("method.name=rsps", "split.splits=1", "search.epochs=3", "method.learning_rate=0.2", *changes)


def double(*changes: str) -> NodeTrainer:
    return in_doubles(rsps(*changes))


class ByHand:
    """The steps of a trainer, one after the other, on weights of its own."""

    def __init__(self, trainer: NodeTrainer) -> None:
        self.trainer, self.settings = trainer, trainer.setup.settings
        self.weights = {name: each.detach().clone() for name, each in trainer.network.named_parameters()}
        self.velocities: dict[str, Vectors] = {}
        self.running: Vectors = {}
        self.method = trainer.method  # whose uniform sampler has no state

    def archs(self, step: int) -> list[Arch]:
        return [
            {choice: gate.active[0] for choice, gate in gates.items()}
            for gates in self.method.paths(self.trainer.context("gates", step))
        ]

    def gradients(self, step: int, archs: Sequence[Arch], share: float) -> list[Vectors]:
        images, labels = self.trainer.train.batch(step)

        def of(arch: Arch) -> Vectors:
            def loss(weights: Mapping[str, Tensor]) -> Tensor:
                return share * cross_entropy(self.trainer.logits(images, one_hot(arch), weights), labels)

            return twin.gradients_of(loss, self.weights)

        return [of(arch) for arch in archs]

    def go(self, gradients: Vectors, rate: float, momentum: str = "") -> None:
        decay, clip = self.settings.weight_decay, self.settings.clip
        self.weights, self.velocities[momentum] = twin.sgd(
            self.weights, self.velocities.get(momentum, {}), gradients, rate, self.settings.momentum, decay, clip
        )

    def agrees(self) -> bool:
        ours = dict(self.trainer.network.named_parameters())
        return all(torch.allclose(ours[name], each, rtol=1e-9, atol=1e-12) for name, each in self.weights.items())


def test_the_rate_is_that_of_the_architectures_size() -> None:
    trainer = double("search.hooks=[complexity-rate]")
    hand, costs = ByHand(trainer), trainer.problem.costs()
    sizes = [costs.of(arch).parameters for arch in SPACE.every(SPACE.region)]
    for step in range(4):
        (arch,) = hand.archs(step)
        g = twin.exponent(costs.of(arch).parameters, min(sizes), max(sizes), 4)
        done = step / trainer.steps
        hand.go(hand.gradients(step, [arch], 1)[0], 0.2 * (1 - done) ** g)
        trainer.advance()
        assert hand.agrees()


def test_the_rate_of_several_architectures_is_that_of_their_mean_exponent() -> None:
    trainer = double("search.hooks=[complexity-rate]", "method.paths=2")
    hand, costs = ByHand(trainer), trainer.problem.costs()
    sizes = [costs.of(arch).parameters for arch in SPACE.every(SPACE.region)]
    for step in range(2):
        archs = hand.archs(step)
        g = sum(twin.exponent(costs.of(arch).parameters, min(sizes), max(sizes), 4) for arch in archs) / 2
        hand.go(twin.summed(hand.gradients(step, archs, 0.5)), 0.2 * (1 - step / trainer.steps) ** g)
        trainer.advance()
        assert hand.agrees()


def test_exponents_end_at_four_and_a_quarter() -> None:
    assert exponent(10, (10, 90), 4) == pytest.approx(4)
    assert exponent(30, (10, 90), 4) == pytest.approx(4.25 / 2)
    assert exponent(90, (10, 90), 4) == exponent(1000, (10, 90), 4) == pytest.approx(1 / 4)
    assert exponent(7, (7, 7), 4) == 1


def test_each_candidate_of_one_choice_has_a_momentum() -> None:
    trainer = double("search.hooks=[momentum-separation]")
    hook = trainer.hooks.hooks["momentum-separation"]
    assert isinstance(hook, MomentumSeparation)
    hand, seen = ByHand(trainer), set()
    for step in range(6):
        (arch,) = hand.archs(step)
        candidate = arch[hook.choice or ""]
        seen.add(candidate)
        hand.go(hand.gradients(step, [arch], 1)[0], trainer._rate(step), candidate)
        trainer.advance()
        assert hand.agrees()
    assert hook.kept.keys() == seen


def test_a_gradient_does_not_go_against_the_running_one() -> None:
    trainer = double("search.hooks=[gradient-projection]")
    hand = ByHand(trainer)
    for step in range(5):
        (gradients,) = hand.gradients(step, hand.archs(step), 1)
        left = twin.without_conflict(gradients, hand.running)
        hand.running = twin.running_mean(hand.running, gradients, 0.9)
        hand.go(left, trainer._rate(step))
        trainer.advance()
        assert hand.agrees()


def test_gradients_of_a_step_do_not_go_against_the_sum_of_the_others() -> None:
    trainer = double("search.hooks=[gradient-projection]", "method.sampler=fair")
    hand = ByHand(trainer)
    for step in range(2):
        found = hand.gradients(step, hand.archs(step), 1)
        left = [
            twin.without_conflict(one, twin.summed([*found[:at], *found[at + 1 :]])) for at, one in enumerate(found)
        ]
        hand.go(twin.summed(left), trainer._rate(step))
        trainer.advance()
        assert hand.agrees()


def vectors(*names: str) -> Vectors:
    return {name: torch.randn(3, 2, dtype=torch.float64) for name in names}


def projection() -> GradientProjection:
    return GradientProjection(cast("NodeTrainer", SimpleNamespace()))


def test_what_goes_against_the_running_gradient_alone_is_taken_away() -> None:
    hook, one, step = projection(), vectors("a", "b"), WeightStep(0, [{}])
    assert hook.gradients(step, [one]) == [one]
    (left,) = hook.gradients(step, [{name: -each for name, each in one.items()}])
    assert max(float(each.abs().max()) for each in left.values()) < 1e-12
    other = vectors("b", "c")
    (left,) = hook.gradients(step, [other])
    running = {name: 0.8 * each for name, each in one.items()}
    for name, gradient in twin.without_conflict(other, running).items():
        torch.testing.assert_close(left[name], gradient)


@pytest.mark.parametrize("taught", [True, False])
def test_those_of_a_sandwich_do_not_go_against_that_of_the_largest(taught: bool) -> None:
    """Whatever they are, and with weights that only some have."""
    each = [vectors("a", "b", "c"), vectors("a"), vectors("a", "b"), vectors("b", "d")]
    each[1] = {"a": -each[0]["a"]}
    found = projection().gradients(WeightStep(0, [{}] * 4, taught), each)
    for at, one in enumerate(each):
        other = each[0] if taught else twin.summed([*each[:at], *each[at + 1 :]])
        expected = one if taught and at == 0 else twin.without_conflict(one, other)
        for name, gradient in expected.items():
            torch.testing.assert_close(found[at][name], gradient)
    if taught:
        assert float(found[1]["a"].abs().max()) < 1e-12


def test_a_fair_step_goes_down_the_sum_of_its_losses() -> None:
    trainer = double("method.sampler=fair")
    hand = ByHand(trainer)
    archs = hand.archs(0)
    hand.go(twin.summed(hand.gradients(0, archs, 1)), trainer._rate(0))
    assert trainer.advance().weight_steps == len(archs) == 5
    assert hand.agrees()


def test_importance_sees_the_gradients_of_each_network() -> None:
    trainer = double("method.sampler=importance", "method.paths=2")
    hand = ByHand(trainer)
    archs = hand.archs(0)
    found = hand.gradients(0, archs, 0.5)
    trainer.advance()
    sampler = cast("Any", trainer.method).sampler
    for choice in SPACE.region.allowed:
        for candidate in {arch[choice] for arch in archs}:
            name = f".edges.{choice}.ops.{candidate}."
            own = [g for arch, g in zip(archs, found, strict=True) if arch[choice] == candidate]
            lengths = [sum(float(v.square().sum()) for key, v in g.items() if name in key) ** 0.5 for g in own]
            number = sampler.numbers[choice, candidate]
            assert float(sampler.sums[number]) == pytest.approx(sum(lengths), rel=1e-9, abs=1e-12)
            assert float(sampler.counts[number]) == len(lengths)


def kinds() -> list[tuple[str, ...]]:
    every = "search.hooks=[complexity-rate, gradient-projection]"
    more = "search.hooks=[complexity-rate, momentum-separation, gradient-projection]"
    return [(f"method.sampler={name}", every if name == "fair" else more) for name in SAMPLERS]


@pytest.mark.parametrize("changes", kinds())
def test_what_samplers_and_hooks_learn_is_saved(changes: tuple[str, ...], tmp_path: Path) -> None:
    tiny = rsps(*changes)
    whole, first = leaf(tiny), leaf(tiny)
    for _ in range(6):
        whole.advance()
    for _ in range(3):
        first.advance()
    write_record(tmp_path / "saved", first.record())
    second = leaf(tiny)
    second.restore(read_record(tmp_path / "saved"))
    for _ in range(3):
        second.advance()
    assert write_record(tmp_path / "a", whole.record()) == write_record(tmp_path / "b", second.record())
    child = leaf(tiny, SPACE.region.restrict("2<-1", ["nor_conv_1x1", "none"]))
    child.inherit(read_record(tmp_path / "a"), SPACE.region)
    child.advance()


def test_a_child_goes_on_with_the_momenta_of_its_candidates(tmp_path: Path) -> None:
    tiny = rsps("search.hooks=[momentum-separation]")
    parent = root(tiny)
    hook = parent.hooks.hooks["momentum-separation"]
    assert isinstance(hook, MomentumSeparation)
    for _ in range(9):
        parent.advance()
    choice, names = hook.choice or "", list(hook.kept)
    assert len(names) > 2
    write_record(tmp_path / "parent", parent.record())
    for kept in (names[:2], names[:1]):
        child = leaf(tiny, SPACE.region.restrict(choice, kept))
        child.inherit(read_record(tmp_path / "parent"), SPACE.region)
        own = child.hooks.hooks["momentum-separation"]
        assert isinstance(own, MomentumSeparation)
        assert (own.choice == choice) is (len(kept) > 1)
        assert list(own.kept) == (kept if len(kept) > 1 else [])


def test_what_is_trained_alone_has_no_hooks() -> None:
    tiny = rsps("search.hooks=[complexity-rate, gradient-projection]", "method.sampler=importance")
    arch = SPACE.sample(SPACE.region, torch.Generator())
    trainer = NodeTrainer(tiny, Standalone("one", arch), alone(1))
    plain = NodeTrainer(rsps(), Standalone("one", arch), alone(1))
    for each in (trainer, plain):
        each.advance()
    assert all(map(torch.equal, trainer.network.parameters(), plain.network.parameters()))
    assert "hooks" not in trainer.record().state


def test_a_plan_counts_what_hooks_hold() -> None:
    plain = step_memory(rsps()).weights // COPIES
    held = {
        ("momentum-separation",): 4, ("gradient-projection",): 1, ("complexity-rate",): 0,
        ("momentum-separation", "gradient-projection"): 5,
    }  # fmt: skip
    for names, more in held.items():
        tiny = rsps(f"search.hooks=[{', '.join(names)}]")
        assert step_memory(tiny).weights == (COPIES + more) * plain


def resolved(*changes: str) -> list[str]:
    asked = load_recipe(None, ["method.name=rsps", *changes], {})
    return resolve(asked, find_space(asked.space))[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["method.name=darts", "search.hooks=[gradient-projection]"], "needs a method that trains single arch"),
        (["method.name=random", "search.hooks=[complexity-rate]"], "method.name=random shares none; leave it out"),
        (["search.hooks=[momentum-separation]", "method.paths=2"], "needs one architecture in a weight step"),
        (["search.hooks=[momentum-separation]", "method.sampler=fair"], "needs one architecture in a weight step"),
        (["search.hooks=[momentum-separation]", "method.momentum=0"], "needs a momentum, and method.momentum=0"),
        (["search.hooks=[gradient-projection, gradient-projection]"], "lists gradient-projection twice; list it once"),
        (["search.hooks=[projection]"], "unknown 'projection'; did you mean"),
        (["search.hooks=complexity-rate"], "search.hooks: "),
        (
            ["space.name=mobilenet-ofa", "method.name=shrinking", "search.epochs=9", "search.hooks=[complexity-rate]"],
            "whose phases have learning rates of their own",
        ),
    ],
)
def test_a_hook_that_cannot_be_had_is_refused_in_a_line(changes: list[str], words: str) -> None:
    with pytest.raises(UserError) as refused:
        resolved(*changes)
    assert words in str(refused.value)
    assert str(refused.value).startswith("search.hooks")
    assert "\n" not in str(refused.value)


def test_keys_that_say_nothing_beside_a_hook_are_noted() -> None:
    (note,) = resolved("search.hooks=[complexity-rate]", "method.learning_rate_min=0.002")
    assert note == "method.learning_rate_min has no meaning with search.hooks=complexity-rate; it is not used"


def test_every_hook_may_be_spelled_as_people_spell_it() -> None:
    for name in HOOKS:
        spelled = name.replace("-", "_").upper()
        assert load_recipe(None, [f"search.hooks=[{spelled}]"], {}).search.hooks == [name]
