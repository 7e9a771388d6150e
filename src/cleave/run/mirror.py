"""A run's folder on this machine that is kept the same as a store elsewhere.

All is written here first; what is whole goes to the store at once, its manifest last, so that the store is at every
moment what this folder was a moment before. What other machines put there is fetched when it is asked for. The later
checkpoint is right: by that a folder and its store are made the same when a run is opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from shlex import quote

from cleave.errors import UserError
from cleave.places import cache_folder
from cleave.run.store import Store, url_of

STORES, URL = "stores", "url"
CHECKPOINTS, MANIFEST, LOCK, LEASE = "checkpoints", "manifest.json", "lock", "lease"
SLURM = "slurm"
"""For jobs of SLURM, which share a disk anyway."""

_mirrors: dict[Path, Mirror] = {}
"""Of this process, by their folders."""


class Mirror:
    """A folder and its store."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.store = folder, Store(url)
        self.check: Callable[[], None] = lambda: None
        """Called in front of all that is changed there: UserError where another process has the store."""

    def match(self, sends: bool) -> None:
        """Fetches what is later there, and sends what is later here: that only who holds the store may do."""
        there, here = set(self.store.names()), set(files_in(self.folder))
        for unit in sorted({unit_of(name) for name in there | here}):
            theirs, ours = of_unit(unit, there), of_unit(unit, here)
            later = newest(unit, theirs) - newest(unit, ours)
            self._fetch(theirs if later > 0 else theirs - ours)
            if sends and later <= 0:
                self._send(ours if later < 0 else ours - theirs)

    def bring(self, below: str, anew: bool) -> None:
        """Fetches a file, or what lies in a folder, if it is not here; all of it where their checkpoints are later."""
        theirs, ours = set(self.store.names(below)), set(files_in(self.folder / below, self.folder))
        unit = unit_of(f"{below}/{CHECKPOINTS}/0".lstrip("/"))
        later = newest(unit, theirs) > newest(unit, ours)
        self._fetch(theirs if anew or later else theirs - ours)

    def send(self, path: Path) -> None:
        """A file or folder that was written here. A folder that is replaced there is no whole one meanwhile."""
        self.check()
        name = self.name(path)
        if path.is_dir():
            self.store.remove(f"{name}/{MANIFEST}")
            self._send(files_in(path, self.folder))
        else:
            self.store.put(name, path)

    def remove(self, path: Path) -> None:
        """What was removed here."""
        self.check()
        self.store.remove(self.name(path))

    def name(self, path: Path) -> str:
        """Relative to the folder, which itself has none."""
        name = path.absolute().relative_to(self.folder).as_posix()
        return "" if name == "." else name

    def _send(self, names: Iterable[str]) -> None:
        for name in manifests_last(names):
            self.store.put(name, self.folder / name)

    def _fetch(self, names: Iterable[str]) -> None:
        for name in manifests_last(name for name in names if is_kept(name)):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
            self.store.get(name, temporary)
            temporary.replace(file)


def is_kept(name: str) -> bool:
    """Whether something of that name is the same in both: neither unfinished nor of one process."""
    parts = name.split("/")
    return not any(part.startswith(".") for part in parts) and parts[-1] != LOCK and parts[0] not in (LEASE, SLURM)


def files_in(folder: Path, root: Path | None = None) -> list[str]:
    """The files below a folder that are kept, relative to the root."""
    paths = [folder] if folder.is_file() else folder.rglob("*")
    names = [path.relative_to(root or folder).as_posix() for path in paths if path.is_file()]
    return sorted(filter(is_kept, names))


def manifests_last(names: Iterable[str]) -> list[str]:
    """A folder without its manifest is none."""
    return sorted(names, key=lambda name: (name.rpartition("/")[2] == MANIFEST, name))


def unit_of(name: str) -> str:
    """The folder whose checkpoints tell how far a file is: a task's under way, a run's within a run, or the whole."""
    above, found, _ = name.partition(f"{CHECKPOINTS}/")
    if found:
        return above.rstrip("/")
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "parts" and len(parts) > 2 else ""


def of_unit(unit: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if unit_of(name) == unit}


def newest(unit: str, names: Iterable[str]) -> int:
    """The number of the last whole checkpoint that is listed; 0: there is none."""
    above = f"{unit}/{CHECKPOINTS}/".lstrip("/")
    numbers = [name[len(above) :].split("/")[0] for name in names if name.startswith(above) and name.endswith(MANIFEST)]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def at_hand(place: str | Path) -> Path:
    """The folder of a run on this machine: the path that is given, or the one of a store, with what is later there.

    From now on what this process writes there goes to the store too. UserError where the store cannot be reached.
    """
    url = url_of(place)
    if url is not None:
        folder = cache_folder() / STORES / hashlib.sha256(url.encode()).hexdigest()[:16] / url.rpartition("/")[2]
    else:
        folder = Path(place)
        url = known_url(folder)
    if url is not None and folder.absolute() not in _mirrors:
        mirrored(folder, url).match(sends=False)
    return folder


def run_at_hand(place: str | Path) -> Path:
    """The same of a run that is there; UserError where the store holds nothing."""
    folder = at_hand(place)
    if mirror_of(folder) is not None and not files_in(folder):
        raise UserError(f"{known_as(folder)}: holds no run; give the URL that --out was given")
    return folder


def known_url(folder: Path) -> str | None:
    """The store of a folder that `at_hand` gave earlier, on this machine."""
    note = folder.absolute().parent / URL
    if folder.absolute().parent.parent.name != STORES or not note.is_file():
        return None
    return note.read_text(encoding="utf-8")


def mirrored(folder: Path, url: str) -> Mirror:
    """Has this process keep a folder, which is made, the same as a store from now on."""
    folder = folder.absolute()
    mirror = Mirror(folder, url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / URL).write_text(url, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); set XDG_CACHE_HOME to another folder") from error
    _mirrors[folder] = mirror
    return mirror


def all_mirrored() -> list[tuple[str, str]]:
    """Folders and URLs, for other processes that work on the same runs."""
    return [(str(folder), mirror.store.url) for folder, mirror in _mirrors.items()]


def mirror_of(path: Path) -> Mirror | None:
    """The mirror that a path lies in."""
    if not _mirrors:
        return None
    absolute = path.absolute()
    return next((mirror for folder, mirror in _mirrors.items() if absolute.is_relative_to(folder)), None)


def sent(path: Path) -> None:
    """Something is written here, and whole."""
    if (mirror := mirror_of(path)) is not None and is_kept(mirror.name(path)):
        mirror.send(path)


def removed(path: Path) -> None:
    """Something is not here any more."""
    if (mirror := mirror_of(path)) is not None:
        mirror.remove(path)


def brought(path: Path, anew: bool = False) -> None:
    """Something is about to be read that another machine may have written; `anew`: later than what is here."""
    if (mirror := mirror_of(path)) is not None:
        mirror.bring(mirror.name(path), anew)


def known_as(path: Path) -> str:
    """What people call a run's folder: what they gave."""
    mirror = mirror_of(path)
    return str(path) if mirror is None else "/".join(filter(None, (mirror.store.url, mirror.name(path))))


def told(path: Path) -> str:
    """The same, and where on this machine it is."""
    return str(path) if mirror_of(path) is None else f"{known_as(path)} (here: {path})"


def resume_command(path: Path) -> str:
    """By which people go on with a run."""
    return f"cleave resume {quote(known_as(path))}"
