"""A job as bytes and its images beside it."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.data.images import Images
from cleave.data.pixel_map import PixelMap, digest_of
from cleave.engine.packing import opened, pack, unpack
from cleave.errors import UserError


@dataclass(frozen=True)
class Made:
    """A job with two sets of images, one of which it holds twice, and another tensor."""

    train: Images
    again: Images
    valid: Images
    other: torch.Tensor
    run: Path = Path("run")

    @property
    def images(self) -> list[Images]:
        return [self.train, self.valid]


def made() -> Made:
    def some(count: int) -> Images:
        pixels = torch.randint(256, (count, 3, 40, 40), dtype=torch.uint8)
        return Images(pixels, torch.randint(2, (count,)), ("a", "b"), shuffled=True)

    train = some(50)
    return Made(train, train, some(30), torch.randn(3, dtype=torch.float64))


def test_a_job_comes_back_as_it_was_and_its_images_are_not_in_its_bytes() -> None:
    job: Any = made()
    data, arrays = pack(job)
    assert len(data) < 5_000
    found = unpack(data, [pickle.loads(pickle.dumps(array)) for array in arrays])
    for one, other in ((found.train, job.train), (found.again, job.train), (found.valid, job.valid)):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.labels, other.labels)
        assert one.classes == other.classes
    assert torch.equal(found.other, job.other)


def test_arrays_that_may_not_be_written_are_taken_without_a_copy() -> None:
    job: Any = made()
    data, arrays = pack(job)
    for array in arrays:
        array.flags.writeable = False
    assert unpack(data, arrays).train.pixels.data_ptr() == arrays[0].ctypes.data


@pytest.mark.parametrize("there", [True, False])
def test_a_worker_elsewhere_is_at_work_where_the_search_began_and_needs_its_run_folder(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job: Any = made()
    began = tmp_path / "there"
    (began / "run").mkdir(parents=True)
    data, arrays = pack(job)
    if there:
        assert torch.equal(opened(str(began), data, arrays).train.pixels, job.train.pixels)
        assert Path.cwd() == began
    else:
        with pytest.raises(UserError, match=r"^run: is not there on .*; it has to be on a disk that all"):
            opened(str(tmp_path / "gone"), data, arrays)


def test_of_a_map_only_its_place_is_sent(tmp_path: Path) -> None:
    rows = torch.randint(256, (50, 3, 4, 4), dtype=torch.uint8)
    (tmp_path / "pixels").write_bytes(rows.numpy().tobytes())
    digests = torch.tensor([list(digest_of(row.numpy().tobytes())) for row in rows], dtype=torch.uint8)
    kept = Images(
        PixelMap(tmp_path / "pixels", 4, torch.arange(50), digests), torch.randint(2, (50,)), ("a", "b"), True
    )
    job: Any = Made(kept, kept, kept, torch.randn(3))
    data, arrays = pack(job)
    assert sum(array.nbytes for array in arrays[: len(arrays) // 2]) == 50 * (8 + 8 + 16)
    assert torch.equal(unpack(data, arrays).train.pixels[:], rows)
