"""The NAS-Bench-201 table: what each of its architectures reaches when trained alone, on three data sets.

An architecture is written as the benchmark writes it (Dong and Yang, "NAS-Bench-201", ICLR 2020): six
edges in the order 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2, as `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleave.errors import UserError, brief, plain, unknown
from cleave.files import read_bytes, unpacked_size
from cleave.places import cache_folder
from cleave.run.durable import saving, write_bytes
from cleave.space.nb201 import EDGES, FORM, OPERATIONS, NASBench201

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
PARTS = ("valid", "test")

_IN_COLUMNS = dict(zip(DATASETS, ("cifar10", "cifar100", "imagenet16"), strict=True))
ACCURACIES = tuple(f"{name}_{part}" for name in _IN_COLUMNS.values() for part in PARTS)
EARLY_ACCURACIES = tuple(f"e12_{column}" for column in ACCURACIES)
COSTS = (
    "params_mb_cifar10",
    "params_mb_cifar100",
    "params_mb_imagenet16",
    "train_s_cifar10valid",
    "train_s_cifar100",
    "train_s_imagenet16",
)
_KNOWN_COLUMNS = (*ACCURACIES, *EARLY_ACCURACIES, *COSTS, "seeds")

# What a zip of arrays is known to raise on bytes that changed (RuntimeError: an unknown or encrypted member).
_DAMAGED = (OSError, EOFError, MemoryError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)

ZIP = b"PK\x03\x04"  # what an .npz file begins with
_LARGEST = 2**26  # bytes of the file and of what is in it; the whole benchmark takes one or two million

_MAKE_ONE = "make the table anew with `cleave benchmark import`"


class Table:
    """The accuracies of every architecture of the benchmark, as columns over its official indexes.

    `name` is what errors call the table (the file it came from). `operations` is [n, 6]: the place in
    OPERATIONS of the operation on each edge, one row for each official index. `columns` are of length n:
    every one of ACCURACIES (percent after 200 epochs, mean over seeds), and optionally EARLY_ACCURACIES
    (the same after 12 epochs), COSTS (millions of parameters; seconds of training) and `seeds` (how many
    runs the means are over). What is not so is a UserError that names the table.
    """

    def __init__(self, name: str, operations: NDArray[np.uint8], columns: Mapping[str, NDArray[Any]]) -> None:
        _check(name, operations, columns)
        self.name, self.operations, self.columns = name, operations, dict(columns)
        self._archs = [format_arch(row) for row in operations.tolist()]
        self._index = {arch: index for index, arch in enumerate(self._archs)}
        if len(self._index) < len(self._archs):
            twice, _ = Counter(self._archs).most_common(1)[0]
            raise UserError(f"{name}: holds {twice} more than once; {_MAKE_ONE}")

    @classmethod
    def load(cls, path: Path) -> Table:
        """The table in the compact file `path`: an .npz of `ops` [n, 6], `op_names` and the columns."""
        arrays = _read(path)
        if arrays["op_names"].tolist() != list(OPERATIONS):
            raise UserError(f"{path}: op_names must be {', '.join(OPERATIONS)}, in this order; {_MAKE_ONE}")
        return cls(str(path), arrays["ops"], {key: arrays[key] for key in _KNOWN_COLUMNS if key in arrays})

    def save(self, path: Path) -> None:
        """Writes the compact file; `path` holds either what it held before or the whole of the table."""
        arrays: dict[str, Any] = {"ops": self.operations, "op_names": np.array(OPERATIONS), **self.columns}
        whole = io.BytesIO()
        np.savez_compressed(whole, **arrays)
        with saving(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, whole.getvalue())

    def __len__(self) -> int:
        return len(self._archs)

    def index(self, arch: str) -> int:
        """The official index of an architecture; a UserError where the table does not hold it."""
        if arch not in self._index:
            parse_arch(arch)
            raise UserError(f"architecture {arch}: is not in {self.name}, which is no whole table")
        return self._index[arch]

    def arch(self, index: int) -> str:
        """The architecture at an official index; a UserError where there is none."""
        if not 0 <= index < len(self):
            raise UserError(f"architecture {index}: {self.name} holds 0 to {len(self) - 1}; give one of these")
        return self._archs[index]

    def accuracies(self, dataset: str, part: str) -> NDArray[Any]:
        """[n] percent of correct answers on the `part` (valid or test) of `dataset`, after 200 epochs."""
        if dataset not in DATASETS:
            raise unknown("data set of the benchmark", dataset, DATASETS)
        if part not in PARTS:
            raise unknown(f"part of {dataset}", part, PARTS)
        return self.columns[f"{_IN_COLUMNS[dataset]}_{part}"]

    def query(self, arch_or_index: str | int) -> dict[str, Any]:
        """{"arch", "index", and for each of DATASETS: {"valid", "test"}}, in percent to four digits."""
        index = self.index(arch_or_index) if isinstance(arch_or_index, str) else arch_or_index
        arch = self.arch(index)
        reached = {
            dataset: {part: round(float(self.accuracies(dataset, part)[index]), 4) for part in PARTS}
            for dataset in DATASETS
        }
        return {"arch": arch, "index": index, **reached}


def format_arch(operations: Iterable[int]) -> str:
    """The benchmark's string for six places in OPERATIONS, one for each edge."""
    return FORM.format(*(OPERATIONS[operation] for operation in operations))


