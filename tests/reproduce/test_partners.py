"""The experiment of table 2: what a pair is, what is measured of it, and what the trials of all say."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from math import sqrt

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from cleave.config import load_recipe
from cleave.errors import Interrupted, UserError
from cleave.net import one_hot
from cleave.reproduce.partners import Pair, Setup, Trial, pairs, train, trials, trials_of, try_out
from cleave.resolve import resolve
from cleave.search.problem import Problem, open_problem
from cleave.search.schedule import alone
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch, find_space
from cleave.space.sample import enumerate_valid
from cleave.split import shared_parameters

OPERATIONS = ["none", "skip_connect", "nor_conv_3x3"]
SPACE = find_space("nasbench201", OPERATIONS)
TINY = [
    f"space.ops={OPERATIONS}", "method.name=rsps", "data.limit=48", "data.image_size=8", "space.channels=2",
    "search.batch_size=16", "split.batches=2", "threads=1",
]  # fmt: skip
SHORT = Setup(architectures=2, tries=2, warm=1, epochs=2)


def problem(*changes: str) -> Problem:
    recipe, _ = resolve(load_recipe(None, [*TINY, *changes], {}), SPACE)
    return open_problem(recipe)


@pytest.fixture(scope="module")
def tiny() -> Problem:
    return problem()


@pytest.fixture
def arch() -> Arch:
    return SPACE.sample(SPACE.region, torch.Generator().manual_seed(int(torch.randint(2**31, ()))))


@pytest.fixture
def pair(arch: Arch) -> Pair:
    return pairs(SPACE, arch, torch.Generator())[0]


def go_on() -> None:
    """Nobody asks to stop."""


class StopAfter:
    """Asks to stop when it is called for the (calls + 1)th time."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Interrupted


def partners_found(found: list[Trial]) -> list[tuple[str, str]]:
    return [(trial["architecture"], trial["partner"]) for trial in found]


def test_the_partners_are_all_valid_architectures_one_choice_away(arch: Arch) -> None:
    found = [pair.partner for pair in pairs(SPACE, arch, torch.Generator().manual_seed(1))]
    near = [
        other
        for other in enumerate_valid(SPACE, SPACE.region)
        if sum(other[choice] != arch[choice] for choice in arch) == 1
    ]
    assert sorted(map(SPACE.format, found)) == sorted(map(SPACE.format, near))


