from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from PIL import Image

from cleave.data.bundled import from_mosaic, read_bundled, to_mosaic
from cleave.data.fashion import CLASSES, read_fashion
from cleave.data.images import Images, Part
from scripts.build_bundled import PER_CLASS, SOURCE, balanced, build, write_part
from tests.data.official import made, write_fashion

PARTS = list(PER_CLASS.items())
needs_debian = pytest.mark.skipif(not SOURCE.is_dir(), reason="dataset-fashion-mnist is not installed")


def recorded(provenance: str) -> dict[str, str]:
    """The checksums in a PROVENANCE.md, by file."""
    return {file: digest for digest, file in re.findall(r"^    ([0-9a-f]{64})  (\S+)$", provenance, re.MULTILINE)}


@pytest.mark.parametrize(("part", "count"), PARTS)
def test_every_class_has_equally_many_images(part: Part, count: int) -> None:
    images = read_bundled(part)
    assert images.pixels.shape == (10 * count, 1, 28, 28)
    assert images.labels.bincount().tolist() == [count] * 10
    assert images.classes == CLASSES


def test_the_shipped_files_are_those_recorded_beside_them() -> None:
    folder = files("cleave.data") / "bundled"
    digests = recorded((folder / "PROVENANCE.md").read_text())
    for name in ("train.webp", "train_labels.txt", "test.webp", "test_labels.txt"):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digests[name]


@needs_debian
def test_the_source_files_are_those_recorded() -> None:
    digests = recorded((files("cleave.data") / "bundled" / "PROVENANCE.md").read_text())
    for file in SOURCE.glob("*.gz"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digests[file.name]


@needs_debian
@pytest.mark.parametrize(("part", "count"), PARTS)
def test_the_shipped_images_are_what_the_script_takes_from_the_source(part: Part, count: int) -> None:
    expected, shipped = balanced(SOURCE, part, count), read_bundled(part)
    assert torch.equal(shipped.pixels, expected.pixels)
    assert torch.equal(shipped.labels, expected.labels)


def test_the_first_images_of_each_class_are_taken_in_stored_order(tmp_path: Path) -> None:
    write_fashion(tmp_path, zipped=True)
    stored = read_fashion(tmp_path, "train")
    assert stored is not None
    quota = [2] * 10
    wanted = []
    for index, label in enumerate(stored.labels.tolist()):
        if quota[label]:
            quota[label] -= 1
            wanted.append(index)
    assert torch.equal(balanced(tmp_path, "train", 2).pixels, stored.pixels[wanted])


def test_a_source_without_the_data_set_stops_the_script_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="apt install dataset-fashion-mnist"):
        build(tmp_path, tmp_path / "target")


def test_a_part_written_as_a_mosaic_reads_back_equal(tmp_path: Path) -> None:
    pixels, labels = made(200, 1, 28, 10)
    write_part(Images(pixels, labels, CLASSES, shuffled=True), tmp_path, "test")
    with Image.open(tmp_path / "test.webp") as image:
        assert image.size == (2800, 56)
        mosaic = torch.tensor(list(image.convert("L").tobytes()), dtype=torch.uint8).view(56, 2800)
    assert torch.equal(from_mosaic(mosaic), pixels)
    assert (tmp_path / "test_labels.txt").read_text().replace("\n", "") == "".join(map(str, labels.tolist()))


def test_tiles_lie_in_the_mosaic_row_by_row() -> None:
    pixels = made(300, 1, 28, 10)[0]
    mosaic = to_mosaic(pixels)
    assert torch.equal(mosaic[28:56, 28 * 7 : 28 * 8], pixels[107, 0])
    assert torch.equal(from_mosaic(mosaic), pixels)
