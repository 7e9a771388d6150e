from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from cleave.data.images import Images
from cleave.data.split import apportion, cut, for_training, held_out, shuffled_classes
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
def test_the_sides_are_disjoint_and_cover_exactly_the_limit(made: tuple[Images, float, int | None]) -> None:
    images, fraction, limit = made
    train, valid = held_out(images, fraction, limit)
    found = indices(train) + indices(valid)
    assert len(found) == len(set(found)) == (len(images) if limit is None else limit)
    for side in (train, valid):
        assert torch.equal(side.labels, images.labels[indices(side)])
        assert side.classes == images.classes


@given(cuts())
def test_images_in_random_order_are_cut_as_they_lie(made: tuple[Images, float, int | None]) -> None:
    images, fraction, limit = made
    images = Images(images.pixels, images.labels, images.classes, shuffled=True)
    train, valid = held_out(images, fraction, limit)
    total = limit or len(images)
    assert indices(train) + indices(valid) == list(range(total))
    assert len(train) == round(total * fraction)


@given(cuts())
def test_other_images_are_cut_class_by_class_in_proportion(made: tuple[Images, float, int | None]) -> None:
    images, fraction, limit = made
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


@dataclass(frozen=True)
class Given(Images):
    """Images of which those from some place on are to be held out."""

    first: int = 0

    @property
    def held_out_from(self) -> int:  # type: ignore[override]
        return self.first


@st.composite
def given_cuts(draw: st.DrawFn) -> tuple[Given, int | None]:
    """Two parts of the same classes, each with one image or more of every class, and a limit that can be met."""
    classes = draw(st.integers(2, 5))
    sides = [draw(st.lists(st.integers(1, 20), min_size=classes, max_size=classes)) for _ in range(2)]
    labels = [[label for label, size in enumerate(sizes) for _ in range(size)] for sizes in sides]
    both = numbered(labels[0] + labels[1], shuffled=False)
    limit = draw(st.none() | st.integers(2 * classes, len(both)))
    return Given(both.pixels, both.labels, both.classes, shuffled=False, first=len(labels[0])), limit


@given(given_cuts(), st.floats(0.1, 0.9))
def test_what_is_given_to_be_held_out_is(made: tuple[Given, int | None], fraction: float) -> None:
    images, limit = made
    train, valid = cut(images, fraction, limit)
    assert len(train) + len(valid) == (limit or len(images))
    assert int(train.max()) < images.first <= int(valid.min())
    assert len(set(train.tolist())) == len(train)
    assert len(set(valid.tolist())) == len(valid)
    for side, total in ((train, images.first), (valid, len(images) - images.first)):
        assert set(images.labels[side].tolist()) == set(range(len(images.classes)))
        due = total * (limit or len(images)) / len(images)
        assert abs(len(side) - due) <= len(images.classes)


def test_a_limit_below_one_of_each_class_on_both_given_sides_is_named() -> None:
    both = numbered([0, 1, 2] * 4, shuffled=False)
    images = Given(both.pixels, both.labels, both.classes, shuffled=False, first=6)
    assert [len(side) for side in cut(images, 0.5, 6)] == [3, 3]
    with pytest.raises(UserError, match=r"^data\.limit: 5 images"):
        cut(images, 0.5, 5)


def test_for_training_alone_what_is_to_be_held_out_is_left_out() -> None:
    both = numbered([0, 1, 2] * 10, shuffled=False)
    images = Given(both.pixels, both.labels, both.classes, shuffled=False, first=12)
    assert for_training(images).tolist() == list(range(12))
    assert for_training(images, 100).tolist() == list(range(12))
    some = for_training(images, 5)
    assert len(set(some.tolist())) == 5
    assert int(some.max()) < 12
    assert for_training(both).tolist() == list(range(30))
    assert torch.equal(for_training(both, 20), cut(both, 20 / 30)[0])


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


@given(cuts(), st.floats(0.3, 1.0))
def test_a_fraction_is_that_share_of_every_class_whatever_their_order(
    made: tuple[Images, float, int | None], fraction: float
) -> None:
    images, train_fraction, _ = made
    sizes = images.labels.bincount()
    total = round(fraction * len(images))
    assume(total >= 2 * len(sizes))
    train, valid = cut(images, train_fraction, fraction=fraction)
    assert len(train) + len(valid) == total
    assert len({*train.tolist(), *valid.tolist()}) == total
    both = images.labels[torch.cat([train, valid])].bincount(minlength=len(sizes))
    assert bool((both >= 2).all())
    raised = sum(max(0, 2 - fraction * int(size)) for size in sizes)  # two of each at least, whatever the fraction
    assert bool(((both - fraction * sizes).abs() < 2 + raised).all())
    assert all(map(torch.equal, cut(images, train_fraction, fraction=fraction), (train, valid))), "always the same"


def test_ten_and_two_and_a_half_percent_of_a_thousand_classes() -> None:
    """The subsets of PC-DARTS' search on ImageNet."""
    labels = torch.arange(1000).repeat_interleave(80)
    images = Images(torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), labels, tuple(map(str, range(1000))), False)
    train, valid = cut(images, 0.8, fraction=0.125)
    assert (images.labels[train].bincount() == 8).all()
    assert (images.labels[valid].bincount() == 2).all()


def test_a_fraction_and_a_limit_are_both_held() -> None:
    images = numbered([0, 1] * 50, shuffled=True)
    assert sum(map(len, cut(images, 0.5, limit=30, fraction=0.5))) == 30
    assert sum(map(len, cut(images, 0.5, limit=80, fraction=0.5))) == 50
    assert len(for_training(images, 80, 0.5)) == 50
    assert images.labels[for_training(images, None, 0.3)].bincount().tolist() == [15, 15]
    with pytest.raises(UserError, match=r"^data\.limit: 3 images"):
        cut(images, 0.5, limit=3, fraction=0.5)
    with pytest.raises(UserError, match=r"^data\.fraction=0\.03: 3 images"):
        cut(images, 0.5, fraction=0.03)


Made = tuple[Images, float, int | None]


@given(cuts(), st.data())
def test_as_many_images_of_every_class_are_held_out(
    made: tuple[Images, float, int | None], data: st.DataObject
) -> None:
    images, fraction, limit = made
    classes, total = len(images.classes), limit or len(images)
    held = data.draw(st.integers(classes, total - classes))
    train, valid = cut(images, fraction, limit, held_out=held)
    assert (len(valid), len(train)) == (held, total - held)
    assert not set(train.tolist()) & set(valid.tolist())
    left, counts = (images.labels[side].bincount(minlength=classes) for side in (train, valid))
    assert int(left.min()) >= 1
    assert int(counts.min()) >= 1
    able = counts[left > 1]  # other classes have no more to give
    assert len(able) == 0 or int(counts.max() - able.min()) <= 1


def test_images_held_out_in_number_are_a_line_where_they_cannot_be() -> None:
    images = numbered([0, 0, 0, 1, 1, 1, 1], shuffled=True)
    assert len(cut(images, 0.5, held_out=2)[1]) == 2
    for held in (1, 6):
        with pytest.raises(UserError, match=rf"data\.held_out={held}: with 2 classes 2 to 5 of 7"):
            cut(images, 0.5, held_out=held)
