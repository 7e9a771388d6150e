"""Children of architectures: legal, inside their region, with genes of their parents, also at ragged depths."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from cleave.space import Region, Space, find_space
from cleave.space.genes import Genes, Part, named
from cleave.space.laws import part
from tests.elastic import RaggedElastic
from tests.reference import evolution as reference
from tests.toys import TOYS

NAMES = ("nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa")
SPACES = [*map(find_space, NAMES), RaggedElastic(), *(toy() for toy in TOYS)]
RAGGED = RaggedElastic()
SHALLOW = {"depth": "1", "kernel0": "3", "expansion0": "2"}
DEEP = {
    "depth": "3",
    **{f"{kind}{i}": value for kind, value in (("kernel", "5"), ("expansion", "1")) for i in range(3)},
}


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


@pytest.fixture
def chance() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


def some_regions(space: Space, generator: torch.Generator) -> list[Region]:
    """The whole and random parts, those with valid architectures."""
    found = [space.region, *(part(space, most, generator) for most in (1, 2, 3))]
    return [region for region in found if space.holds_valid(region)]


def test_children_are_put_together_from_the_parts_of_their_region(space: Space, chance: torch.Generator) -> None:
    for region in some_regions(space, chance):
        genes = Genes(space, region)
        parts = [{frozenset(each.items()) for each in alternatives} for alternatives in space.parts(region)]
        names = [{name for each in alternatives for name, _ in each} for alternatives in parts]
        for _ in range(20):
            one, other = space.sample(region, chance), space.sample(region, chance)
            for child in (genes.mutant(one, 0.3, chance), genes.cross(one, other, chance)):
                assert child is not None
                assert child in region
                if not space.valid(child):
                    assert not space.all_valid
                    continue
                assert dict(space.parse(space.format(child))) == dict(child)
                for alternatives, own in zip(parts, names, strict=True):
                    assert frozenset((name, child[name]) for name in own & child.keys()) in alternatives


def test_what_may_be_named_is_what_agrees_with_the_genes(space: Space, chance: torch.Generator) -> None:
    for region in some_regions(space, chance):
        for alternatives in space.parts(region):
            genes = {name: values[int(torch.randint(len(values), ()))] for name, values in region.allowed.items()}
            assert Counter(Part.of(alternatives).legal(genes)) == Counter(reference.legal(alternatives, genes))


def test_without_mutation_a_child_of_one_parent_is_that_parent(space: Space, chance: torch.Generator) -> None:
    genes = Genes(space, space.region)
    for _ in range(10):
        parent = space.sample(space.region, chance)
        assert genes.mutant(parent, 0.0, chance) == parent
        assert genes.cross(parent, parent, chance) == parent


def test_a_crossed_child_has_every_gene_that_a_parent_has_from_one_of_them(
    space: Space, chance: torch.Generator
) -> None:
    genes = Genes(space, space.region)
    for _ in range(10):
        parents = [space.sample(space.region, chance) for _ in range(2)]
        child = genes.cross(*parents, chance)
        assert child is not None
        for choice, candidate in child.items():
            inherited = [parent[choice] for parent in parents if choice in parent]
            assert not inherited or candidate in inherited


def test_parents_of_unequal_depths_have_legal_children_of_both_depths(chance: torch.Generator) -> None:
    genes, seen = Genes(RAGGED, RAGGED.region), set[str]()
    for _ in range(100):
        child = genes.cross(SHALLOW, DEEP, chance)
        assert child is not None
        seen.add(child["depth"])
        deep = {name: candidate for name, candidate in child.items() if name[-1] in "12"}
        assert deep == ({} if child["depth"] == "1" else {name: DEEP[name] for name in deep})
        assert len(child) == 1 + 2 * int(child["depth"])
    assert seen == {"1", "3"}


def test_a_depth_that_grows_draws_what_runs_then_and_one_that_shrinks_drops_it(chance: torch.Generator) -> None:
    genes = Genes(RAGGED, RAGGED.region)
    children = [genes.mutant(parent, 0.2, chance) for parent in (SHALLOW, DEEP) for _ in range(300)]
    for child in children:
        assert child is not None
        assert named(child) == named(
            ["depth", *(f"{kind}{i}" for kind in ("kernel", "expansion") for i in range(int(child["depth"])))]
        )
    grown = {tuple(child.items()) for child in children[:300] if child is not None and child["depth"] == "2"}
    assert {dict(child)["kernel1"] for child in grown} == {"3", "5"}
    assert {dict(child)["expansion1"] for child in grown} == {"1", "2"}
    assert {child["depth"] for child in children[300:] if child is not None} == {"1", "2", "3"}


def test_a_gene_is_drawn_anew_as_often_as_said(chance: torch.Generator) -> None:
    space = find_space("mobilenet-proxyless")
    genes, parent = Genes(space, space.region), space.sample(space.region, chance)
    children = [genes.mutant(parent, 0.1, chance) for _ in range(400)]
    changed = sum(child[choice] != parent[choice] for child in children if child is not None for choice in parent)
    expected = 0.1 * 400 * sum(1 - 1 / len(allowed) for allowed in space.region.allowed.values())
    assert changed == pytest.approx(expected, rel=0.25)  # of about 720: seven standard deviations
