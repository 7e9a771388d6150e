"""Checkpoints come back bit for bit, or are refused by name: killed, cut, altered, foreign, full disk."""

from __future__ import annotations

import io
import os
import pickle
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cleave.errors import UserError
from cleave.run import durable
from cleave.run.durable import MANIFEST, Damaged
from cleave.run.generations import META, STATE, WEIGHTS, Generations, NotFinite, Record, read_record, write_record
from tests.run.test_durable import cut, failing_sync, flipped, full_disk, names


def some_record(number: int) -> Record:
    """The record that this number stands for, in any process."""
    generator = torch.Generator().manual_seed(number)
    size = int(torch.randint(1, 3000, (), generator=generator))
    moments = list(torch.randn(2, size, generator=generator))
    return Record(
        weights={"stem.weight": torch.randn(size, 3, generator=generator), "stem.count": torch.tensor(number)},
        state={"optimizer": {0: {"moments": moments, "betas": (0.9, 0.999)}}, "rng": generator.get_state()},
        meta={"number": number, "leaf": [0, 1], "loss": 1 / (number + 1), "best": None},
    )


def bits(value: object) -> object:
    """A form of a nested value in which `==` compares types, shapes and bits (NaN, -0.0, True and 1 apart)."""
    if isinstance(value, Tensor):
        raw = value.flatten().clone(memory_format=torch.contiguous_format)
        return value.dtype, value.shape, raw.view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {(type(key), key): bits(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [bits(entry) for entry in value]
    return type(value), repr(value)


def same(one: Record, other: Record) -> bool:
    return bits(vars(one)) == bits(vars(other))


DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.int64, torch.uint8, torch.bool]


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Tensors of all sorts: empty, scalar, subnormal, strided, expanded."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    values = torch.randn(shape, generator=generator) * 10.0 ** draw(st.sampled_from([-40, 0, 4]))
    tensor = values.to(draw(st.sampled_from(DTYPES))).expand(2, *shape)
    return draw(st.sampled_from([tensor, tensor[0], tensor.transpose(0, -1), tensor[..., ::2]]))


texts, numbers = st.text(max_size=5), st.integers(-(2**130), 2**130)
leaves = st.none() | st.booleans() | numbers | st.floats(allow_nan=False, allow_infinity=False) | texts
lists = st.lists(tensors() | leaves, max_size=3)
dicts = st.dictionaries(texts | numbers, tensors() | leaves | lists | lists.map(tuple), max_size=3)
states = leaves | tensors() | dicts | st.lists(dicts | lists.map(tuple), max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(texts, tensors(), max_size=4), st.dictionaries(texts, states, max_size=4), leaves)
def test_any_record_comes_back_bit_for_bit(weights: dict[str, Tensor], state: dict[str, Any], leaf: object) -> None:
    record = Record(weights, state, {"leaf": leaf, "list": [leaf]})
    with tempfile.TemporaryDirectory() as folder:
        identity = write_record(Path(folder) / "first", record)
        back = read_record(Path(folder) / "first", identity)
        assert same(back, record)
        assert write_record(Path(folder) / "second", back) == identity


def test_equal_records_are_equal_bytes_even_where_equal_strings_are_two_objects(tmp_path: Path) -> None:
    name = str(random.random())
    once, twice = {"names": [name, name]}, {"names": [name, "".join(list(name))]}
    assert write_record(tmp_path / "1", Record({}, once, {})) == write_record(tmp_path / "2", Record({}, twice, {}))


def test_tensors_that_share_memory_come_back_as_writable_copies(tmp_path: Path) -> None:
    whole = torch.randn(1000, 4)
    weights = {"tied": whole, "head": whole, "row": whole[3], "parameter": torch.nn.Parameter(whole)}
    write_record(tmp_path / "record", Record(weights, {"views": [whole[:, 0], whole[:1]]}, {}))
    back = read_record(tmp_path / "record")
    parts = [*back.weights.values(), *back.state["views"]]
    assert len({part.untyped_storage().data_ptr() for part in parts}) == len(parts)
    assert all(part.is_contiguous() and not part.requires_grad for part in parts)
    assert (tmp_path / "record" / STATE).stat().st_size < 8000, "a view must not drag its whole storage along"
    back.weights["tied"].zero_()
    assert torch.equal(back.weights["head"], whole)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_refused_by_name_and_the_last_generation_kept(tmp_path: Path, wrong: float) -> None:
    generations, tensor = Generations(tmp_path), torch.randn(5, 7)
    generations.commit(some_record(1))
    tensor[random.randrange(5), random.randrange(7)] = wrong
    refused = {
        r"weights\.stem: 1 of its 35 values": Record({"stem": tensor}, {}, {}),
        r"state\.adam\.1\.m: 1 of its 35 values": Record({}, {"adam": [{}, {"m": tensor.bfloat16()}]}, {}),
        rf"state\.best: {wrong} is not finite": Record({}, {"best": wrong}, {}),
        rf"meta\.loss\.0: {wrong} is not finite": Record({}, {}, {"loss": [wrong]}),
    }
    for message, record in refused.items():
        with pytest.raises(NotFinite, match=message):
            generations.commit(record)
    assert names(tmp_path) == {"000001"}
    assert same(generations.newest(pytest.fail), some_record(1))


@pytest.mark.parametrize("alien", [np.float64(1.0), {1, 2}, b"bytes", Path("path"), torch.float32])
def test_a_value_that_could_not_be_read_back_is_refused_when_written(tmp_path: Path, alien: object) -> None:
    with pytest.raises(TypeError, match=rf"state\.list\.1: a record cannot hold a {type(alien).__name__}"):
        write_record(tmp_path / "record", Record({}, {"list": [0, alien]}, {}))
    assert names(tmp_path) == set()


@pytest.mark.parametrize("name", [WEIGHTS, STATE, META, MANIFEST])
def test_a_flipped_bit_or_a_cut_is_named_and_the_generation_before_is_used(tmp_path: Path, name: str) -> None:
    for case, alter in enumerate([flipped] * 25 + [cut] * 5):
        generations, seen = Generations(tmp_path / str(case)), list[str]()
        generations.commit(some_record(1))
        newest = generations.commit(some_record(2))
        altered = alter((newest / name).read_bytes())
        (newest / name).write_bytes(altered)
        with pytest.raises(Damaged, match=str(newest)):
            read_record(newest)
        assert same(generations.newest(seen.append), some_record(1)), altered
        assert len(seen) == 1
        assert name in seen[0]
        assert "generation 000002 is set aside" in seen[0]


class Runs:
    """Pickles as a call of os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def foreign_files(command: str) -> dict[str, bytes]:
    """Files that are none of ours, some of which would run the command."""
    new, old, archive, bare = (io.BytesIO() for _ in range(4))
    torch.save({"state": Runs(command)}, new)
    torch.save({"state": Runs(command)}, old, _use_new_zipfile_serialization=False)
    torch.save(torch.randn(3), bare)
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr("archive/readme.txt", random.randbytes(100))
    streams = {"torch": new, "old torch": old, "zip": archive, "bare tensor": bare}
    others = {"pickle": pickle.dumps(Runs(command)), "empty": b"", "NaN": b'{"loss": NaN}', "list": b"[1]"}
    return others | {name: stream.getvalue() for name, stream in streams.items()}


@pytest.mark.parametrize("name", [WEIGHTS, STATE, META])
def test_a_foreign_file_under_a_true_manifest_is_named_and_nothing_in_it_runs(tmp_path: Path, name: str) -> None:
    marker, folder = tmp_path / "ran", tmp_path / "record"
    files = foreign_files(f"touch {marker}")
    pickle.loads(files["pickle"])
    assert marker.exists(), "the pickle is harmless, so that this test would show nothing"
    marker.unlink()
    write_record(folder, some_record(1))
    contents = durable.read_folder(folder)
    for data in files.values():
        durable.write_folder(folder, {**contents, name: data})
        with pytest.raises(Damaged, match=f"record/{name}: not what cleave writes there"):
            read_record(folder)
    durable.write_folder(folder, {**contents, "config.json": b"{}"})
    with pytest.raises(Damaged, match="record: not a record of cleave"):
        read_record(folder)
    assert not marker.exists()


def test_a_full_disk_leaves_the_generations_before_and_nothing_of_the_new_one(tmp_path: Path) -> None:
    generations = Generations(tmp_path)
    generations.commit(some_record(1))
    generations.commit(some_record(2))
    for largest in (0, 100, random.randrange(1000)):
        with full_disk(largest), pytest.raises(UserError, match="000003: cannot be saved: file too large"):
            generations.commit(some_record(3))
        assert same(generations.newest(pytest.fail), some_record(2))
    for after in range(6):  # four files, their folder, and (too late to matter) the name
        with failing_sync(after), pytest.raises(UserError, match=r"cannot be saved: no space left.*cleave resume"):
            generations.commit(some_record(3))
        assert names(tmp_path) == {"000001", "000002"} | ({"000003"} if after == 5 else set())
    assert same(generations.newest(pytest.fail), some_record(3))
    assert generations.commit(some_record(4)).name == "000004"


def test_the_newest_whole_generations_are_kept_and_numbers_are_never_used_again(tmp_path: Path) -> None:
    generations, seen = Generations(tmp_path / "deep" / "er", keep=2), list[str]()
    assert generations.empty
    paths = [generations.commit(some_record(number)) for number in range(1, 6)]
    assert names(generations.folder) == {"000004", "000005"}
    (paths[4] / STATE).write_bytes(b"")
    assert generations.newest(seen.append).meta["number"] == 4
    assert generations.commit(some_record(6)).name == "000006"
    assert names(generations.folder) == {"000004", "000005.damaged", "000006"}
    assert same(Generations(generations.folder).newest(pytest.fail), some_record(6))


def test_a_damaged_generation_is_not_counted_among_those_kept(tmp_path: Path) -> None:
    generations = Generations(tmp_path, keep=2)
    generations.commit(some_record(1))
    (generations.commit(some_record(2)) / META).unlink()
    generations.commit(some_record(3))
    assert names(tmp_path) == {"000001", "000002", "000003"}
    generations.commit(some_record(4))
    assert names(tmp_path) == {"000003", "000004"}


def test_where_no_generation_is_whole_the_folder_is_named(tmp_path: Path) -> None:
    generations, seen = Generations(tmp_path), list[str]()
    (generations.commit(some_record(1)) / MANIFEST).unlink()
    (generations.commit(some_record(2)) / MANIFEST).unlink()
    with pytest.raises(UserError, match=f"{tmp_path}: holds no checkpoint that is whole"):
        generations.newest(seen.append)
    assert [line.partition("generation ")[2][:6] for line in seen] == ["000002", "000001"]
    assert not generations.empty
    with pytest.raises(UserError, match="holds no checkpoint that is whole"):
        generations.newest(seen.append)  # and nothing starts again of itself


def test_a_disk_that_gives_back_other_bytes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generations, replace = Generations(tmp_path, keep=1), Path.replace
    generations.commit(some_record(1))

    def lose_a_bit(path: Path, new: Path) -> None:
        replace(path, new)
        (new / WEIGHTS).write_bytes(flipped((new / WEIGHTS).read_bytes()))

    monkeypatch.setattr(Path, "replace", lose_a_bit)
    with pytest.raises(UserError, match=f"000002/{WEIGHTS}.*check the disk"):
        generations.commit(some_record(2))
    monkeypatch.undo()
    assert names(tmp_path) == {"000001", "000002"}
    assert same(read_record(tmp_path / "000001"), some_record(1))
