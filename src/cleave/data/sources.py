"""Where images come from: a name or a folder, looked for under the data root, downloaded if not there."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from stat import S_ISDIR
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.error import HTTPError

from cleave.data.bundled import read_bundled
from cleave.data.cifar import read_cifar10, read_cifar100
from cleave.data.fashion import read_fashion
from cleave.data.folder import Folder, open_folder
from cleave.data.imagenet16 import read_imagenet16
from cleave.data.images import TENSORS, Images, Part
from cleave.data.reading import Reading
from cleave.data.split import for_training
from cleave.errors import PATH, UserError, brief, cause, plain, unknown
from cleave.places import cache_folder, expanded
from cleave.registry import Registry

__all__ = ["SOURCES", "Archive", "Part", "Source", "data_root", "find", "load", "source"]

TIMEOUT = 20.0  # seconds without an answer after which a download is given up
_FAILURES = (OSError, RuntimeError, HTTPException, EOFError, tarfile.TarError)


@dataclass(frozen=True)
class Archive:
    """A file to download into `folder` of the data root, and to unpack there if it is a .tar.gz."""

    url: str
    md5: str
    folder: str = ""


@dataclass(frozen=True)
class Source:
    """A named data set: its reader (None: not there), and how to get it if it is not there.

    `folder`: of the data root, for a set whose images are files, read as those of a user's own folder.
    """

    read: Callable[[Path, Part], Images | None]
    by_hand: str = ""  # what to do where nothing can be downloaded; {root} stands for the data root
    archives: Callable[[], Sequence[Archive]] = tuple
    folder: str = ""


# torchvision knows where sets are. It takes as long to import as torch, so only a download does it.
def _cifar(name: str) -> Sequence[Archive]:
    from torchvision import datasets

    published = getattr(datasets, name)
    return [Archive(published.url, published.tgz_md5)]


def _fashion() -> Sequence[Archive]:
    from torchvision.datasets import FashionMNIST

    return [Archive(FashionMNIST.mirrors[0] + name, md5, _FASHION_FOLDER) for name, md5 in FashionMNIST.resources]


def _given_in_python(root: Path, part: Part) -> Images | None:
    raise UserError(
        f"data.name: {TENSORS} stands for images that were given in Python: give them again there, as in "
        f"cleave.resume(run, data=(images, labels)), or name a set or a folder (./{TENSORS})"
    )


_CIFAR_BY_HAND = "download {file} from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it in {{root}}"
_FASHION_FOLDER = "FashionMNIST/raw"

_BUILT_IN = {
    "bundled": Source(lambda root, part: read_bundled(part)),
    TENSORS: Source(_given_in_python),
    "cifar10": Source(read_cifar10, _CIFAR_BY_HAND.format(file="cifar-10-python.tar.gz"), partial(_cifar, "CIFAR10")),
    "cifar100": Source(
        read_cifar100, _CIFAR_BY_HAND.format(file="cifar-100-python.tar.gz"), partial(_cifar, "CIFAR100")
    ),
    "imagenet16-120": Source(
        read_imagenet16,
        by_hand="download the 16x16 train and validation archives of downsampled ImageNet from "
        "https://image-net.org/download-images.php and put the files in them into {root}/ImageNet16",
    ),
    "fashion-mnist": Source(
        read_fashion,
        by_hand="download the four .gz files that https://github.com/zalandoresearch/fashion-mnist lists "
        f"and put them in {{root}}/{_FASHION_FOLDER}",
        archives=_fashion,
    ),
    "imagenet-1k": Source(
        lambda root, part: None,
        by_hand="download the training and validation images of ILSVRC 2012 from "
        "https://image-net.org/download-images.php and put them, with a folder for each class, into "
        "{root}/imagenet-1k/train and {root}/imagenet-1k/val",
        folder="imagenet-1k",
    ),
}


SOURCES: Registry[Source] = Registry("data.name")
for _name, _source in _BUILT_IN.items():
    SOURCES.register(_name, _source)

Reader = TypeVar("Reader", bound=Callable[[Path, Part], Images | None])


def source(name: str, by_hand: str = "") -> Callable[[Reader], Reader]:
    """Registers a reader of images: from (data root, "train" or "test") to `Images`, None where they are not there.

    `by_hand` says what to do then; {root} stands for the data root.
    """

    def register(read: Reader) -> Reader:
        SOURCES.register(name, Source(read, by_hand))
        return read

    return register


def load(
    data: str,
    part: Part,
    root: Path | None = None,
    image_size: int | None = None,
    download: bool = True,
    reading: Reading | None = None,
) -> Images:
    """All images of `part` of the data set or folder `data`, as `find` finds them.

    Where a folder holds out images of its own, they are not in the training part.
    """
    reading = reading or Reading()
    found = find(data, part, root, image_size, download, reading)
    images = found if isinstance(found, Images) else found.take_each(for_training(found))[0]
    reading.check()
    return images


def find(
    data: str,
    part: Part,
    root: Path | None = None,
    image_size: int | None = None,
    download: bool = True,
    reading: Reading | None = None,
) -> Images | Folder:
    """The images of `part` of the data set or folder `data`; those of a folder are listed and not yet read.

    A name (case and punctuation do not matter) comes before a folder of the same name; what contains a path
    separator is always a folder. `root`: where named data sets are; default $CLEAVE_DATA, else the cache.
    `image_size`: pixels on a side; default: as published, and 32 for a folder.
    Part "train" opens no file of the test part. Raises UserError for what is unknown, damaged, or neither
    there nor to be downloaded.
    """
    try:
        return _find(data, part, root, image_size, download, reading or Reading())
    except OSError as error:
        raise UserError(f"{error.filename or data}: cannot be read ({cause(error)})") from error


def _find(
    data: str, part: Part, root: Path | None, image_size: int | None, download: bool, reading: Reading
) -> Images | Folder:
    name = None if _is_path(data) else {plain(name): name for name in SOURCES}.get(plain(data))
    if name is None:
        return open_folder(_folder(data), part, image_size, reading)
    needed = SOURCES[name].by_hand != ""  # what is bundled is there for a user without a home folder too
    where = root or (data_root() if needed else Path())
    if (inside := SOURCES[name].folder) and (where / inside).is_dir():
        return open_folder(where / inside, part, image_size, reading)
    images = _read(name, part, where, download)
    return images if image_size is None else images.resize(image_size, reading.resample)


def data_root() -> Path:
    """Where named data sets are looked for and downloaded to: $CLEAVE_DATA, else the user's cache folder."""
    if given := os.environ.get("CLEAVE_DATA"):
        return expanded(given)
    return cache_folder() / "data"


