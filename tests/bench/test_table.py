from __future__ import annotations

import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleave.bench.table import (
    ACCURACIES,
    DATASETS,
    OPERATIONS,
    PARTS,
    Table,
    default_path,
    find,
    format_arch,
    parse_arch,
)
from cleave.errors import UserError
from tests.fresh import fresh

ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"


@pytest.fixture
def rng() -> np.random.Generator:
    return fresh()


@pytest.fixture(scope="module")
def real(shared: Path) -> Table:
    return Table.load(shared / "data" / "nasbench201" / "nb201_tss.npz")


def arrays(rng: np.random.Generator, count: int = 9) -> dict[str, Any]:
    """What a compact file of `count` random architectures holds."""
    codes = rng.choice(5**6, size=count, replace=False)
    content: dict[str, Any] = {
        "ops": np.stack(np.unravel_index(codes, (5,) * 6), axis=1).astype(np.uint8),
        "op_names": np.array(OPERATIONS),
        "seeds": rng.integers(1, 4, count).astype(np.uint8),
        "params_mb_cifar10": rng.uniform(0.07, 1.6, count).astype(np.float32),
    }
    return content | {key: rng.uniform(1, 99, count).astype(np.float32) for key in ACCURACIES}


def written(path: Path, content: dict[str, Any]) -> Path:
    np.savez_compressed(path, **content)
    return path


@pytest.fixture
def path(rng: np.random.Generator, tmp_path: Path) -> Path:
    return written(tmp_path / "small.npz", arrays(rng))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        Table.load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


# The real table


def test_the_published_table_holds_every_architecture_once(real: Table) -> None:
    assert len(real) == 5**6
    assert len({real.arch(index) for index in range(len(real))}) == 5**6


@pytest.mark.parametrize(
    ("dataset", "valid", "test"),
    [("cifar10", 91.61, 94.37), ("cifar100", 73.49, 73.51), ("imagenet16-120", 46.73, 47.31)],
)
def test_the_best_of_the_published_table_is_the_published_optimum(
    real: Table, dataset: str, valid: float, test: float
) -> None:
    best = [round(float(real.accuracies(dataset, part).max()), 2) for part in PARTS]
    assert best == [valid, test]


def test_the_network_of_skips_alone_does_poorly(real: Table) -> None:
    reached = real.query(ALL_SKIP)["cifar10"]
    assert (round(reached["valid"], 2), round(reached["test"], 2)) == (39.77, 54.30)


def test_index_and_string_ask_the_same_of_the_published_table(real: Table, rng: np.random.Generator) -> None:
    for index in rng.choice(len(real), 50).tolist():
        assert real.index(real.arch(index)) == index
        assert real.query(index) == real.query(real.arch(index))


def test_the_published_table_survives_saving_and_loading(real: Table, tmp_path: Path) -> None:
    real.save(tmp_path / "copy.npz")
    again = Table.load(tmp_path / "copy.npz")
    np.testing.assert_array_equal(again.operations, real.operations)
    assert again.columns.keys() == real.columns.keys()
    for key, column in real.columns.items():
        np.testing.assert_array_equal(again.columns[key], column)
        assert again.columns[key].dtype == column.dtype


# Asking


def test_a_query_gives_the_row_in_plain_numbers(rng: np.random.Generator, tmp_path: Path) -> None:
    content = arrays(rng)
    small = Table.load(written(tmp_path / "t.npz", content))
    index = int(rng.integers(len(small)))
    answer = small.query(index)
    assert list(answer) == ["arch", "index", *DATASETS]
    assert answer["arch"] == format_arch(content["ops"][index])
    for dataset, prefix in zip(DATASETS, ("cifar10", "cifar100", "imagenet16"), strict=True):
        assert list(answer[dataset]) == list(PARTS)
        for part in PARTS:
            value = answer[dataset][part]
            assert type(value) is float
            assert value == round(value, 4)
            assert value == pytest.approx(content[f"{prefix}_{part}"][index], abs=6e-5)


def test_an_architecture_that_is_not_in_the_table_is_named(rng: np.random.Generator, tmp_path: Path) -> None:
    content = arrays(rng, 30)
    absent = format_arch(content["ops"][-1])
    fewer = {key: value if key == "op_names" else value[:-1] for key, value in content.items()}
    small = Table.load(written(tmp_path / "t.npz", fewer))
    with pytest.raises(UserError, match="not in") as caught:
        small.query(absent)
    assert absent in str(caught.value)


@pytest.mark.parametrize("index", [-1, 9, 10**6])
def test_an_index_outside_the_table_is_refused(path: Path, index: int) -> None:
    with pytest.raises(UserError, match=f"{index}.*0 to 8"):
        Table.load(path).query(index)


def test_an_unknown_data_set_or_part_is_refused(path: Path) -> None:
    small = Table.load(path)
    with pytest.raises(UserError, match="did you mean 'cifar100'"):
        small.accuracies("cifar1000", "test")
    with pytest.raises(UserError, match="unknown 'train'"):
        small.accuracies("cifar10", "train")


# Architecture strings


