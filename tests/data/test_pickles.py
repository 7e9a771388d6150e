from __future__ import annotations

import collections
import io
import pickle
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleave.data.pickles import Encoding, read_batch, restricted_load
from cleave.errors import UserError
from tests.data.official import Runs
from tests.fresh import fresh

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def load(data: bytes, encoding: Encoding = "ASCII") -> Any:  # noqa: ANN401
    return restricted_load(io.BytesIO(data), "some.pickle", encoding)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
plain_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(), inner).map(collections.OrderedDict)
        | st.frozensets(st.integers())
        | st.sets(st.text())
    ),
    max_leaves=20,
)


@given(plain_values, st.sampled_from(PROTOCOLS))
def test_plain_containers_come_back_equal_in_every_protocol(value: object, protocol: int) -> None:
    back = load(pickle.dumps(value, protocol))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["u1", "i8", "f4", "f8", ">i2", "U5", "?"])
def test_numpy_arrays_and_scalars_come_back_equal(dtype: str, protocol: int) -> None:
    array = fresh().integers(0, 100, (3, 4)).astype(dtype)
    data = pickle.dumps((array, array.T, array[1, 2]), protocol)
    found, transposed, scalar = load(data)
    assert found.dtype == pickle.loads(data)[0].dtype
    assert np.array_equal(found, array)
    assert np.array_equal(transposed, array.T)
    assert scalar == array[1, 2]
    assert type(scalar) is type(array[1, 2])


def test_the_old_and_the_new_names_of_numpy_are_the_same() -> None:
    array = fresh().random(5)
    data = pickle.dumps({"array": array, "scalar": array[0]}, 2)
    old, new = data.replace(b"numpy._core", b"numpy.core"), data.replace(b"numpy.core", b"numpy._core")
    assert old != new
    for renamed in (old, new):
        assert np.array_equal(load(renamed)["array"], array)
        assert load(renamed)["scalar"] == array[0]


def test_a_defaultdict_of_lists_comes_back() -> None:
    value = collections.defaultdict(list, {"a": [1, 2]})
    back = load(pickle.dumps(value))
    assert back == value
    assert back["absent"] == []


@pytest.mark.parametrize("encoding", ["latin1", "bytes"])
def test_an_array_pickled_by_python_2_is_read(encoding: Encoding) -> None:
    pixels = fresh().integers(0, 256, (2, 3), dtype=np.uint8)
    escaped = "".join(f"\\x{byte:02x}" for byte in pixels.tobytes()).encode()
    dtype = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    back = load(empty + b"(I1\n(I2\nI3\nt" + dtype + b"I00\nS'" + escaped + b"'\ntb.", encoding)
    assert np.array_equal(back, pixels)
    assert back.dtype == np.uint8


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_run_a_command_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    data = pickle.dumps({"data": [Runs(f"touch {witness}")]}, protocol)
    with pytest.raises(UserError, match=r"^some\.pickle: .*(posix|nt)\.system"):
        load(data)
    assert not witness.exists()
    pickle.loads(data)
    assert witness.exists()  # so the file was dangerous indeed


@pytest.mark.parametrize(
    "name", ["builtins eval", "builtins getattr", "numpy load", "numpy.core.multiarray fromfile", "os system"]
)
def test_globals_outside_the_table_are_named_and_refused(name: str) -> None:
    module, attribute = name.split()
    with pytest.raises(UserError, match=rf"some\.pickle.*{module}\.{attribute}"):
        load(f"c{module}\n{attribute}\n.".encode())


def test_a_dotted_name_does_not_reach_into_an_allowed_object() -> None:
    data = pickle.PROTO + b"\x04" + b"\x8c\x08builtins" + b"\x8c\x0cdict.__doc__" + pickle.STACK_GLOBAL + b"."
    with pytest.raises(UserError, match=r"dict\.__doc__"):
        load(data)


DTYPE = b"cnumpy\ndtype\n(Vu1\nI00\nI01\ntR(I3\nV|\nNNNI-1\nI-1\nI0\ntb"
ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR(I1\n(I2\nI2\nt" + DTYPE + b"I00\nVabcd\ntb."
)


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        (b"NNN", b"VaNN"),
        (b"NNN", b"N(VatN"),
        (b"NNN", b"(I1\nI2\ntNN"),
        (b"Vu1", b"VO8"),
        (b"Vu1", b"Vu1,u1"),
        (b"Vu1", b"VV1"),
        (b"V|", b"V?"),
        (b"I2\nI2\nt", b"I-2\nI-2\nt"),
        (b"I2\nI2\nt", b"I2\nI3\nt"),
        (b"cnumpy\ndtype", b"cnumpy\nndarray"),
    ],
)
def test_damage_within_an_array_is_refused_though_numpy_itself_may_crash(whole: bytes, damaged: bytes) -> None:
    assert load(ARRAY).tolist() == [[97, 98], [99, 100]]
    assert whole in ARRAY
    with pytest.raises(UserError, match=r"^some\.pickle: "):
        load(ARRAY.replace(whole, damaged))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_cut_anywhere_is_refused_by_name(protocol: int) -> None:
    value = {"data": fresh().random((2, 3)), "labels": [1, 2], "name": "é", "of": {3}}
    data = pickle.dumps(value, protocol)
    for length in range(len(data)):
        with pytest.raises(UserError, match=r"^some\.pickle: "):
            load(data[:length])


@settings(max_examples=300)
@given(st.binary(max_size=60).filter(lambda data: b"." not in data))
def test_bytes_that_are_no_pickle_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UserError, match=r"^some\.pickle: [^\n]*$"):
        load(data)


def test_a_damaged_file_cannot_ask_for_more_memory_than_it_is_worth() -> None:
    """Entry 800 million of the memo: the unpickler in C would make room for all before it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load(b"Nr\x00\x00\x00\x30.") is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def write(path: Path, value: object) -> Path:
    path.write_bytes(pickle.dumps(value))
    return path


def test_a_batch_gives_its_rows_and_labels(tmp_path: Path) -> None:
    data = fresh().integers(0, 256, (4, 12), dtype=np.uint8)
    path = write(tmp_path / "batch", {"data": data, "labels": [3, 1, 4, 1]})
    rows, labels = read_batch(path, "labels", 12)
    assert np.array_equal(rows, data)
    assert labels.dtype == np.int64
    assert labels.tolist() == [3, 1, 4, 1]


BYTES = np.zeros((2, 12), dtype=np.uint8)


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        {"data": BYTES},
        {"labels": [0, 1]},
        {"data": BYTES.astype(float), "labels": [0, 1]},
        {"data": BYTES[:, :11], "labels": [0, 1]},
        {"data": BYTES, "labels": [0, 1, 2]},
        {"data": BYTES.tolist(), "labels": [0, 1]},
        {"data": BYTES, "labels": ["a", "b"]},
        {"data": BYTES, "labels": [[0], [1]]},
    ],
)
def test_what_is_no_batch_is_refused_by_name(tmp_path: Path, value: object) -> None:
    with pytest.raises(UserError, match="some_batch"):
        read_batch(write(tmp_path / "some_batch", value), "labels", 12)
