"""Laws of regions, on random boxes."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleave.space import Choice, Region

boxes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(
    lambda sizes: Region({f"c{i}": tuple("abcd"[:size]) for i, size in enumerate(sizes)})
)


@st.composite
def partitions(draw: st.DrawFn) -> tuple[Region, str, list[list[str]]]:
    region = draw(boxes)
    choice = draw(st.sampled_from(sorted(region.allowed)))
    names = draw(st.permutations(region.allowed[choice]))
    cuts = sorted(draw(st.sets(st.integers(1, len(names) - 1)))) if len(names) > 1 else []
    groups = [list(names[a:b]) for a, b in zip([0, *cuts], [*cuts, len(names)], strict=True)]
    return region, choice, groups


def archs(region: Region) -> list[dict[str, str]]:
    return [dict(zip(region.allowed, names, strict=True)) for names in product(*region.allowed.values())]


@given(partitions())
def test_parts_are_disjoint_and_cover(case: tuple[Region, str, list[list[str]]]) -> None:
    region, choice, groups = case
    parts = region.split(choice, groups)
    assert all(sum(arch in part for part in parts) == 1 for arch in archs(region))


@given(partitions())
def test_sizes_add_up(case: tuple[Region, str, list[list[str]]]) -> None:
    region, choice, groups = case
    assert sum(part.size for part in region.split(choice, groups)) == region.size == len(archs(region))


@given(partitions())
def test_parts_keep_the_order_of_the_space_whatever_the_order_of_a_group(
    case: tuple[Region, str, list[list[str]]],
) -> None:
    region, choice, groups = case
    for part in region.split(choice, groups):
        assert list(part.allowed[choice]) == sorted(part.allowed[choice])
        assert {name: part.allowed[name] for name in part.allowed if name != choice} == {
            name: region.allowed[name] for name in region.allowed if name != choice
        }


def test_groups_that_overlap_or_leave_out_are_no_partition() -> None:
    region = Region({"c": ("x", "y", "z")})
    for groups in ([["x"], ["y"]], [["x", "y"], ["y", "z"]], [["x", "y", "z", "w"]]):
        with pytest.raises(AssertionError, match="no partition"):
            region.split("c", groups)


def test_an_architecture_with_other_choices_is_not_inside() -> None:
    region = Region({"c": ("x", "y")})
    assert {"c": "x"} in region
    assert {"c": "z"} not in region
    assert {"d": "x"} not in region
    assert {"c": "x", "d": "x"} not in region
    assert "x" not in region


@given(boxes)
def test_the_region_of_an_architecture_holds_it_alone(region: Region) -> None:
    for arch in archs(region)[:5]:
        assert Region.of(arch).size == 1
        assert arch in Region.of(arch)


def test_a_choice_needs_candidates_that_differ() -> None:
    with pytest.raises(AssertionError, match="no candidates"):
        Choice("c", ())
    with pytest.raises(AssertionError, match="repeats"):
        Choice("c", ("x", "x"))
