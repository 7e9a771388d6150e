"""Reading published pickles (image batches, benchmark records) without running anything they ask for."""

from __future__ import annotations

import codecs
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from cleave.errors import UserError

Encoding = Literal["ASCII", "latin1", "bytes"]

# What the pickle module is known to raise on bytes that are no pickle, or that end too early.
_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
)


def _dtype(spec: str, align: object = False, copy: object = False) -> np.dtype[Any]:
    """`numpy.dtype` for pickles of Python 2, whose flags are numbers (numpy 2.4 warns of them)."""
    return np.dtype(spec, align=bool(align), copy=bool(copy))


def _allowed() -> dict[tuple[str, str], Any]:
    """Every global that a pickle may name, as (module, name) -> object; numpy's own differ by release."""
    plain = (set, frozenset, int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, object)
    table: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): defaultdict,
        ("_codecs", "encode"): codecs.encode,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _dtype,
    }
    for module in ("builtins", "__builtin__"):
        table |= {(module, kind.__name__): kind for kind in plain}
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = np.zeros(1).__reduce__()[0]
        table[f"{core}.multiarray", "scalar"] = np.float64(0).__reduce__()[0]
        table[f"{core}.numeric", "_frombuffer"] = np.zeros(1).__reduce_ex__(5)[0]
    return table


_ALLOWED = _allowed()


class _Restricted(pickle.Unpickler):
    """An unpickler that looks globals up in the table above and imports nothing."""

    def __init__(self, file: BinaryIO, name: str, encoding: Encoding) -> None:
        super().__init__(file, encoding=encoding)
        self.name = name

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise UserError(
                f"{self.name}: refused, for this pickle asks for {module}.{name}, and only plain containers "
                "and numpy arrays are read"
            )
        return _ALLOWED[module, name]


def restricted_load(file: BinaryIO, name: str | Path, encoding: Encoding = "ASCII") -> Any:  # noqa: ANN401 (as pickle.load)
    """The object pickled in `file`, of plain containers and numpy arrays only.

    `name` is what errors call the file; `encoding` is how strings written by Python 2 are read. Raises
    UserError for any other object that the pickle asks for (before it is made), and for a truncated or
    foreign file.
    """
    try:
        return _Restricted(file, str(name), encoding).load()
    except UserError:
        raise
    except _MALFORMED as error:
        raise UserError(f"{name}: truncated, or not a pickle: copy or download it again") from error


def read_batch(path: Path, label_key: str, width: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """One pickled batch of images, {"data": uint8 [n, width], label_key: n integers}, as (data, labels).

    The layout of CIFAR (https://www.cs.toronto.edu/~kriz/cifar.html) and of downsampled ImageNet
    (Chrabaszcz, Loshchilov, Hutter 2017, arXiv:1707.08819). Raises UserError naming the file for all else.
    """
    with path.open("rb") as file:
        batch = restricted_load(file, path, encoding="latin1")
    if not isinstance(batch, dict) or not {"data", label_key} <= batch.keys():
        raise UserError(f"{path}: not a batch of images, which holds 'data' and {label_key!r}")
    data, labels = batch["data"], np.asarray(batch[label_key])
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (labels.size, width):
        raise UserError(
            f"{path}: 'data' must be bytes, one row of {width} for each of the {labels.size} labels"
        )
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise UserError(f"{path}: {label_key!r} must be a list of integers")
    # A pickle may hold its array transposed or read-only; a tensor that shares its memory can be neither.
    return np.require(data, requirements=["C", "W"]), labels.astype(np.int64)
