from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import re
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.data import sources
from cleave.data.bundled import read_bundled
from cleave.data.images import TENSORS, Images
from cleave.data.sources import SOURCES, Archive, data_root, load
from cleave.errors import UserError
from tests.data.official import (
    write_cifar10,
    write_cifar100,
    write_fashion,
    write_folder,
    write_imagenet16,
)
from tests.fresh import fresh
from tests.tiny import write_images

WRITERS: dict[str, Callable[[Path], object]] = {
    "cifar10": functools.partial(write_cifar10, binary=True),
    "cifar-10": functools.partial(write_cifar10, binary=False),
    "cifar100": functools.partial(write_cifar100, binary=True),
    "CIFAR-100": functools.partial(write_cifar100, binary=False),
    "ImageNet16_120": write_imagenet16,
    "fashion-mnist": lambda root: write_fashion(root / "fashion-mnist", zipped=True),
    "Fashion-MNIST": lambda root: write_fashion(root / "FashionMNIST" / "raw", zipped=False),
}
TEST_FILES = ("test", "t10k", "val")


def of_test(names: list[str]) -> list[str]:
    return [name for name in names if Path(name).name.startswith(TEST_FILES)]


@pytest.mark.parametrize("name", WRITERS)
def test_every_name_is_known_however_it_is_spelt(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    train, test = load(name, "train", tmp_path), load(name, "test", tmp_path)
    assert len(train)
    assert len(test)
    assert train.classes == test.classes


@pytest.mark.parametrize("name", WRITERS)
def test_the_training_part_needs_and_opens_no_test_file(tmp_path: Path, name: str, opened: list[str]) -> None:
    WRITERS[name](tmp_path)
    tests = [path for path in tmp_path.rglob("*") if path.is_file() and path.name.startswith(TEST_FILES)]
    assert tests
    opened.clear()
    there = load(name, "train", tmp_path)
    assert opened
    assert not of_test(opened)
    for path in tests:
        path.write_bytes(b"poison")
    poisoned = load(name, "train", tmp_path)
    with pytest.raises(UserError, match=str(tmp_path)):
        load(name, "test", tmp_path)
    for path in tests:
        path.unlink()
    gone = load(name, "train", tmp_path)
    assert torch.equal(there.pixels, poisoned.pixels)
    assert torch.equal(there.pixels, gone.pixels)


def test_the_bundled_training_part_opens_no_test_file(opened: list[str]) -> None:
    read_bundled.cache_clear()
    load("bundled", "train")
    assert any(name.endswith("train.webp") for name in opened)
    assert not of_test(opened)
    load("bundled", "test")
    assert of_test(opened)  # so the watch does see them


@pytest.mark.parametrize("test", ["test", "val", "valid"])
def test_the_training_part_of_a_folder_opens_no_test_file(tmp_path: Path, test: str, opened: list[str]) -> None:
    write_folder(tmp_path / "train", {"a": 3, "b": 3})
    write_folder(tmp_path / test, {"a": 3, "b": 3})
    poison = tmp_path / test / "a" / "000.png"
    poison.write_bytes(b"poison")
    opened.clear()
    assert len(load(str(tmp_path), "train")) == 6
    assert not [name for name in opened if name.startswith(str(tmp_path / test))]
    with pytest.raises(UserError, match=str(poison)):
        load(str(tmp_path), "test")


def test_the_tenth_that_is_the_test_part_is_not_opened_for_training(tmp_path: Path, opened: list[str]) -> None:
    write_folder(tmp_path, {"a": 10, "b": 10})
    opened.clear()
    load(str(tmp_path), "train")
    trained = {name for name in opened if name.startswith(str(tmp_path))}
    opened.clear()
    load(str(tmp_path), "test")
    tested = {name for name in opened if name.startswith(str(tmp_path))}
    assert len(trained) == 18
    assert len(tested) == 2
    assert not trained & tested


@pytest.mark.parametrize(("name", "size"), [("cifar10", 16), ("fashion-mnist", 14), ("imagenet16-120", 24)])
def test_images_are_resized_on_request(tmp_path: Path, name: str, size: int) -> None:
    WRITERS[{"imagenet16-120": "ImageNet16_120"}.get(name, name)](tmp_path)
    images = load(name, "test", tmp_path)
    resized = load(name, "test", tmp_path, image_size=size)
    assert torch.equal(resized.pixels, images.resize(size).pixels)
    assert resized.pixels.shape[-1] == size


def test_a_folder_is_decoded_at_the_size_asked_for(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 3, "b": 3})
    assert load(str(tmp_path), "train", image_size=24).pixels.shape[-1] == 24
    assert load(str(tmp_path), "train").pixels.shape[-1] == 32


