"""Reading published pickles (image batches, benchmark records) without running anything they ask for."""

from __future__ import annotations

import codecs
import pickle
import re
import struct
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt

from cleave.errors import UserError, brief

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
    RecursionError,
    struct.error,
)


# numpy's own, wherever this release keeps them.
_scalar: Callable[..., Any] = cast(Any, np.float64(0).__reduce__())[0]
_from_buffer: Callable[..., Any] = cast(Any, np.zeros(1).__reduce_ex__(5))[0]


def _text(value: object) -> str:
    """A string written by Python 2, whichever way it was decoded."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class _Dtype:
    """A dtype as it is unpickled: plain numbers and strings only.

    It stands in for `numpy.dtype`, which takes any state that it is given and crashes on a damaged one.
    """

    def __init__(self, spec: object, align: object = False, copy: object = False) -> None:
        if not re.fullmatch(r"[<>=|]?[biufcSU]\d+", _text(spec)):
            raise pickle.UnpicklingError(f"dtype {spec!r}")
        self.dtype: np.dtype[Any] = np.dtype(_text(spec))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subarray, names, fields, *_ = state
        if (subarray, names, fields) != (None, None, None):
            raise pickle.UnpicklingError("a structured dtype")
        self.dtype = self.dtype.newbyteorder(cast(Any, _text(order)))


class _Array(np.ndarray[Any, Any]):
    """An array as it is unpickled, whose dtype is a stand-in and whose shape is not trusted."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, shape, stand_in, fortran, data = state
        if any(length < 0 for length in shape):
            raise pickle.UnpicklingError(f"an array of shape {shape}")
        super().__setstate__((version, shape, stand_in.dtype, fortran, data))


def _allowed() -> dict[tuple[str, str], Any]:
    """Every global that a pickle may name, as (module, name) -> object; numpy's modules differ by release."""
    plain = (set, frozenset, int, float, complex, bool, str, bytes, bytearray, list, tuple, dict)
    table: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): defaultdict,
        ("_codecs", "encode"): codecs.encode,
        ("numpy", "ndarray"): None,  # named as an argument of _reconstruct, but not to be called
        ("numpy", "dtype"): _Dtype,
    }
    for module in ("builtins", "__builtin__"):
        table |= {(module, kind.__name__): kind for kind in plain}
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = lambda kind, shape, typecode: _Array(0)
        table[f"{core}.multiarray", "scalar"] = lambda stand_in, data: _scalar(stand_in.dtype, data)
        table[f"{core}.numeric", "_frombuffer"] = lambda data, stand_in, *how: _from_buffer(data, stand_in.dtype, *how)
    return table


_ALLOWED = _allowed()


class _Restricted(pickle._Unpickler):
    """An unpickler that looks globals up in the table above and imports nothing.

    It is the one written in Python: that in C makes room for as many memo entries as a damaged file says, which
    may be more than there is memory.
    """

    def __init__(self, file: BinaryIO, name: str, encoding: Encoding) -> None:
        super().__init__(file, encoding=encoding)
        self.name = name

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise UserError(
                f"{self.name}: refused, for this pickle asks for {brief(f'{module}.{name}')}, and only plain "
                "containers and numpy arrays are read"
            )
        return _ALLOWED[module, name]


def restricted_load(file: BinaryIO, name: str | Path, encoding: Encoding = "ASCII") -> Any:  # noqa: ANN401 (as pickle.load)
    """The object pickled in `file`, of plain containers and numpy arrays only.

    Arrays come as a subclass of `numpy.ndarray`; their entries are numbers, booleans or strings. `name` is what
    errors call the file; `encoding` is how strings written by Python 2 are read. Raises UserError for any other
    object that the pickle asks for (before it is made), and for a truncated or foreign file.
    """
    try:
        return _Restricted(file, str(name), encoding).load()
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(
            f"{name}: asks for more memory than there is: copy or download it again if it is damaged, else free memory"
        ) from error
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
        raise UserError(f"{path}: 'data' must be bytes, one row of {width} for each of the {labels.size} labels")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise UserError(f"{path}: {label_key!r} must be a list of integers")
    # A pickle may hold its array transposed or read-only; a tensor that shares its memory can be neither.
    return np.require(data, requirements=["C", "W"]), labels.astype(np.int64)