def test_the_partners_come_in_an_order_that_is_random_and_given_by_the_generator(arch: Arch) -> None:
    one, again, other = (pairs(SPACE, arch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one == again != other


def test_the_region_of_a_pair_holds_exactly_the_two(pair: Pair) -> None:
    assert enumerate_valid(SPACE, pair.region) in ([pair.arch, pair.partner], [pair.partner, pair.arch])
    assert pair.region.size == 2


def test_kinds_follow_the_thresholds_which_belong_to_neither() -> None:
    cosines = (0.701, 0.7, 0.3, 0.299, -1)
    assert [Setup().kind(cosine) for cosine in cosines] == [
        "similar",
        "neither",
        "neither",
        "dissimilar",
        "dissimilar",
    ]


def test_a_setup_in_which_a_partner_could_be_of_both_kinds_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        Setup(similar=0.2, dissimilar=0.4)
    with pytest.raises(AssertionError):
        Setup(warm=3, epochs=2)


def test_the_cosine_is_that_of_the_mean_gradients_on_all_shared_weights_after_the_warm_up(
    tiny: Problem, pair: Pair
) -> None:
    trainer = NodeTrainer(tiny, pair, alone(2))
    for _ in range(tiny.steps_per_epoch):
        trainer.advance()
    shared = list(shared_parameters(trainer.network, pair.choice).values())
    means = []
    for candidate in (pair.arch, pair.partner):
        losses = []
        for number in range(2):
            images, labels = tiny.stream(tiny.train, trainer.chance, "probe").batch(number)
            losses.append(cross_entropy(trainer.network(images, one_hot(candidate)), labels))
        gradients = torch.autograd.grad(torch.stack(losses).mean(), shared, materialize_grads=True)
        means.append(torch.cat([gradient.flatten() for gradient in gradients]).double())
    trial = try_out(tiny, SHORT, pair, (), go_on)
    assert trial["similarity"] == pytest.approx(float(cosine_similarity(*means, dim=0)), abs=1e-5)


@pytest.mark.parametrize("batch", [7, 1000])
def test_the_losses_are_those_of_the_architecture_alone_after_all_epochs(arch: Arch, batch: int) -> None:
    """In batches, each with statistics of its own, and in one go."""
    tiny = problem(f"search.eval_batch_size={batch}")
    pair = pairs(SPACE, arch, torch.Generator())[0]
    trial = try_out(tiny, SHORT, pair, ("similar", "dissimilar", "neither"), go_on)
    trainer = NodeTrainer(tiny, pair, alone(2))
    for _ in range(2 * tiny.steps_per_epoch):
        trainer.advance()
    for images, name in ((tiny.train, "train_loss"), (tiny.valid, "valid_loss")):
        parts = -(-len(images) // batch)
        losses, hits = [], []
        for pixels, labels in zip(images.pixels.chunk(parts), images.labels.chunk(parts), strict=True):
            with torch.no_grad():
                logits = trainer.network(tiny.normalise(pixels), one_hot(pair.arch))
            losses += (-logits.log_softmax(dim=1)).gather(1, labels[:, None]).flatten().tolist()
            hits += (logits.argmax(dim=1) == labels).tolist()
        assert trial[name] == pytest.approx(sum(losses) / len(images), rel=1e-5)  # type: ignore[literal-required]
    assert trial["valid_accuracy"] == pytest.approx(100 * sum(hits) / len(tiny.valid))


def test_a_pair_that_is_not_wanted_is_only_warmed_up(tiny: Problem, pair: Pair) -> None:
    steps = StopAfter(tiny.steps_per_epoch + tiny.recipe.split.batches)
    trial = try_out(tiny, SHORT, pair, (), steps)
    assert steps.left == 0
    assert (trial["train_loss"], trial["valid_loss"], trial["valid_accuracy"]) == (None, None, None)


def test_an_architecture_is_done_with_one_partner_of_each_kind(tiny: Problem) -> None:
    """With thresholds in the middle of what there is, so that both occur and nothing is neither. With no choice off
    all paths, since there all partners would be the same."""
    arch = {choice: OPERATIONS[int(torch.randint(1, 3, ()))] for choice in SPACE.region.allowed}
    every = trials_of(tiny, Setup(tries=6, warm=1, epochs=1, similar=2, dissimilar=-2), arch, go_on)
    assert {trial["kind"] for trial in every} == {"neither"}
    cosines = sorted(trial["similarity"] for trial in every)
    middle = (cosines[0] + cosines[-1]) / 2
    setup = Setup(tries=6, warm=1, epochs=1, similar=middle, dissimilar=middle)
    found = trials_of(tiny, setup, arch, go_on)
    kinds = [trial["kind"] for trial in found]
    assert partners_found(found) == partners_found(every)[: len(found)]
    assert kinds == ["similar" if trial["similarity"] > middle else "dissimilar" for trial in every][: len(found)]
    assert set(kinds) == {"similar", "dissimilar"}
    assert kinds.count(kinds[-1]) == 1
    assert [trial["train_loss"] is not None for trial in found] == [kinds.index(k) == n for n, k in enumerate(kinds)]


def test_tries_run_out(tiny: Problem, arch: Arch) -> None:
    found = trials_of(tiny, Setup(tries=2, warm=0, epochs=1, similar=2, dissimilar=-2), arch, go_on)
    assert len(found) == 2
    assert len({trial["partner"] for trial in found}) == 2


def test_equal_seeds_give_equal_trials_and_others_others(tiny: Problem) -> None:
    one, again, other = (list(trials(each, SHORT, go_on)) for each in (tiny, problem(), problem("seed=1")))
    assert one == again
    assert [partners_found(found) for found in one] != [partners_found(found) for found in other]


def test_an_experiment_goes_on_where_it_was_interrupted(tiny: Problem) -> None:
    whole = list(trials(tiny, SHORT, go_on))
    assert len(whole) == SHORT.architectures
    kept: list[list[Trial]] = list(islice(trials(tiny, SHORT, go_on), 1))
    assert kept + list(trials(tiny, SHORT, go_on, done=1)) == whole


def test_the_first_architectures_are_the_same_however_many_there_are(tiny: Problem) -> None:
    few, more = (list(trials(tiny, replace(SHORT, architectures=count, tries=1), go_on)) for count in (1, 2))
    assert more[:1] == few


@pytest.mark.parametrize("calls", [0, 1, 3, 5])
def test_it_stops_between_steps_when_asked_to(tiny: Problem, pair: Pair, calls: int) -> None:
    """The warm-up takes 2 steps, the gradients 2 batches, the rest 2 steps."""
    with pytest.raises(Interrupted):
        try_out(tiny, SHORT, pair, ("similar", "dissimilar", "neither"), StopAfter(calls))


def test_training_goes_on_from_the_warm_up_on_one_learning_rate_curve(tiny: Problem, pair: Pair) -> None:
    trainer = NodeTrainer(tiny, pair, alone(4))
    rates = []
    for epochs in (2, 4):
        train(trainer, epochs, go_on)
        assert trainer.step == epochs * tiny.steps_per_epoch
        rates.append(trainer.weights.optimizer.param_groups[0]["lr"])
    highest, lowest = tiny.recipe.method.learning_rate, tiny.recipe.method.learning_rate_min
    half = 1 / sqrt(2) / 2
    assert rates == pytest.approx([lowest + (highest - lowest) * (0.5 + sign * half) for sign in (1, -1)])


@pytest.mark.parametrize("change", ["method.name=darts", "split.similarity=l2"])
def test_a_recipe_of_another_experiment_is_refused(change: str) -> None:
    with pytest.raises(UserError, match=f"{change}: pairs are trained by rsps and compared by cosines; use"):
        next(trials(problem(change), SHORT, go_on))
