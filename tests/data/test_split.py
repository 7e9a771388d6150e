from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleave.data.images import Images
from cleave.data.split import apportion, held_out, shuffled_classes
from cleave.errors import UserError


def numbered(labels: list[int], shuffled: bool) -> Images:
    """Images that carry their index in their four pixels."""
    pixels = torch.tensor([[index >> shift & 255 for shift in (0, 8, 16, 24)] for index in range(len(labels))])
    classes = tuple(map(str, range(max(labels) + 1)))
    return Images(pixels.byte().view(-1, 1, 2, 2), torch.tensor(labels), classes, shuffled)


def indices(images: Images) -> list[int]:
    weights = torch.tensor([1 << shift for shift in (0, 8, 16, 24)])
    return (images.pixels.flatten(1).long() * weights).sum(1).tolist()


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Images, float, int | None]:
    """Images of random classes (two or more of each), a fraction, and a limit that can be met."""
    sizes = draw(st.lists(st.integers(2, 30), min_size=2, max_size=6))
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    draw(st.randoms()).shuffle(labels)
    limit = draw(st.none() | st.integers(2 * len(sizes), len(labels)))
    fraction = draw(st.floats(0.2, 0.8))
    return numbered(labels, draw(st.booleans())), fraction, limit


@given(cuts())
def test_the_sides_are_disjoint_and_cover_exactly_the_limit(cut: tuple[Images, float, int | None]) -> None:
    images, fraction, limit = cut
    train, valid = held_out(images, fraction, limit)
    found = indices(train) + indices(valid)
    assert len(found) == len(set(found)) == (len(images) if limit is None else limit)
    for side in (train, valid):
        assert torch.equal(side.labels, images.labels[indices(side)])
        assert side.classes == images.classes


@given(cuts())
def test_images_in_random_order_are_cut_as_they_lie(cut: tuple[Images, float, int | None]) -> None:
    images, fraction, limit = cut
    images = Images(images.pixels, images.labels, images.classes, shuffled=True)
    train, valid = held_out(images, fraction, limit)
    total = limit or len(images)
    assert indices(train) + indices(valid) == list(range(total))
    assert len(train) == round(total * fraction)


@given(cuts())
def test_other_images_are_cut_class_by_class_in_proportion(cut: tuple[Images, float, int | None]) -> None:
    images, fraction, limit = cut
    images = Images(images.pixels, images.labels, images.classes, shuffled=False)
    train, valid = held_out(images, fraction, limit)
    total, classes = limit or len(images), len(images.classes)
    assert abs(len(train) - total * fraction) <= max(1, classes)
    for label in range(classes):
        size = int((images.labels == label).sum())
        there, held = int((train.labels == label).sum()), int((valid.labels == label).sum())
        assert there >= 1
        assert held >= 1
        assert abs(there + held - total * size / len(images)) <= classes  # shares of 2 or more cost the others


def test_half_of_fifty_thousand_is_the_published_cut() -> None:
    images = numbered([0, 1] * 25_000, shuffled=True)
    train, valid = held_out(images, 0.5)
    assert indices(train) == list(range(25_000))
    assert indices(valid) == list(range(25_000, 50_000))


def test_balanced_classes_stay_balanced_on_both_sides() -> None:
    labels = [label for label in range(10) for _ in range(100)]
    random.shuffle(labels)
    train, valid = held_out(numbered(labels, shuffled=False), 0.7, limit=500)
    assert train.labels.bincount().tolist() == [35] * 10
    assert valid.labels.bincount().tolist() == [15] * 10


def test_the_same_images_are_cut_the_same_whatever_the_global_seed() -> None:
    images = numbered([index % 3 for index in range(60)], shuffled=False)
    first = indices(held_out(images, 0.5)[0])
    torch.manual_seed(random.randrange(2**31))
    assert indices(held_out(images, 0.5)[0]) == first
    assert first != list(range(30))


def test_a_class_that_no_image_has_takes_no_part() -> None:
    labels = [0] * 10 + [2] * 10
    train, valid = held_out(numbered(labels, shuffled=False), 0.5)
    assert train.labels.bincount().tolist() == [5, 0, 5]
    assert valid.labels.bincount().tolist() == [5, 0, 5]


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("limit", [21, 1, 0, -3])
def test_a_limit_that_cannot_be_met_is_named(shuffled: bool, limit: int) -> None:
    with pytest.raises(UserError, match=rf"^data\.limit: {limit} "):
        held_out(numbered([0, 1] * 10, shuffled), 0.5, limit)


def test_a_limit_below_two_of_each_class_is_named() -> None:
    images = numbered([0, 1, 2] * 10, shuffled=False)
    assert len(held_out(images, 0.5, limit=6)[0]) == 3
    with pytest.raises(UserError, match=r"^data\.limit: 5 images"):
        held_out(images, 0.5, limit=5)


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.99, 1.0, 1.5, -0.5])
def test_a_fraction_that_leaves_a_side_empty_is_named(shuffled: bool, fraction: float) -> None:
    with pytest.raises(UserError, match=rf"^data\.train_fraction: {fraction} "):
        held_out(numbered([0, 1] * 10, shuffled), fraction)


def test_a_class_with_one_image_is_named() -> None:
    with pytest.raises(UserError, match="class '1' has one image"):
        held_out(numbered([0, 0, 1, 2, 2], shuffled=False), 0.5)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_every_image_is_in_its_class_once(labels: list[int]) -> None:
    members = shuffled_classes(torch.tensor(labels))
    assert [{labels[index] for index in of_class.tolist()} for of_class in members] == [
        {c} for c in sorted(set(labels))
    ]
    assert sorted(torch.cat(members).tolist()) == list(range(len(labels)))


@given(st.data())
def test_shares_add_up_stay_within_their_bounds_and_miss_their_due_by_less_than_one(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 1000), min_size=1, max_size=8))
    total = data.draw(st.integers(0, sum(sizes)))
    free = apportion(total, sizes, low=[0] * len(sizes), high=[total] * len(sizes))
    assert sum(free) == total
    assert all(abs(share - total * size / sum(sizes)) < 1 for share, size in zip(free, sizes, strict=True))
    low = [data.draw(st.integers(0, size)) for size in sizes]
    bounded = data.draw(st.integers(sum(low), sum(sizes)))
    shares = apportion(bounded, sizes, low, high=sizes)
    assert sum(shares) == bounded
    assert all(least <= share <= size for least, share, size in zip(low, shares, sizes, strict=True))


def test_both_sides_of_a_set_that_lies_class_by_class_are_mixed() -> None:
    """Each tenth of either side holds many classes: with batch statistics a batch must not be of one class."""
    labels = [label for label in range(10) for _ in range(50)]
    for part in held_out(numbered(labels, shuffled=False), 0.5):
        assert all(len(set(batch.tolist())) >= 5 for batch in part.labels.split(25))
