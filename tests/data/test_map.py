"""Maps of images on the disk: what they give is what the files hold, whatever happened to them before."""

from __future__ import annotations

import errno
import os
import pickle
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cleave.data import map_builder, map_index, reading
from cleave.data.augment import Augment, Normalise
from cleave.data.chance import Chance
from cleave.data.folder import open_folder
from cleave.data.images import Images, fingerprint
from cleave.data.map_builder import map_folder, on_disk
from cleave.data.pixel_map import PIXELS, PixelMap
from cleave.data.reading import Reading
from cleave.data.stream import BatchStream, InOrder
from cleave.errors import UserError
from tests.data.made_folders import photo, plain
from tests.fresh import fresh

SIZE, COUNT = 16, 40


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "SETTLED", -1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "images", COUNT // 2)


def made(folder: Path, each: int) -> Path:
    """Two classes to train on, of so many images each, and a test part, which is not looked at."""
    plain(folder / "test", count=1)
    plain(folder / "train", count=each)
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded."""
    names: list[str] = []
    published = reading.decode
    monkeypatch.setattr(
        reading, "decode", lambda file, name, *how: (names.append(name), published(file, name, *how))[1]
    )
    return names


def taken(
    folder: Path, storage: str = "map", size: int = SIZE, said: list[str] | None = None, skip: bool = False
) -> Images:
    """All images of a folder."""
    told = Reading(skip, say=(said if said is not None else []).append, storage=storage)
    source = open_folder(folder, "train", size, told)
    (images,) = source.take_each(torch.arange(len(source)))
    told.check()
    return images


def mapped(folder: Path, size: int = SIZE) -> Path:
    """The file of the rows."""
    return map_folder(str(folder), size) / PIXELS


def all_or_refused(images: Images) -> bytes:
    """The pixels, or that there is a line on the damage."""
    try:
        return images.pixels[:].numpy().tobytes()
    except UserError as error:
        return b"refused" if re.search(r"/pixels: image \d+ in it is damaged; start again", str(error)) else b"wrong"


def alike(one: Images, other: Images) -> bool:
    return torch.equal(one.pixels[:], other.pixels[:]) and torch.equal(one.labels, other.labels)


def test_a_map_gives_the_same_images_statistics_and_batches_as_memory(folder: Path) -> None:
    kept, held = taken(folder), taken(folder, "memory")
    assert isinstance(kept.pixels, PixelMap)
    assert isinstance(held.pixels, torch.Tensor)
    assert alike(kept, held)
    assert fingerprint([kept]) == fingerprint([held])
    indices = torch.randperm(COUNT)[:7]
    assert alike(kept.take(indices), held.take(indices))
    one, other = Normalise.of(kept), Normalise.of(held)
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.std, other.std)
    chance = Chance(int(fresh().integers(1000)), "leaf")
    streams = [BatchStream(images, 9, Augment(2), one, chance, "train") for images in (kept, held)]
    orders = [InOrder(images, 9, one) for images in (kept, held)]
    for step in (0, 4, 11, 2):
        for pair in ([stream.batch(step) for stream in streams], [order[step % 4] for order in orders]):
            assert all(torch.equal(*each) for each in zip(*pair, strict=True))


def test_what_was_found_of_all_images_is_not_looked_for_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But of other images, or in another order, with other labels, or where it was damaged, it is."""
    kept, held = taken(folder), taken(folder, "memory")
    order = torch.randperm(COUNT)
    looks = []
    published = Images.chunks
    monkeypatch.setattr(Images, "chunks", lambda images: (looks.append(len(images)), published(images))[1])

    def looked(images: Images, memory: Images) -> int:
        """How often all images are looked at."""
        expected = fingerprint([memory]), Normalise.of(memory).mean.tolist()
        looks.clear()
        assert (fingerprint([images]), Normalise.of(images).mean.tolist()) == expected
        return len(looks)

    assert [looked(kept, held), looked(kept, held)] == [2, 0]
    assert looked(taken(folder), held) == 0
    mixed = replace(kept, pixels=replace(kept.pixels, rows=kept.pixels.rows[order], digests=kept.pixels.digests[order]))
    assert looked(mixed, replace(held, pixels=held.pixels[order])) == 2
    named = {"labels": 1 - kept.labels}
    assert looked(replace(kept, **named), replace(held, **named)) == 2
    for file in mapped(folder).parent.glob("found-*.json"):
        data = bytearray(file.read_bytes())
        data[int(fresh().integers(len(data)))] ^= 1 << int(fresh().integers(8))
        file.write_bytes(data)
    assert looked(kept, held) == 2


def test_many_images_are_read_in_pieces_and_in_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, held = taken(folder), taken(folder, "memory")
    monkeypatch.setattr("cleave.data.pixel_map.PIECE", 3 * 3 * SIZE * SIZE)
    indices = torch.randint(COUNT, (100,))
    assert torch.equal(kept.pixels[indices], held.pixels[indices])
    assert kept.pixels[torch.empty(0, dtype=torch.int64)].shape == (0, 3, SIZE, SIZE)