def parse_arch(arch: str) -> list[int]:
    """The inverse of `format_arch`; a UserError where `arch` is not such a string."""
    return [OPERATIONS.index(name) for name in NASBench201().parse(arch).values()]


def default_path() -> Path:
    """Where the table is kept: $CLEAVE_BENCHMARK, or cleave/nasbench201.npz in the user's cache folder."""
    given = os.environ.get("CLEAVE_BENCHMARK")
    return Path(given) if given else cache_folder() / "nasbench201.npz"


def imported() -> Path | None:
    """The file at `default_path()` if it is there; a user without a home folder has imported none."""
    try:
        path = default_path()
    except UserError:
        return None
    return path if os.path.exists(path) else None


def find(path: Path | None) -> Table | None:
    """The table at `path`; without a path the imported one, or None where there is none yet."""
    path = path or imported()
    return None if path is None else Table.load(path)


def trained_accuracies(arch: str, table: Table | None) -> dict[str, dict[str, float]] | None:
    """The table's accuracies (percent) of an architecture by data set."""
    return None if table is None else {dataset: table.query(arch)[dataset] for dataset in DATASETS}


def dataset_of(data: str) -> str:
    """The table's data set for the images searched on; cifar10 for any that it does not have."""
    return next((dataset for dataset in DATASETS if plain(dataset) == plain(data)), DATASETS[0])


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an .npz file that has `ops` and `op_names`."""
    if not os.path.lexists(path):
        raise UserError(f"{path}: no such file; {_MAKE_ONE}")
    data = read_bytes(path, _LARGEST)
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise UserError(f"{path}: {'is cut short' if data.startswith(ZIP) else 'is no .npz file'}; {_MAKE_ONE}")
    if (size := unpacked_size(io.BytesIO(data))) > _LARGEST:
        raise UserError(f"{path}: would take {size:,} bytes of memory, which no table does; {_MAKE_ONE}")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = dict(file)
    except _DAMAGED as error:
        raise UserError(f"{path}: is damaged ({brief(str(error))}); {_MAKE_ONE}") from error
    _require(str(path), ("ops", "op_names"), arrays)
    return arrays


def _require(name: str, needed: Iterable[str], present: Iterable[str]) -> None:
    missing = sorted(set(needed) - set(present))
    if missing:
        raise UserError(f"{name}: lacks {', '.join(missing)}; {_MAKE_ONE}")


def _check(name: str, operations: NDArray[np.uint8], columns: Mapping[str, NDArray[Any]]) -> None:
    _require(name, ACCURACIES, columns)
    count = len(operations) if operations.ndim else 0
    if not count or operations.shape != (count, len(EDGES)) or operations.dtype != np.uint8:
        raise UserError(f"{name}: ops must be bytes of shape [architectures, {len(EDGES)}]; {_MAKE_ONE}")
    if operations.max() >= len(OPERATIONS):
        raise UserError(f"{name}: ops must be below {len(OPERATIONS)}; {_MAKE_ONE}")
    for key, column in columns.items():
        if column.shape != (count,) or column.dtype.kind not in "fiu":
            raise UserError(f"{name}: {key} must be {count} numbers; {_MAKE_ONE}")
        # NaN fails both comparisons, so this is the check for finite numbers as well.
        if key in ACCURACIES + EARLY_ACCURACIES and not ((column >= 0) & (column <= 100)).all():
            raise UserError(f"{name}: {key} must be percent, from 0 to 100; {_MAKE_ONE}")


def need(path: Path | None) -> Table:
    """The table at `path`, else the imported one; UserError with what to do where there is none."""
    table = find(path)
    if table is None:
        raise UserError(
            f"{default_path()}: no table; `cleave benchmark import PATH` makes it, or give --benchmark FILE"
        )
    return table