@given(st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_parsing_undoes_formatting(operations: list[int]) -> None:
    assert parse_arch(format_arch(operations)) == operations


def test_edges_stand_in_the_official_order() -> None:
    arch = format_arch([0, 1, 2, 3, 4, 0])
    assert arch == "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"


@pytest.mark.parametrize(
    "arch",
    [
        "",
        ALL_SKIP[:-1],
        ALL_SKIP + "|none~0|",
        ALL_SKIP.replace("~2", "~1"),
        ALL_SKIP.replace("skip_connect~1", "skip~1"),
        ALL_SKIP.replace("+", ""),
        " " + ALL_SKIP,
    ],
)
def test_a_malformed_architecture_is_refused(arch: str) -> None:
    with pytest.raises(UserError, match=r"is not of the form|unknown"):
        parse_arch(arch)


# Files that cannot be used


def test_a_missing_file_is_named_and_the_way_to_make_it_said(tmp_path: Path) -> None:
    assert "cleave benchmark import" in refusal(tmp_path / "nowhere.npz")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "t.npz").write_bytes(rng.bytes(1000))
    assert "is no .npz file" in refusal(tmp_path / "t.npz")


def test_a_truncated_file_is_refused_wherever_it_ends(path: Path, rng: np.random.Generator) -> None:
    whole = path.read_bytes()
    for length in rng.integers(0, len(whole), 20).tolist():
        path.write_bytes(whole[:length])
        assert ("is cut short" if length >= 4 else "is no .npz file") in refusal(path)


def test_a_table_that_cannot_be_read_is_not_said_to_be_damaged(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read (is a directory)"
    assert "no such file; make the table anew" in refusal(tmp_path / "none.npz")

    def denied(path: str, flags: int) -> int:
        raise PermissionError(13, os.strerror(13), path)

    monkeypatch.setattr("cleave.files._open", denied)
    assert refusal(path) == f"{path}: cannot be read (permission denied)"


def test_a_flipped_bit_in_the_data_is_noticed(path: Path, rng: np.random.Generator) -> None:
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("cifar10_valid.npy")
    start = member.header_offset + 30 + len(member.filename)
    for place in rng.integers(start + 40, start + member.compress_size, 20).tolist():
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        assert "damaged" in refusal(path)


def test_a_pickle_inside_the_archive_is_not_opened(tmp_path: Path, rng: np.random.Generator) -> None:
    content = arrays(rng) | {"seeds": np.array([{"any": "object"}] * 9, dtype=object)}
    assert "damaged" in refusal(written(tmp_path / "t.npz", content))


@pytest.mark.parametrize("key", ["ops", "op_names", "cifar10_test", "imagenet16_valid"])
def test_a_missing_column_is_named(tmp_path: Path, rng: np.random.Generator, key: str) -> None:
    content = {name: value for name, value in arrays(rng).items() if name != key}
    assert f"lacks {key}" in refusal(written(tmp_path / "t.npz", content))


@pytest.mark.parametrize(
    ("key", "spoil"),
    [
        ("ops", lambda ops: ops[:, :5]),
        ("ops", lambda ops: ops[0]),
        ("ops", lambda ops: ops[:0]),
        ("ops", lambda ops: ops.astype(np.int64)),
        ("ops", lambda ops: ops + np.uint8(5)),
        ("op_names", lambda names: names[::-1]),
        ("seeds", lambda seeds: seeds[:-1]),
        ("cifar10_test", lambda column: column[:, None]),
        ("cifar10_test", lambda column: column.astype(str)),
        ("cifar100_valid", lambda column: np.append(column[1:], np.float32("nan"))),
        ("cifar100_valid", lambda column: np.append(column[1:], np.float32("inf"))),
        ("imagenet16_test", lambda column: -column),
        ("imagenet16_test", lambda column: column + 100),
    ],
)
def test_wrong_shapes_and_values_are_refused_by_name(
    tmp_path: Path, rng: np.random.Generator, key: str, spoil: Callable[[Any], Any]
) -> None:
    content = arrays(rng)
    content[key] = spoil(content[key])
    assert key in refusal(written(tmp_path / "t.npz", content))


def test_an_architecture_that_is_there_twice_is_named(tmp_path: Path, rng: np.random.Generator) -> None:
    content = arrays(rng)
    content["ops"][7] = content["ops"][2]
    assert format_arch(content["ops"][2]) in refusal(written(tmp_path / "t.npz", content))


# Saving and finding


def test_saving_replaces_the_file_and_leaves_nothing_else(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "cache" / "table.npz"
    small = Table.load(path)
    for _ in range(2):
        small.save(target)
        assert os.listdir(target.parent) == ["table.npz"]
    assert Table.load(target).query(3) == small.query(3)


def test_a_save_that_fails_half_way_leaves_the_old_table(path: Path) -> None:
    small, before = Table.load(path), path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))  # as on a disk that fills up
    try:
        with pytest.raises(UserError, match="cannot be saved"):
            small.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_place_that_cannot_be_written_is_named(path: Path) -> None:
    with pytest.raises(UserError, match="cannot be saved") as caught:
        Table.load(path).save(path / "below" / "a-file.npz")
    assert str(path / "below") in str(caught.value)


def test_the_default_path_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLEAVE_BENCHMARK", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".cache" / "cleave" / "nasbench201.npz"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_path() == tmp_path / "cache" / "cleave" / "nasbench201.npz"
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "mine.npz"))
    assert default_path() == tmp_path / "mine.npz"


def test_finding_takes_the_given_file_then_the_default_then_nothing(
    monkeypatch: pytest.MonkeyPatch, path: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "default.npz"))
    assert find(None) is None
    with pytest.raises(UserError, match="no such file"):
        find(tmp_path / "default.npz")
    given_table = find(path)
    assert given_table is not None
    given_table.save(default_path())
    found = find(None)
    assert found is not None
    assert found.query(0) == given_table.query(0)
