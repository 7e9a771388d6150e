"""What the parts of a study have in common: children, images, mini-batches, chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.data import reading
from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.pixel_map import PixelMap
from cleave.data.sources import load
from cleave.errors import UserError
from cleave.space import find_space
from cleave.study.record.log import all_children
from cleave.study.record.problem import Study, chosen_children, load_images, open_study
from tests.study.small import recipe_of, small_study
from tests.tiny import write_images
from tests.toys import ToyCells64, toys_known


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    with toys_known():
        yield


@pytest.mark.parametrize(("train", "batch_size"), [(44, 16), (48, 16), (5, 16), (33, 8)])
def test_an_epoch_shows_every_image_once_and_its_last_batch_is_what_is_left(train: int, batch_size: int) -> None:
    study = small_study({"training.batch_size": batch_size}, train=train)
    stream = study.stream(Chance(3, "any"), "train")
    orders = []
    for epoch in range(3):
        steps = range(epoch * study.steps_per_epoch, (epoch + 1) * study.steps_per_epoch)
        batches = [stream.indices(step).tolist() for step in steps]
        *whole, last = map(len, batches)
        assert set(whole) <= {batch_size}
        assert last == (train - 1) % batch_size + 1
        orders.append([image for batch in batches for image in batch])
    assert all(sorted(order) == list(range(train)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_mini_batches_are_labelled_images_of_the_training_part() -> None:
    study = small_study({"data.padding": 0, "data.flip": False})
    stream = study.stream(Chance(3, "any"), "train")
    images, labels = stream.batch(2)
    chosen = stream.indices(2)
    assert torch.equal(labels, study.train.labels[chosen])
    assert torch.equal(images, study.normalise(study.train.pixels[chosen]))


def test_mini_batches_are_shifted_by_an_eighth_and_mirrored_unless_told_otherwise() -> None:
    study = small_study()
    augment = study.stream(Chance(3, "any"), "train").augment
    assert (augment.padding, augment.flip) == (1, True)
    told = small_study({"data.padding": 3, "data.flip": False}).stream(Chance(3, "any"), "train").augment
    assert (told.padding, told.flip) == (3, False)


def drawn(seed: int, **changes: Any) -> tuple[str, ...]:  # noqa: ANN401
    space = {"space.name": "nasbench201", "space.ops": None, "space.children": 7, **changes}
    recipe = recipe_of({"seed": seed, **space})
    return chosen_children(recipe, find_space(recipe.space))


def test_a_sample_of_children_follows_the_seed_and_is_in_the_spaces_order() -> None:
    children = drawn(1)
    assert children == drawn(1)
    assert children != drawn(2)
    known = {child: number for number, child in enumerate(all_children(find_space("nasbench201")))}
    places = [known[child] for child in children]
    assert places == sorted(set(places))
    assert len(places) == 7


def test_samples_are_uniform() -> None:
    space = {"space.name": "cells64", "space.ops": ["max_pool_3x3", "sep_conv_3x3"], "space.children": 4}
    seen = Counter(child for seed in range(200) for child in drawn(seed, **space))
    assert len(seen) == 8
    assert all(60 < count < 140 for count in seen.values())


def test_without_a_number_all_children_of_a_small_space_are_there() -> None:
    recipe = recipe_of({"space.name": "toycells64", "space.ops": None})
    assert chosen_children(recipe, ToyCells64()) == all_children(ToyCells64())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space.name": "nasbench201", "space.ops": None}, r"space\.children: nasbench201 has 15,625 architectures"),
        ({"space.children": 9}, r"space\.children=9: cells64 has 8"),
        ({"space.children": 2001}, r"space\.children=2001: .* 2,000 at most"),
        ({"sharing.policy": "pattern", "sharing.pattern": "conv9"}, r"sharing\.pattern=conv9: matches no tensor"),
        ({"sharing.policy": "prefix", "sharing.cells": 3}, r"sharing\.cells=3: the network has 2 cells"),
        ({"data.limit": 5}, r"data\.limit: 5"),
        ({"data.name": "bundeld"}, "bundled"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_study(recipe_of(changes))


def as_set(images: Images) -> set[bytes]:
    return {pixels.numpy().tobytes() for pixels in images.pixels}


def test_children_are_ranked_by_images_held_out_of_the_training_part() -> None:
    train, judged, reported, _ = load_images(recipe_of({"data.limit": 200, "looks.images": None}))
    assert (len(train), len(judged), reported) == (160, 40, None)
    assert not as_set(train) & as_set(judged)
    fewer = load_images(recipe_of({"data.limit": 200, "looks.images": 13}))[1]
    assert torch.equal(fewer.pixels, judged.pixels[:13])


def test_test_images_are_there_to_report_by_when_asked_for() -> None:
    train, judged, reported, _ = load_images(recipe_of({"data.report_test": True}))
    test = load("bundled", "test", None, 8)
    assert reported is not None
    assert torch.equal(reported.pixels, test.pixels)
    assert not as_set(test) & (as_set(train) | as_set(judged))


def test_ranked_by_the_test_images_all_others_are_trained_on() -> None:
    train, judged, reported, _ = load_images(recipe_of({"data.judge": "test", "data.limit": None, "looks.images": 30}))
    whole = load("bundled", "train", None, 8)
    assert torch.equal(train.pixels, whole.pixels)
    test = load("bundled", "test", None, 8)
    assert len(judged) == 30
    assert as_set(judged) <= as_set(test)
    assert len(set(judged.labels.tolist())) > 1, "images that lie class by class are mixed first"
    assert reported is None
    limited, *_ = load_images(recipe_of({"data.judge": "test", "data.limit": 100}))
    assert len(limited) == 100


def test_the_log_says_what_children_were_ranked_by() -> None:
    for judge in ("held-out", "test"):
        study = small_study({"data.judge": judge})
        assert study.judged_on == study.meta()["judged_on"] == judge
    assert study.meta()["children"] == list(study.children)
    assert study.meta()["image"] == [3, 8, 8]


def test_a_fingerprint_tells_images_apart() -> None:
    study = small_study(reported=5)

    def changed(images: Images) -> Images:
        pixels = images.pixels.clone()
        pixels[0, 0, 0, 0] += 1
        return replace(images, pixels=pixels)

    assert study.reported is not None
    others = [
        replace(study, train=changed(study.train)),
        replace(study, judged=changed(study.judged)),
        replace(study, reported=changed(study.reported)),
        replace(study, reported=None),
        replace(study, train=replace(study.train, labels=study.train.labels.roll(1))),
    ]
    assert len({each.fingerprint() for each in (study, *others)}) == 6
    assert replace(study).fingerprint() == study.fingerprint()


def test_instances_groups_and_purposes_have_chance_of_their_own() -> None:
    study: Study = small_study({"vary": "weights"})
    numbers = {study.weights(instance).number(purpose) for instance in range(3) for purpose in ("weights", "train 0")}
    numbers |= {study.order(instance, group).number("order") for instance in range(3) for group in range(3)}
    assert len(numbers) == 15


def test_the_parts_of_a_folder_are_those_of_a_study(tmp_path: Path) -> None:
    for part in ("Train", "val", "Test"):
        write_images(tmp_path / part, each=6)
        (tmp_path / part / "class1" / "003.png").write_bytes(b"poison")
    changes = {"data.name": str(tmp_path), "data.report_test": True, "looks.images": None, "data.limit": None}
    with pytest.raises(UserError) as error:
        load_images(recipe_of(changes))
    assert all(f"{tmp_path}/{part}/class1/003.png" in str(error.value) for part in ("Train", "val", "Test"))
    train, judged, reported, report = load_images(recipe_of({**changes, "data.skip_damaged": True}))
    assert reported is not None
    assert (len(train), len(judged), len(reported)) == (11, 11, 11)
    assert report["left_out"]["unusable"] == 3
    changes = {**changes, "data.skip_damaged": True, "data.judge": "test", "data.report_test": False}
    train, judged, _, report = load_images(recipe_of(changes))
    assert (len(train), len(judged), report["judged_by"]) == (11, 11, "test")
    assert torch.equal(judged.labels.sort().values, reported.labels.sort().values)


def test_only_what_a_study_looks_at_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    decoded: list[str] = []
    published = reading.decode
    monkeypatch.setattr(
        reading, "decode", lambda file, name, *how: (decoded.append(name), published(file, name, *how))[1]
    )
    folder = write_images(tmp_path / "images")
    train, judged, _, _ = load_images(recipe_of({"data.name": str(folder), "data.limit": 20, "looks.images": 2}))
    assert len(decoded) == len(train) + len(judged) == 18


def test_images_of_a_study_may_stay_on_the_disk_and_be_a_share_of_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for part in ("train", "test"):
        write_images(tmp_path / "images" / part, each=20)
    changes = {"data.name": str(tmp_path / "images"), "data.fraction": 0.5, "data.limit": None}
    for judge in ({}, {"data.judge": "test"}):
        held, kept = (
            load_images(recipe_of({**changes, **judge, "data.storage": storage}))[:2] for storage in ("memory", "map")
        )
        assert held[0].labels.bincount().tolist() == ([10, 10] if judge else [8, 8])
        for one, other in zip(held, kept, strict=True):
            assert isinstance(other.pixels, PixelMap)
            assert torch.equal(one.pixels[:], other.pixels[:])