def test_what_is_in_the_map_is_not_opened_again(folder: Path, decoded: list[str], opened: list[str]) -> None:
    first = taken(folder)
    assert len(decoded) == COUNT
    decoded.clear()
    opened.clear()
    assert alike(taken(folder), first)
    assert decoded == []
    assert not any(name.endswith(".png") for name in opened)


def test_a_subset_adds_only_its_own_images_and_the_rest_comes_later(folder: Path, decoded: list[str]) -> None:
    source = open_folder(folder, "train", SIZE, Reading(storage="map"))
    few = torch.randperm(COUNT)[:12]
    first, second = source.take_each(few[:5], few[5:])
    assert len(decoded) == 12
    assert mapped(folder).stat().st_size == 12 * 3 * SIZE * SIZE
    held = taken(folder, "memory")
    assert alike(first, held.take(few[:5]))
    assert alike(second, held.take(few[5:]))
    decoded.clear()
    assert alike(taken(folder), held)
    assert len(decoded) == COUNT - 12


def test_each_size_and_each_folder_has_a_map_of_its_own(folder: Path, tmp_path: Path) -> None:
    other = made(tmp_path / "elsewhere" / "images", 3)
    for where, size in ((folder, 16), (folder, 8), (other, 16)):
        assert alike(taken(where, size=size), taken(where, "memory", size))
    assert len({mapped(folder, 16), mapped(folder, 8), mapped(other, 16)}) == 3


def test_a_file_that_changed_has_its_new_pixels_and_nobody_loses_the_old_ones(folder: Path) -> None:
    before = taken(folder)
    kept = before.pixels[:]
    photo(2).save(folder / "train" / "a" / "003.png")
    (folder / "train" / "b" / "001.png").unlink()
    photo(1).save(folder / "train" / "b" / "new.png")
    assert alike(taken(folder), taken(folder, "memory"))
    assert torch.equal(before.pixels[:], kept), "a search that goes on has the images that it began with"


def test_a_file_that_was_only_touched_is_read_and_not_decoded(
    folder: Path, decoded: list[str], opened: list[str]
) -> None:
    taken(folder)
    size = mapped(folder).stat().st_size
    os.utime(folder / "train" / "a" / "003.png", (1, 1))
    decoded.clear()
    opened.clear()
    kept = taken(folder)
    assert [name for name in opened if name.endswith(".png")] == [str(folder / "train" / "a" / "003.png")]
    assert decoded == []
    assert mapped(folder).stat().st_size == size
    assert alike(kept, taken(folder, "memory"))


@pytest.mark.parametrize("part", [PIXELS, map_index.RECORDS])
def test_any_damage_is_said_or_made_good_and_never_gives_other_pixels(folder: Path, part: str) -> None:
    right = taken(folder, "memory").pixels[:]
    for _ in range(12):
        kept = taken(folder)
        file = mapped(folder).parent / part
        data = bytearray(file.read_bytes())
        for place in fresh().integers(len(data), size=int(fresh().integers(1, 4))):
            data[place] ^= int(fresh().integers(1, 256))
        if fresh().random() < 0.25:
            data = data[: fresh().integers(len(data))]
        file.write_bytes(data)
        for images in (kept, taken(folder)):  # one that was opened before, and one that is opened on the damaged file
            assert all_or_refused(images) in (right.numpy().tobytes(), b"refused")
        assert torch.equal(taken(folder).pixels[:], right), "the next start makes it good"


def test_all_damaged_images_are_made_again_at_once(folder: Path, decoded: list[str]) -> None:
    kept = taken(folder)
    data = np.fromfile(mapped(folder), np.uint8).reshape(COUNT, -1)
    data[[3, 11, 30], 5] ^= 255
    data.tofile(mapped(folder))
    with pytest.raises(UserError, match="image 3 in it is damaged"):
        kept.pixels[torch.tensor([0, 3])]
    assert len(kept.pixels[torch.tensor([0, 1])]) == 2
    decoded.clear()
    said: list[str] = []
    assert alike(taken(folder, said=said), taken(folder, "memory"))
    assert len([name for name in decoded[:3] if "/images/" in name]) == 3
    assert "3 of them have to be read first" in said[0]
    assert torch.equal(kept.pixels[:], taken(folder).pixels[:]), "who had it open sees them too"


def test_what_cannot_be_used_is_named_or_left_out(folder: Path) -> None:
    (folder / "train" / "a" / "003.png").write_bytes(b"poison")
    for _ in range(2):
        with pytest.raises(UserError, match=r"a/003\.png: .*--skip-damaged"):
            taken(folder)
        assert alike(taken(folder, skip=True), taken(folder, "memory", skip=True))
        assert len(taken(folder, skip=True)) == COUNT - 1


def test_a_map_of_nothing_is_no_accident(folder: Path) -> None:
    for file in (folder / "train").rglob("*.png"):
        file.write_bytes(b"poison")
    with pytest.raises(UserError, match=f"{COUNT} files cannot be used"):
        taken(folder)


