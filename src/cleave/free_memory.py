"""How much memory this process may still take, and how such numbers are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
FILES = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Of Linux's control groups, version 2 and 1: where they are, the limit, what is used, and the field of memory.stat
for what of that is only a copy of the disk."""


def free_bytes() -> int | None:
    """The memory that is free here, whatever limits it; None where the system does not tell."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        return min(1024 * fields(meminfo)["MemAvailable:"], *left_by_groups())
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else None


def left_by_groups(own: Path = Path("/proc/self/cgroup"), groups: Path = GROUPS) -> list[int]:
    """What each of the process's control groups, as SLURM and Docker make them, leaves it of its limit."""
    found = list[int]()
    for line in own.read_text(encoding="utf-8").splitlines() if own.exists() else []:
        _, kind, path = line.split(":", 2)
        if kind in FILES:
            found += left_along(groups / FILES[kind][0], path.strip("/"), *FILES[kind][1:])
    return found


def left_along(root: Path, path: str, limit: str, used: str, cached: str) -> Iterator[int]:
    """The same of one group and those that it is in."""
    group = root / path
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            return
        if (folder / limit).exists() and (most := (folder / limit).read_text(encoding="utf-8").strip()) != "max":
            yield max(
                0, int(most) - int((folder / used).read_text(encoding="utf-8")) + fields(folder / "memory.stat")[cached]
            )


def fields(file: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number on each line."""
    words = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return {name: int(number) for name, number, *_ in words}


def size_text(count: int) -> str:
    """12 MiB, 1.5 GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
