"""The files that the authors of NAS-Bench-201 and NATS-Bench publish, brought into a `Table`.

Both hold the same nested dicts (Dong and Yang, "NAS-Bench-201", ICLR 2020; Dong et al., "NATS-Bench",
TPAMI 2021): `meta_archs` lists the architectures in their official order; each has one record of training
for 200 epochs ("200" or "full") and one for 12 ("12" or "less"); a record's `all_results` holds one run
for each (data set, seed). They are pickles, so nothing but plain containers and numbers is let in.
"""

from __future__ import annotations

import bz2
import os
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, BinaryIO, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from cleave.bench.table import ACCURACIES, Table, parse_arch
from cleave.data.pickles import restricted_load
from cleave.errors import SHOWN, UserError, brief, shown
from cleave.files import readable

# What each column of accuracies is: the data that was trained on, and the part it was measured on. The
# benchmark trains CIFAR-10 twice: on half of the training images, and (for the test accuracy) on all.
_MEASURED = {
    "cifar10_valid": ("cifar10-valid", "x-valid"),
    "cifar10_test": ("cifar10", "ori-test"),
    "cifar100_valid": ("cifar100", "x-valid"),
    "cifar100_test": ("cifar100", "x-test"),
    "imagenet16_valid": ("ImageNet16-120", "x-valid"),
    "imagenet16_test": ("ImageNet16-120", "x-test"),
}
_SIZED = {
    "params_mb_cifar10": "cifar10",
    "params_mb_cifar100": "cifar100",
    "params_mb_imagenet16": "ImageNet16-120",
}
_TIMED = {
    "train_s_cifar10valid": "cifar10-valid",
    "train_s_cifar100": "cifar100",
    "train_s_imagenet16": "ImageNet16-120",
}
_TRUSTED_SEED = 888

# What torch's restricted reader is known to raise on bytes that are refused, foreign, changed or cut short.
_MALFORMED = (
    pickle.UnpicklingError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    SystemError,
)

_META = "meta.pickle.pbz2"
_EXPECTED = (
    f"give the folder NATS-tss-v1_0-3ffb9-simple (with its {_META}), "
    "the file NATS-tss-v1_0-3ffb9.pickle.pbz2 or the file NAS-Bench-201-v1_1-096897.pth"
)

_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Run(BaseModel):
    """One training of one architecture, as far as it is needed here."""

    epochs: int
    params: _Amount
    eval_acc1es: dict[str, _Percent]
    train_times: dict[int, _Amount] | None = None


class _Record(BaseModel):
    arch_str: str
    all_results: dict[tuple[str, int], _Run]

    def runs(self, dataset: str) -> dict[int, _Run]:
        """The runs on one data set by their seed."""
        return {seed: run for (name, seed), run in self.all_results.items() if name == dataset}


class _Architecture(BaseModel):
    full: _Record = Field(validation_alias=AliasChoices("200", "full"))
    early: _Record = Field(validation_alias=AliasChoices("12", "less"))


class _Meta(BaseModel):
    meta_archs: list[str] = Field(min_length=1)


class _Whole(_Meta):
    arch2infos: dict[int, Any]


_Model = TypeVar("_Model", bound=BaseModel)
_Row = dict[str, float | None]


def import_official(source: Path, progress: Callable[[int, int], None] | None = None) -> Table:
    """The table in what the benchmark's authors publish; every accuracy is a mean over the seeds there are.

    `source` is the NATS-Bench topology folder in its simple layout, its single file, or the NAS-Bench-201
    file; the single files need as much memory as they are large when unpacked, the folder hardly any.
    Optional columns are kept where every architecture has them. `progress(done, total)` is called after
    each architecture. A UserError names the file or the architecture that is missing, damaged or foreign.
    """
    archs, records = _open(source)
    operations = np.array([parse_arch(arch) for arch in archs], np.uint8)
    rows = []
    for arch, (place, content) in zip(archs, records, strict=True):
        rows.append(_row(arch, place, content))
        if progress is not None:
            progress(len(rows), len(archs))
    return Table(str(source), operations, _columns(rows))


