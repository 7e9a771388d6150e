"""S-Tau, entropy, and the panel that they are measured by."""

from __future__ import annotations

import itertools
import math

import numpy
import pytest
import torch

from cleave.config import load_recipe
from cleave.resolve import resolve
from cleave.search.problem import Problem, open_problem
from cleave.search.schedule import schedule
from cleave.search.stability import agreement, mean_entropy, panel, s_tau
from cleave.search.trainer import NodeTrainer
from cleave.space import find_space
from cleave.split import Node
from tests.reference import study as slow

SPACE = find_space("nasbench201")
TINY = [
    "data.limit=96", "data.image_size=8", "space.channels=2", "search.batch_size=32", "split.splitter=none",
    "trust.panel=4", "trust.panel_images=24", "search.eval_batch_size=16",
]  # fmt: skip


def problem(*changes: str) -> Problem:
    return open_problem(resolve(load_recipe(None, [*TINY, *changes], {}), SPACE)[0])


def trainer(of: Problem, seed_label: tuple[int, ...] = ()) -> NodeTrainer:
    return NodeTrainer(of, Node(seed_label, SPACE.region), schedule(of.recipe, 0))


def plain_tau(one: list[float], other: list[float]) -> float:
    """Kendall's tau without ties: the share of agreeing pairs less that of disagreeing ones."""
    signs = [(one[i] - one[j]) * (other[i] - other[j]) > 0 for i, j in itertools.combinations(range(len(one)), 2)]
    return (2 * sum(signs) - len(signs)) / len(signs)


def test_s_tau_is_the_mean_over_all_pairs_of_rankings() -> None:
    rows = numpy.random.default_rng().uniform(size=(4, 7)).tolist()
    expected = [plain_tau(one, other) for one, other in itertools.combinations(rows, 2)]
    assert s_tau(rows) == pytest.approx(sum(expected) / len(expected))


def test_rankings_that_agree_have_one_and_reversed_ones_minus_one() -> None:
    row = numpy.random.default_rng().permutation(9).astype(float).tolist()
    assert s_tau([row, [3 * value + 1 for value in row]]) == pytest.approx(1)
    assert s_tau([row, [-value for value in row]]) == pytest.approx(-1)


def test_s_tau_says_in_how_many_pairs_of_rankings_it_is_defined() -> None:
    """Eight constant rankings of ten: one pair can be compared, and agrees."""
    row = numpy.random.default_rng().permutation(6).astype(float).tolist()
    rows = [[10.0] * 6 for _ in range(10)]
    rows[2], rows[9] = row, row
    assert agreement(rows) == {"s_tau": pytest.approx(1), "s_tau_defined": 1, "s_tau_pairs": 45}
    assert s_tau(rows) == pytest.approx(1)
    assert agreement(rows[:2]) == {"s_tau": None, "s_tau_defined": 0, "s_tau_pairs": 1}
    assert agreement([]) == {"s_tau": None, "s_tau_defined": 0, "s_tau_pairs": 0}
    assert agreement([[1.0], [2.0]]) == {"s_tau": None, "s_tau_defined": 0, "s_tau_pairs": 1}


def test_ties_within_rankings_are_those_of_tau_b() -> None:
    rows = numpy.random.default_rng().integers(0, 4, size=(5, 8)).astype(float).tolist()
    taus = [slow.tau_b(one, other) for one, other in itertools.combinations(rows, 2)]
    known = [tau for tau in taus if not math.isnan(tau)]
    assert s_tau(rows) == pytest.approx(sum(known) / len(known))


@pytest.mark.parametrize("rows", [[], [[1.0, 2.0]], [[1.0], [2.0]], [[1.0, 1.0], [2.0, 3.0]]])
def test_what_cannot_be_compared_has_no_s_tau(rows: list[list[float]]) -> None:
    assert s_tau(rows) is None


def test_entropy_runs_from_one_candidate_to_all_alike() -> None:
    alike, sure = torch.full((5,), 0.2), torch.tensor([0.0, 1.0, 0.0])
    assert mean_entropy({"a": alike}) == pytest.approx(1)
    assert mean_entropy({"a": sure}) == pytest.approx(0)
    assert mean_entropy({"a": alike, "b": sure}) == pytest.approx(0.5)
    assert mean_entropy({"a": alike, "alone": torch.ones(1)}) == pytest.approx(1)
    assert mean_entropy({}) is None
    assert mean_entropy({"alone": torch.ones(1)}) is None


def test_entropy_takes_weights_that_are_being_learned() -> None:
    weights = torch.zeros(4, requires_grad=True).softmax(0)
    assert mean_entropy({"a": weights}) == pytest.approx(1)


def test_a_panel_is_the_same_every_time_and_changes_nothing() -> None:
    trained = trainer(problem())
    before = {name: value.clone() for name, value in trained.network.state_dict().items()}
    first = panel(trained)
    assert panel(trained) == first
    assert len(first) == 4
    assert all(torch.equal(value, before[name]) for name, value in trained.network.state_dict().items())


def test_a_panel_goes_by_the_first_held_out_images() -> None:
    """Accuracies are shares of just so many images."""
    for images in (24, 10, 1000):
        of = problem(f"trust.panel_images={images}")
        count = min(images, len(of.valid))
        for accuracy in panel(trainer(of)):
            assert accuracy * count / 100 == pytest.approx(round(accuracy * count / 100))


def test_leaves_have_panels_of_their_own_region() -> None:
    of = problem("trust.panel=10")
    edge = SPACE.choices[0].name
    narrow = SPACE.region
    for choice in SPACE.choices[1:]:
        narrow = narrow.restrict(choice.name, ["nor_conv_1x1"])
    small = NodeTrainer(of, Node((0,), narrow), schedule(of.recipe, 0))
    assert len(panel(small)) == len(narrow.allowed[edge])  # all five are connected