def test_one_line_says_where_it_is_and_how_large(folder: Path) -> None:
    said: list[str] = []
    taken(folder, said=said)
    assert said == [
        f"{COUNT} images of {SIZE} x {SIZE} pixels stay on the disk, 0 MiB in {mapped(folder).parent}; "
        f"{COUNT} of them have to be read first"
    ]
    said.clear()
    taken(folder, said=said)
    assert said == [f"{COUNT} images of {SIZE} x {SIZE} pixels stay on the disk, 0 MiB in {mapped(folder).parent}"]


def test_without_room_it_is_refused_in_one_line_before_anything_is_decoded(
    folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 10_000})
    monkeypatch.setattr(map_builder.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="XDG_CACHE_HOME") as error:
        taken(folder)
    assert "\n" not in str(error.value)
    assert str(mapped(folder).parent) in str(error.value)
    assert decoded == []


def test_a_disk_that_becomes_full_is_one_line_and_what_was_added_stays(
    folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published, written = os.pwrite, []

    def pwrite(descriptor: int, data: bytes, place: int) -> int:
        written.append(place)
        if len(written) > 21:
            raise OSError(errno.ENOSPC, "No space left on device")
        return published(descriptor, data[: max(1, len(data) // 2)], place)  # as if interrupted

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(UserError, match=r"no space left on device.*XDG_CACHE_HOME"):
        taken(folder)
    monkeypatch.setattr(os, "pwrite", published)
    decoded.clear()
    kept = taken(folder)
    assert len(decoded) == COUNT - 1
    assert alike(kept, taken(folder, "memory"))


@pytest.mark.parametrize(
    ("storage", "free", "expected"),
    [("map", 10**12, True), ("memory", 10, False), ("auto", 2000, True), ("auto", 10**6, False), ("auto", None, False)],
)
def test_images_stay_on_the_disk_where_memory_would_be_short(
    storage: str, free: int | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_builder, "free_bytes", lambda: free)
    assert on_disk(10, 8, storage) is expected


def test_another_process_gets_the_place_and_not_the_pixels(folder: Path) -> None:
    kept = taken(folder)
    sent = pickle.dumps(kept)
    assert len(sent) < COUNT * 200
    assert alike(pickle.loads(sent), kept)


BUILD = """
import sys, torch
from pathlib import Path
from cleave.data import reading
from cleave.data.folder import open_folder
reading.CHUNK = 4
published = reading.decode
def decode(file, name, *how):
    import time
    time.sleep(0.02)
    return published(file, name, *how)
reading.decode = decode
told = reading.Reading(say=lambda line: print(line, flush=True), storage="map")
source = open_folder(Path(sys.argv[1]), "train", 16, told)
(images,) = source.take_each(torch.arange(len(source)))
print(int(images.pixels[:].sum()), flush=True)
"""


def building(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(folder)], stdout=subprocess.PIPE, text=True)


def test_after_a_kill_it_goes_on_where_it_was(tmp_path: Path, decoded: list[str]) -> None:
    folder = made(tmp_path / "many", 100)
    process = building(folder)
    while not mapped(folder).exists() or mapped(folder).stat().st_size < 20 * 3 * SIZE * SIZE:
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.communicate()
    there = mapped(folder).stat().st_size // (3 * SIZE * SIZE)
    kept = taken(folder)
    assert 200 - there <= len(decoded) <= 201 - there
    assert alike(kept, taken(folder, "memory"))


def test_two_processes_make_one_map(tmp_path: Path) -> None:
    folder = made(tmp_path / "many", 30)
    both = [building(folder) for _ in range(2)]
    said = [process.communicate()[0].splitlines() for process in both]
    assert all(process.returncode == 0 for process in both)
    expected = str(int(taken(folder, "memory").pixels[:].sum()))
    assert [lines[-1] for lines in said] == [expected, expected]
    assert mapped(folder).stat().st_size == 60 * 3 * SIZE * SIZE


def test_a_bad_sector_is_made_good_by_the_next_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, published, length = taken(folder), os.pread, 3 * SIZE * SIZE

    def pread(descriptor: int, count: int, place: int) -> bytes:
        if (count, place) == (length, 5 * length):
            raise OSError(errno.EIO, "Input/output error")
        return published(descriptor, count, place)

    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(UserError, match=r"pixels: cannot be read \(input/output error\); start again"):
        kept.pixels[:]
    said: list[str] = []
    assert len(taken(folder, said=said)) == COUNT
    assert "1 of them have to be read first" in said[0]
    monkeypatch.setattr(os, "pread", published)
    assert alike(taken(folder), taken(folder, "memory"))


def test_files_that_were_touched_need_no_room(
    folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(folder)
    for file in (folder / "train").rglob("*.png"):
        os.utime(file, (1, 1))
    decoded.clear()
    monkeypatch.setattr(map_builder.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 0}))
    taken(folder)
    assert decoded == []
