"""Evolution: whom it keeps, that it ends, that it goes on as it would have, and that it finds more than chance."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from cleave.method.evolution import Evolution, Plan
from cleave.method.rsps import Rsps, RspsSettings
from cleave.net.cost import costs
from cleave.space import Arch, Limited, Region, Space, find_space
from cleave.space.nb201 import NASBench201
from cleave.space.ofa import MobileNetOfa, OfaSettings
from cleave.space.sample import distinct, enumerate_valid
from tests.elastic import RaggedElastic
from tests.method.made import Judge
from tests.reference.evolution import Population

NAMES = ("nasbench201", "darts", "mobilenet-proxyless")
OFA = MobileNetOfa(OfaSettings(kernels=(3, 7), expansions=(3, 6), depths=(1, 2, 3)))
SPACES = [*map(find_space, NAMES), RaggedElastic(), OFA]
PLAN = Plan(population=12, generations=6)
Score = Callable[[Arch], float]


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


def additive(space: Space, seed: int, steps: int = 1000) -> Score:
    """What each candidate is worth, below `steps`, is added up: few steps make ties. Whole numbers, so exact in any
    order."""
    generator = torch.Generator().manual_seed(seed)
    worth = {
        (choice.name, candidate): int(torch.randint(steps, (), generator=generator))
        for choice in space.choices
        for candidate in choice.candidates
    }
    return lambda arch: float(sum(worth[pair] for pair in arch.items()))


def generation(evolution: Evolution, score: Score, seed: int = 3) -> list[Arch]:
    number = len(evolution.sizes)
    children = evolution.next(torch.Generator().manual_seed(100 * seed + number))
    evolution.tell(children, [score(child) for child in children])
    return children


def run(space: Space, region: Region, plan: Plan, score: Score, seed: int = 3) -> Evolution:
    evolution = Evolution(space, region, plan)
    while not evolution.done:
        generation(evolution, score, seed)
    return evolution


@pytest.mark.parametrize("steps", [2, 1000])
def test_parents_are_those_of_a_population_that_is_kept_in_a_list(space: Space, steps: int) -> None:
    seed = int(torch.randint(10**6, ()))
    score, evolution, twin = additive(space, seed, steps), Evolution(space, space.region, PLAN), Population(PLAN.kept)
    while not evolution.done:
        children = generation(evolution, score, seed)
        twin.tell([space.format(child) for child in children], [score(child) for child in children])
        assert [space.format(parent) for parent in evolution.parents] == [text for text, _ in twin.parents()]
    assert evolution.history == sorted(evolution.history)
    assert evolution.history[-1] == score(evolution.best) == max(evolution.scores.values())


def test_no_architecture_is_judged_twice_and_no_more_than_planned(space: Space) -> None:
    judged: list[str] = []

    def score(arch: Arch) -> float:
        judged.append(space.format(arch))
        return 0.0

    evolution = run(space, space.region, PLAN, score)
    assert len(judged) == len(set(judged)) == sum(evolution.sizes) <= PLAN.most
    if space.count(space.region) > 10 * PLAN.most:
        assert len(judged) == PLAN.most


def test_it_goes_on_from_any_generation_as_if_nothing_had_happened(space: Space) -> None:
    score = additive(space, 5)
    whole = run(space, space.region, PLAN, score).state_dict()
    for stop in (0, 1, 4):
        first = Evolution(space, space.region, PLAN)
        while len(first.sizes) < stop and not first.done:
            generation(first, score)
        second = Evolution(space, space.region, PLAN)
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        while not second.done:
            generation(second, score)
        assert list(second.state_dict()["scores"].items()) == list(whole["scores"].items())
        assert second.sizes == whole["sizes"]


def test_under_other_weights_only_its_parents_count_and_none_is_proposed_twice(space: Space) -> None:
    scores = [additive(space, int(torch.randint(10**6, ()))) for _ in range(PLAN.generations + 1)]
    evolution, twin, proposed, best = Evolution(space, space.region, PLAN), Population(PLAN.kept), list[str](), []
    for number, score in enumerate(scores):
        if number > 0:
            evolution.renew([score(parent) for parent in evolution.parents])
            twin.members = [(text, score(space.parse(text))) for text, _ in twin.parents()]
        children = generation(evolution, score)
        texts = [space.format(child) for child in children]
        proposed += texts
        twin.tell(texts, [score(child) for child in children])
        assert dict(twin.members) == evolution.scores
        assert [text for text, _ in twin.parents()] == [space.format(parent) for parent in evolution.parents]
        best.append(twin.parents()[0][1])
        second = Evolution(space, space.region, PLAN)
        second.load_state_dict(json.loads(json.dumps(evolution.state_dict())))
        evolution = second
        if evolution.done:
            break
    assert evolution.history == best
    assert len(proposed) == len(set(proposed)) == sum(evolution.sizes)


def test_children_keep_hard_limits(space: Space) -> None:
    known = costs(space)
    least, most = known.extremes(space.parts(space.region), "multiply_adds")
    limited = Limited(space, known, {"multiply_adds": least + (most - least) // 4})
    region = next(region for region in limited.region.split(*halves(limited)) if limited.holds_valid(region))
    evolution = run(limited, region, PLAN, lambda arch: float(known.of(arch).multiply_adds))
    for text in evolution.scores:
        arch = limited.parse(text)
        assert limited.valid(arch)
        assert arch in region


def halves(space: Space) -> tuple[str, list[tuple[str, ...]]]:
    """A choice, and its candidates in two groups."""
    choice = space.choices[0]
    return choice.name, [choice.candidates[:1], choice.candidates[1:]]


def test_it_ends_where_few_architectures_are_allowed_and_has_judged_nearly_all() -> None:
    space = NASBench201(["none", "skip_connect", "nor_conv_1x1"])
    known = costs(space)
    every = sorted(known.of(arch).parameters for arch in enumerate_valid(space, space.region))
    limited = Limited(space, known, {"parameters": every[20]})
    allowed = enumerate_valid(limited, limited.region)
    evolution = run(limited, limited.region, Plan(10, 500, parents=0.2), additive(space, 1))
    assert len(allowed) >= 21
    assert evolution.sizes[-1] == 0
    assert len(evolution.scores) >= 0.9 * len(allowed)
    one = Region.of(allowed[0])
    assert run(limited, one, Plan(10, 500), additive(space, 1)).sizes == [1, 0]


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_more_than_as_many_random_architectures(seed: int) -> None:
    for space in (find_space("mobilenet-proxyless"), find_space("darts")):
        score, plan = additive(space, seed), Plan(40, 15)
        found = run(space, space.region, plan, score, seed)
        drawn = distinct(space, space.region, plan.most, torch.Generator().manual_seed(seed))
        assert score(found.best) > max(map(score, drawn)) + 1000  # the best candidate for the worst


def test_a_method_settles_on_the_best_that_it_evaluated_as_often_as_it_foretells() -> None:
    space = find_space("nasbench201")
    settings = RspsSettings(derive="evolution", population=8, generations=3, parents=0.5)
    method, seen = Rsps(settings, space, space.region, torch.Generator()), dict[str, float]()

    def evaluate(arch: Arch) -> float:
        assert space.valid(arch)
        return seen.setdefault(space.format(arch), torch.rand(()).item())

    chosen = method.derive(Judge(evaluate, batches=5), torch.Generator().manual_seed(1))
    assert seen[space.format(chosen)] == max(seen.values())
    assert Rsps.evaluated(settings, 5) == 5 * len(seen) == 5 * (8 + 3 * 4)
    assert set(Rsps.meaningless(settings)) == {"samples", "rejects"}
    assert set(Rsps.meaningless(RspsSettings())) == {"population", "generations", "parents", "mutants", "mutation"}