def _open(source: Path) -> tuple[list[str], Iterator[tuple[str, object]]]:
    """The architectures, and in the same order where each one's records stand and what stands there."""
    if not os.path.lexists(source):
        raise UserError(f"{source}: not found; {_EXPECTED}")
    if not os.path.isdir(source):
        readable(source).close()  # or says why it cannot be
    if os.path.isfile(source / _META):
        archs = _valid(_Meta, _unpickle(source / _META), str(source / _META)).meta_archs
        paths = (source / f"{index:06d}.pickle.pbz2" for index in range(len(archs)))
        return archs, ((str(path), _unpickle(path)) for path in paths)
    if os.path.isfile(source) and source.name.endswith(".pbz2"):
        return _split(source, _unpickle(source))
    if os.path.isfile(source) and source.suffix == ".pth":
        return _split(source, _untorch(source))
    raise UserError(f"{source}: is not a published benchmark; {_EXPECTED}")


def _split(source: Path, content: object) -> tuple[list[str], Iterator[tuple[str, object]]]:
    whole = _valid(_Whole, content, str(source))
    for index, arch in enumerate(whole.meta_archs):
        if index not in whole.arch2infos:
            raise UserError(f"{source}: has no results for architecture {index}, {arch}; download it again")
    places = range(len(whole.meta_archs))
    return whole.meta_archs, ((f"{source}, architecture {i}", whole.arch2infos[i]) for i in places)


def _unpickle(path: Path) -> object:
    if not os.path.lexists(path):
        raise UserError(f"{path}: is missing; unpack the published folder again")
    with readable(path) as compressed:
        try:
            with bz2.open(compressed) as file:
                content: object = restricted_load(cast(BinaryIO, file), path)
                file.read()  # only at its end does a compressed file show whether it is whole
                return content
        except (OSError, EOFError) as error:
            raise UserError(f"{path}: is cut short or damaged ({brief(str(error))}); download it again") from error


def _untorch(path: Path) -> object:
    with readable(path) as file:
        try:
            with torch.serialization.safe_globals(_numpy_globals()):
                return torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError as error:
            raise UserError(f"{path}: needs more memory than there is, unless it is damaged") from error
        except _MALFORMED as error:
            problem = "is damaged, or holds more than containers, tensors and numbers"
            raise UserError(f"{path}: {problem}; download it again from its authors") from error


def _numpy_globals() -> list[Any]:
    """What a pickled numpy number names: its constructor (by the old and the new name) and its type."""
    construct = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    types = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]
    return [*((construct, name) for name in names), np.dtype, *types]


def _valid(model: type[_Model], content: object, place: str) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "content"
        raise UserError(f"{place}: {brief(key)}: {brief(first['msg'], 2 * SHOWN)}; download it again") from error


def _row(arch: str, place: str, content: object) -> _Row:
    """Every column for one architecture; None where its records do not say."""
    architecture = _valid(_Architecture, content, place)
    full, early = architecture.full, architecture.early
    if full.arch_str != arch:
        raise UserError(f"{place}: holds {shown(full.arch_str)} instead of {arch}; download it again")
    row: _Row = {column: _accuracy(full, *measured) for column, measured in _MEASURED.items()}
    missing = [column for column in ACCURACIES if row[column] is None]
    if missing:
        raise UserError(f"{place}: has no results for {', '.join(missing)} of {arch}; download it again")
    row |= {f"e12_{column}": _accuracy(early, *measured) for column, measured in _MEASURED.items()}
    for column, dataset in _SIZED.items():  # where seeds disagree, the authors' own reader trusts this one seed
        runs = full.runs(dataset)
        row[column] = runs.get(_TRUSTED_SEED, next(iter(runs.values()))).params
    row |= {column: _seconds(full.runs(dataset)) for column, dataset in _TIMED.items()}
    row["seeds"] = min(len(full.runs(dataset)) for dataset, _ in _MEASURED.values())
    return row


def _accuracy(record: _Record, dataset: str, part: str) -> float | None:
    """Percent after the last epoch, mean over the seeds."""
    runs = record.runs(dataset).values()
    return _mean([run.eval_acc1es.get(f"{part}@{run.epochs - 1}") for run in runs])


def _seconds(runs: dict[int, _Run]) -> float | None:
    """Seconds of training over all epochs, mean over the seeds."""
    return _mean([sum(run.train_times.values()) if run.train_times else None for run in runs.values()])


def _mean(values: list[float | None]) -> float | None:
    """The mean; None where there is nothing to average, or where a value is missing."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _columns(rows: list[_Row]) -> dict[str, NDArray[Any]]:
    kept = [column for column in rows[0] if all(row[column] is not None for row in rows)]
    return {
        column: np.array([row[column] for row in rows], np.uint8 if column == "seeds" else np.float32)
        for column in kept
    }