def _is_path(data: str) -> bool:
    return "/" in data or os.sep in data


def _folder(data: str) -> Path:
    """The folder, which is there; an OSError of the system where it cannot tell."""
    folder = expanded(data)
    kind = None
    with suppress(FileNotFoundError, NotADirectoryError, ValueError):  # the last: what can be no name
        kind = os.stat(folder).st_mode
    if kind is not None and S_ISDIR(kind):
        return folder
    if kind is not None:
        raise UserError(f"data.name: {brief(data, PATH)} is a file, not a folder of images")
    if _is_path(data):
        raise UserError(f"data.name: there is no folder {brief(data, PATH)}")
    raise unknown("data.name", data, [name for name in SOURCES if name != TENSORS])


def _read(name: str, part: Part, root: Path, download: bool) -> Images:
    source = SOURCES[name]
    images = source.read(root, part)
    if images is None and download and (archives := source.archives()):
        _download_all(name, archives, root)
        images = source.read(root, part)
    if images is None:
        raise _missing(name, root)
    return images


def _missing(name: str, root: Path, tried: str = "") -> UserError:
    by_hand = SOURCES[name].by_hand.format(root=root)
    return UserError(
        f"data.name: {name} is not in {root}{tried}: {by_hand} (or name another folder: --data-root or CLEAVE_DATA)"
    )


def _download_all(name: str, archives: Sequence[Archive], root: Path) -> None:
    try:
        # Standard output is for results; torchvision prints there in some releases.
        with _socket_timeout(TIMEOUT), redirect_stdout(sys.stderr):
            for archive in archives:
                _download(archive, root / archive.folder)
    except _FAILURES as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _missing(name, root, f" and could not be downloaded ({reason})") from error


def _download(archive: Archive, folder: Path) -> None:
    """Downloads and unpacks beside the destination, so that nothing half done is ever found there."""
    from torchvision.datasets.utils import download_url

    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as temporary:
        download_url(archive.url, temporary, md5=archive.md5)
        file = Path(temporary, archive.url.rpartition("/")[2])
        if file.name.endswith(".tar.gz"):
            _unpack(file, Path(temporary).resolve())
            file.unlink()
        for finished in Path(temporary).iterdir():
            finished.rename(folder / finished.name)


def _unpack(archive: Path, folder: Path) -> None:
    """The archive's files; TarError for a link, a device, or anything outside of the folder.

    By hand, since Debian's Python 3.11.2, like 3.10 before 3.10.12, has no filters in `tarfile`.
    """
    with tarfile.open(archive) as tar:
        for member in tar:
            target = (folder / member.name).resolve()
            if not target.is_relative_to(folder) or not (member.isfile() or member.isdir()):
                raise tarfile.TarError(f"{member.name!r} in it is no file or folder of its own")
            content = tar.extractfile(member)
            if content is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                with content, target.open("wb") as file:
                    shutil.copyfileobj(content, file)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
