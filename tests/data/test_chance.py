"""Randomness as a pure function, and the endless stream of batches."""

from __future__ import annotations

import pytest
import torch

from cleave.data.augment import Augment, Normalise, gather
from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.stream import BatchStream, InOrder


def some_images(count: int = 23, size: int = 8, channels: int = 2) -> Images:
    pixels = torch.randint(256, (count, channels, size, size), dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % 3, ("a", "b", "c"), shuffled=True)


def stream(images: Images, batch_size: int, leaf: str = "root", seed: int = 0, purpose: str = "train") -> BatchStream:
    return BatchStream(images, batch_size, Augment(1), Normalise.of(images), Chance(seed, leaf), purpose)


def test_equal_arguments_give_equal_numbers_and_others_do_not() -> None:
    base = Chance(1, "0.1").number("train", 5)
    assert base == Chance(1, "0.1").number("train", 5)
    others = [
        Chance(2, "0.1").number("train", 5),
        Chance(1, "0.2").number("train", 5),
        Chance(1, "0.1").number("held", 5),
        Chance(1, "0.1").number("train", 6),
    ]
    assert len({base, *others}) == 5
    assert all(0 <= number < 2**63 for number in others)


def test_numbers_do_not_depend_on_the_process() -> None:
    assert Chance(0, "root").number("weights") == 3832500998461453128


def test_batches_are_a_pure_function_of_the_step() -> None:
    images = some_images()
    first, second = stream(images, 5), stream(images, 5)
    forward = [first.batch(step) for step in range(12)]
    backward = [second.batch(step) for step in reversed(range(12))][::-1]
    for (x, y), (x2, y2) in zip(forward, backward, strict=True):
        assert torch.equal(x, x2)
        assert torch.equal(y, y2)


@pytest.mark.parametrize("batch_size", [1, 4, 5, 23])
def test_every_pass_shows_every_image_once(batch_size: int) -> None:
    images = some_images()
    shown = torch.cat([stream(images, batch_size).indices(step) for step in range(-(-4 * 23 // batch_size))])
    for number in range(4):
        assert sorted(shown[number * 23 : (number + 1) * 23].tolist()) == list(range(23))


def test_every_batch_is_full_and_passes_differ() -> None:
    batches = stream(some_images(), 5)
    assert all(len(batches.indices(step)) == 5 for step in range(20))
    assert not torch.equal(batches._order(0), batches._order(1))


def test_leaves_seeds_and_purposes_see_different_orders() -> None:
    images = some_images(200)
    orders = [
        stream(images, 50, leaf, seed, purpose).indices(0)
        for leaf, seed, purpose in [("root", 0, "train"), ("0", 0, "train"), ("root", 1, "train"), ("root", 0, "held")]
    ]
    assert len({tuple(order.tolist()) for order in orders}) == 4


def test_labels_stay_with_their_images() -> None:
    images = some_images()
    plain = BatchStream(images, 7, Augment(0, flip=False), Normalise.of(images), Chance(0, "root"), "train")
    x, y = plain.batch(3)
    chosen = plain.indices(3)
    assert torch.equal(y, images.labels[chosen])
    torch.testing.assert_close(x, Normalise.of(images)(images.pixels[chosen]))


def test_augmentation_is_a_shift_into_a_zero_border_and_sometimes_a_mirror_image() -> None:
    pixels = torch.randint(1, 256, (64, 2, 6, 6), dtype=torch.uint8)
    padding, seen = 2, set()
    out = Augment(padding)(pixels, torch.Generator().manual_seed(3))
    padded = torch.nn.functional.pad(pixels, [padding] * 4)
    for before, after in zip(padded, out, strict=True):
        shifts = {
            (top, left, flip): torch.equal(after, window.flip(2) if flip else window)
            for top in range(5)
            for left in range(5)
            for flip in (False, True)
            for window in [before[:, top : top + 6, left : left + 6]]
        }
        assert sum(shifts.values()) == 1
        seen |= {place for place, same in shifts.items() if same}
    assert {flip for _, _, flip in seen} == {True, False}
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == set(range(5))


def test_without_flip_nothing_is_mirrored_and_without_padding_nothing_moves() -> None:
    pixels = some_images().pixels
    assert torch.equal(Augment(0, flip=False)(pixels, torch.Generator()), pixels)


def test_gather_reads_each_image_at_its_own_rows_and_columns() -> None:
    pixels = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)
    rows, columns = torch.tensor([[0, 3], [1, 2]]), torch.tensor([[2, 1], [3, 3]])
    out = gather(pixels, rows, columns)
    assert out.shape == (2, 3, 2, 2)
    for i in range(2):
        for a in range(2):
            for b in range(2):
                assert torch.equal(out[i, :, a, b], pixels[i, :, rows[i, a], columns[i, b]])


def test_normalised_images_have_mean_zero_and_variance_one() -> None:
    images = some_images(50)
    values = Normalise.of(images)(images.pixels)
    torch.testing.assert_close(values.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.std(dim=(0, 2, 3), unbiased=False), torch.ones(2), atol=1e-4, rtol=0)


def test_a_constant_channel_is_not_divided_by_zero() -> None:
    images = Images(torch.full((4, 1, 8, 8), 7, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64), ("a",), True)
    assert Normalise.of(images)(images.pixels).abs().max() < 1e-3


@pytest.mark.parametrize("batch_size", [1, 4, 10, 22, 23, 100])
def test_in_order_shows_every_image_once_in_nearly_equal_batches(batch_size: int) -> None:
    images = some_images()
    batches = list(InOrder(images, batch_size, Normalise.of(images)))
    sizes = [len(labels) for _, labels in batches]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch_size
    assert torch.equal(torch.cat([labels for _, labels in batches]), images.labels)
    torch.testing.assert_close(torch.cat([x for x, _ in batches]), Normalise.of(images)(images.pixels))


def test_cifar_statistics_are_the_published_ones(cifar_root: object) -> None:
    from pathlib import Path

    from cleave.data.sources import load

    assert isinstance(cifar_root, Path)
    found = Normalise.of(load("cifar10", "train", cifar_root))
    torch.testing.assert_close(found.mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std, torch.tensor([0.2470, 0.2435, 0.2616]), atol=1e-4, rtol=0)