def test_a_folder_may_be_given_by_a_bare_name_but_a_known_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "pictures", {"a": 3, "b": 3})
    write_folder(tmp_path / "bundled", {"a": 3, "b": 3})
    assert len(load("pictures", "train")) == 4
    assert len(load("./bundled", "train")) == 4
    assert len(load("bundled", "train")) == 10_000


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(UserError, match=r"^data\.name: unknown 'cifar11'; did you mean 'cifar10'"):
        load("cifar11", "train")


@pytest.mark.parametrize("data", ["./nowhere", "cifar/10", "/nowhere/at/all"])
def test_a_path_that_is_not_there_is_refused_by_name(data: str) -> None:
    with pytest.raises(UserError, match=rf"^data\.name: there is no folder {re.escape(data)}$"):
        load(data, "train")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "images.zip").touch()
    with pytest.raises(UserError, match=rf"^data\.name: {tmp_path}/images\.zip is a file, not a folder of images$"):
        load(str(tmp_path / "images.zip"), "train")


def test_what_may_not_be_read_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system would say it; who runs the tests may be allowed to read everything."""
    write_cifar10(tmp_path, binary=True)
    published = os.stat

    def refuse(path: object, **named: Any) -> os.stat_result:  # noqa: ANN401
        if Path(str(path)).name in ("data_batch_3.bin", "locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return published(path, **named)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "stat", refuse)
    for data, root in (("cifar10", tmp_path), (str(tmp_path / "locked"), None)):
        with pytest.raises(UserError, match=rf"^{tmp_path}/.*(bin|locked): cannot be read \(permission denied\)$"):
            load(data, "train", root)


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in ("bundled", TENSORS)])
def test_what_is_not_there_is_refused_with_what_to_get_and_where_to_put_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=rf"^data\.name: {name} is not in {tmp_path}: download .*https://.*{tmp_path}"):
        load(name, "train", tmp_path, download=False)
    assert not list(tmp_path.iterdir())


def test_a_named_set_may_be_a_folder_of_image_files(tmp_path: Path) -> None:
    for part, each in (("train", 5), ("val", 3)):
        write_images(tmp_path / "imagenet-1k" / part, classes=3, each=each)
    assert len(load("ImageNet 1k", "train", tmp_path)) == 15
    found = load("imagenet-1k", "test", tmp_path, image_size=8)
    assert len(found) == 9
    assert torch.equal(found.pixels, load(str(tmp_path / "imagenet-1k"), "test", image_size=8).pixels)


def test_the_data_root_is_the_argument_else_the_environment_else_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CLEAVE_DATA", raising=False)
    assert data_root() == tmp_path / "cache" / "cleave" / "data"
    monkeypatch.setenv("CLEAVE_DATA", str(tmp_path / "given"))
    assert data_root() == tmp_path / "given"
    write_cifar10(tmp_path / "given", binary=True)
    assert len(load("cifar10", "train", download=False)) == 50
    with pytest.raises(UserError, match=str(tmp_path / "elsewhere")):
        load("cifar10", "train", tmp_path / "elsewhere", download=False)
    monkeypatch.delenv("CLEAVE_DATA")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root() == tmp_path / ".cache" / "cleave" / "data"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()
        thread.join()


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def serve(monkeypatch: pytest.MonkeyPatch, name: str, *archives: Archive) -> None:
    """Sets the addresses of the data set `name`: the real servers are out of reach of tests."""
    monkeypatch.setitem(sources.SOURCES, name, replace(SOURCES[name], archives=lambda: archives))


def packed(folder: Path, root: Path) -> Path:
    archive = folder / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for inside in root.iterdir():
            tar.add(inside, inside.name)
    return archive


def test_an_archive_is_downloaded_and_unpacked_once(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, address = server
    expected = write_cifar10(tmp_path / "original", binary=False)
    archive = packed(folder, tmp_path / "original")
    serve(monkeypatch, "cifar10", Archive(address + archive.name, md5(archive)))
    root = tmp_path / "root"
    assert torch.equal(load("cifar10", "train", root).pixels, expected["train"][0])
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-py"]
    archive.unlink()
    assert torch.equal(load("cifar10", "test", root).pixels, expected["test"][0])
    assert capsys.readouterr().out == ""


def test_files_that_are_no_archives_are_downloaded_into_their_folder(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    expected = write_fashion(folder, zipped=True)
    into = SOURCES["fashion-mnist"].archives()[0].folder
    files = sorted(folder.iterdir())
    serve(monkeypatch, "fashion-mnist", *(Archive(address + file.name, md5(file), into) for file in files))
    root = tmp_path / "root"
    assert torch.equal(load("fashion-mnist", "test", root).pixels, expected["test"][0])
    assert sorted(path.name for path in (root / into).iterdir()) == [file.name for file in files]


def refused(name: str, root: Path) -> str:
    """The line that says why `name` could not be had, once it is certain that nothing is left behind."""
    with pytest.raises(UserError, match=rf"^data\.name: {name} is not in {root} and could not be downloaded") as error:
        load(name, "train", root)
    assert not [path for path in root.rglob("*") if path.is_file()]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_archive_with_other_bytes_is_refused_and_not_kept(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    write_cifar10(tmp_path / "original", binary=False)
    archive = packed(folder, tmp_path / "original")
    serve(monkeypatch, "cifar10", Archive(address + archive.name, "0" * 32))
    assert "corrupted" in refused("cifar10", tmp_path / "root")


def test_an_archive_that_the_server_lacks_is_refused_with_what_to_do(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, "cifar100", Archive(server[1] + "gone.tar.gz", "0" * 32))
    message = refused("cifar100", tmp_path / "root")
    assert "404" in message
    assert f"unpack it in {tmp_path / 'root'}" in message


def test_a_server_that_never_answers_is_given_up_and_the_timeout_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TIMEOUT", 0.2)
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/cifar.tar.gz"
        serve(monkeypatch, "cifar10", Archive(address, "0" * 32))
        assert "timed out" in refused("cifar10", tmp_path / "root")
    assert socket.getdefaulttimeout() == before


Member = tuple[str, bytes, str]
"""Name, kind and where it points to."""

EVIL: dict[str, list[Member]] = {
    "above": [("../../escaped", tarfile.REGTYPE, "")],
    "absolute": [("/{tmp}/escaped", tarfile.REGTYPE, "")],
    "through a link": [("way", tarfile.SYMTYPE, "{tmp}"), ("way/escaped", tarfile.REGTYPE, "")],
    "a hard link": [("escaped", tarfile.LNKTYPE, "/etc/hostname")],
    "a pipe": [("escaped", tarfile.FIFOTYPE, "")],
    "a device": [("escaped", tarfile.CHRTYPE, "")],
}


@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL)
def test_an_archive_can_write_nothing_but_files_of_its_own(
    members: list[Member], tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    archive = folder / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, kind, target in members:
            made = tarfile.TarInfo(name.format(tmp=tmp_path))
            made.type, made.linkname = kind, target.format(tmp=tmp_path)
            made.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(made, io.BytesIO(b"evil"))
    serve(monkeypatch, "cifar10", Archive(address + archive.name, md5(archive)))
    assert "is no file or folder of its own" in refused("cifar10", tmp_path / "root")
    assert not list(tmp_path.rglob("escaped"))


def test_an_archives_folders_may_be_deep_and_empty(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    expected = write_cifar10(tmp_path / "original", binary=False)
    (tmp_path / "original" / "cifar-10-batches-py" / "more" / "and more").mkdir(parents=True)
    (tmp_path / "original" / "cifar-10-batches-py" / "more" / "text").write_text("some")
    archive = packed(folder, tmp_path / "original")
    serve(monkeypatch, "cifar10", Archive(address + archive.name, md5(archive)))
    root = tmp_path / "root"
    assert torch.equal(load("cifar10", "test", root).pixels, expected["test"][0])
    assert (root / "cifar-10-batches-py" / "more" / "text").read_text() == "some"


def test_a_data_root_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^data\.name: cifar10 is not in .*could not be downloaded"):
        load("cifar10", "train", tmp_path / "file" / "root")


def test_a_new_source_is_one_entry_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Images(torch.zeros(3, 1, 4, 4).byte(), torch.zeros(3).long(), ("a",), shuffled=False)
    monkeypatch.setitem(sources.SOURCES, "blank-4", sources.Source(lambda root, part: made))
    assert load("Blank 4", "train", tmp_path) is made


def test_cifar10_beside_the_checkout_is_loaded_at_16_pixels(cifar_root: Path) -> None:
    images = load("CIFAR-10", "test", cifar_root, image_size=16)
    assert images.pixels.shape == (10_000, 3, 16, 16)
    index = torch.tensor([int(fresh().integers(10_000))])
    full = load("cifar10", "test", cifar_root).take(index)
    assert torch.equal(images.take(index).pixels, full.resize(16).pixels)
