"""The size of images and networks follows from what images have, and what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleave.data.folder import Folder, open_folder
from cleave.data.reading import Reading
from cleave.design.scale import Scale
from cleave.design.scales import PHOTOGRAPHS, SMALL_WIDTHS, batch_of, median_side, scales, seconds_of
from cleave.design.settings import DesignRecipe
from tests.design.still import PHASES, write_folder


def test_small_pictures_stay_as_they_are_and_networks_widen() -> None:
    assert scales(DesignRecipe(), 28, pretrained=False) == [Scale(28, width) for width in SMALL_WIDTHS]
    assert {each.stem for each in scales(DesignRecipe(), 32, pretrained=False)} == {"cifar"}


def test_photographs_are_never_enlarged_but_for_pretrained_weights() -> None:
    found = scales(DesignRecipe(), 130, pretrained=False)
    assert found == PHOTOGRAPHS[:4]
    assert scales(DesignRecipe(), 28, pretrained=True) == [Scale(64, 1.0)]
    assert scales(DesignRecipe(), 100, pretrained=True) == [Scale(64, 1.0), Scale(96, 1.0)]


def test_what_is_given_is_not_chosen() -> None:
    recipe = DesignRecipe.model_validate({"data": {"image_size": 40}, "width": 0.6})
    assert scales(recipe, 500, pretrained=False) == [Scale(40, 0.6)]


def test_batches_of_few_images_are_small() -> None:
    assert (batch_of(500, 100), batch_of(10_000, 2000), batch_of(500, 20), batch_of(3, 1)) == (32, 64, 20, 2)


def test_a_plan_is_taken_apart() -> None:
    assert seconds_of(PHASES) == {"epoch_seconds": 1.5, "fixed_seconds": 1.0, "arch_seconds": 1.5}


@pytest.mark.parametrize("side", [8, 70])
def test_the_side_of_a_folders_images_is_read_from_their_heads(tmp_path: Path, side: int) -> None:
    write_folder(tmp_path, {"train": 3, "test": 1}, side=side)
    (tmp_path / "train" / "class0" / "000.png").write_bytes(b"no image")
    folder = open_folder(tmp_path, "train", None, Reading())
    assert isinstance(folder, Folder)
    assert median_side(folder) == side
