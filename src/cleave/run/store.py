"""Places that fsspec knows, such as s3://bucket/folder: what lies there is got, put and removed by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cleave.errors import UserError, brief, cause

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9]+):/+(?P<rest>.*)", re.DOTALL)
"""One slash is enough: as a path a URL loses the other."""
_LOCAL = ("file", "local")


def url_of(place: str | Path) -> str | None:
    """The URL that a place is written as; None for a path."""
    found = _URL.fullmatch(str(place))
    if found is None:
        return None
    slashes = ":///" if found["scheme"] in _LOCAL else "://"
    return f"{found['scheme']}{slashes}{found['rest'].rstrip('/')}"


class Store:
    """What lies below a URL, by relative names with slashes. UserError in one line for whatever goes wrong there."""

    def __init__(self, url: str) -> None:
        """UserError for a kind of store that is not known, or for which a package is missing."""
        self.url = url
        self.system, self.root = _opened(url)
        self.local = url.partition(":")[0] in _LOCAL

    def names(self, below: str = "") -> list[str]:
        """Of all files, sorted; nothing where there is no such folder."""
        folder = self._path(below)
        with self._reaching("cannot be read"), suppress(FileNotFoundError):
            found = self.system.find(folder)
            return sorted(path[len(self.root) :].lstrip("/") for path in found)
        return []

    def get(self, name: str, file: Path) -> None:
        """Copies a file from there."""
        with self._reaching("cannot be read"):
            self.system.get_file(self._path(name), str(file))

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is no such file."""
        with self._reaching("cannot be read"), suppress(FileNotFoundError):
            data: bytes = self.system.cat_file(self._path(name))
            return data
        return None

    def put(self, name: str, file: Path) -> None:
        """Copies a file there, over one that is there."""
        with self._reaching("cannot be saved"):
            self.system.put_file(str(file), self._path(name))

    def write(self, name: str, data: bytes) -> None:
        with self._reaching("cannot be saved"):
            self.system.pipe_file(self._path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Writes a file that is not there; False where it is.

        Of several at once one succeeds, on disks, on S3 and on Google's; other stores may let several believe it.
        """
        with self._reaching("cannot be saved"):
            try:
                if self.local:
                    with self.system.open(self._path(name), "xb") as file:
                        file.write(data)
                else:
                    self.system.pipe_file(self._path(name), data, mode="create")
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        """A file, or a folder with all that is in it; nothing where neither is there."""
        with self._reaching("cannot be removed"), suppress(FileNotFoundError):
            self.system.rm(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}".rstrip("/")

    @contextmanager
    def _reaching(self, what: str) -> Iterator[None]:
        """Every kind of store has errors of its own, many of which are no OSError."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            told = cause(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            raise UserError(
                f"{self.url}: {what}: {told}; see that it is there and may be written to, then `cleave resume` the run "
                "or try again"
            ) from error


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system, which keeps no listings, since others write there too, and the path there."""
    from fsspec import available_protocols
    from fsspec.core import url_to_fs

    scheme = url.partition(":")[0]
    if scheme not in available_protocols():
        raise UserError(f"{brief(url)}: no kind of store that is known; such are s3://, gs:// and file://")
    local = {"auto_mkdir": True} if scheme in _LOCAL else {}
    try:
        system, root = url_to_fs(url, use_listings_cache=False, **local)
    except ImportError as error:
        advice = "; pip install 'cleave-nas[s3]'" if scheme == "s3" else ""
        raise UserError(f"{brief(url)}: {error}{advice}") from error
    except ValueError as error:
        raise UserError(f"{brief(url)}: {error}") from error
    return system, root.rstrip("/")
