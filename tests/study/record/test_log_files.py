"""What is no log, and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from cleave.errors import UserError
from cleave.study.record.log import Log, read_log
from cleave.study.record.truth import read_truth
from tests.fresh import fresh
from tests.study.made import made_log, some_children, write_log
from tests.study.small import words
from tests.tiny import HERE, Ended, write_table

CHILDREN = some_children(6)


def refusal(path: Path, order: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read_log(path, order)
    assert str(path) in str(caught.value) or str(order) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write_log(tmp_path / "log.parquet", made_log(CHILDREN, 12))
    return tmp_path / "log.parquet"


def test_a_log_is_known_by_its_bytes_not_by_its_name(log: Path, shared: Path, tmp_path: Path) -> None:
    renamed = log.rename(tmp_path / "log.csv")
    assert read_log(renamed).children == CHILDREN
    published = shared / "data" / "deeper-insights" / "share_all_acc_last128.csv"
    (tmp_path / "table.txt").write_bytes(b"\xef\xbb\xbf" + published.read_bytes() + b"\r\n\r\n")
    one, other = read_log(published), read_log(tmp_path / "table.txt")
    assert all((one.rows[name] == other.rows[name]).all() for name in one.rows)


def test_a_log_that_was_cut_short_is_told_from_one_that_is_damaged_or_none(log: Path, tmp_path: Path) -> None:
    whole = log.read_bytes()
    for length in fresh().integers(8, len(whole) - 1, 5).tolist():
        log.write_bytes(whole[:length])
        assert "is cut short" in refusal(log)
    log.write_bytes(whole[:4] + bytes(len(whole) - 8) + whole[-4:])
    assert "is a damaged log" in refusal(log)
    log.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "is neither a log of `cleave study` nor the published table" in refusal(log)
    log.write_bytes(b"")
    assert "is empty" in refusal(log)


def test_causes_are_told_as_they_are(tmp_path: Path) -> None:
    assert "cannot be read (no such file or directory)" in refusal(tmp_path / "none.parquet")
    assert "cannot be read (is a directory)" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is empty" in refusal(tmp_path / "pipe")


@pytest.mark.parametrize("wrong", [150.0, -3.0, float("nan"), float("inf")])
def test_accuracies_are_percent(log: Path, wrong: float) -> None:
    made = read_log(log)
    accuracy = made.rows["accuracy"].copy()
    accuracy[fresh().integers(len(accuracy))] = wrong
    write_log(log, Log("altered", made.meta, {**made.rows, "accuracy": accuracy}))
    # `write_log` makes empty places of NaN.
    problem = "has empty places" if np.isnan(wrong) else f"an accuracy is {wrong:g}, not from 0 to 100 percent"
    assert problem in refusal(log)


@pytest.mark.parametrize(
    "meta",
    [
        {}, {"space": "cells64"}, {"space": {"name": "cells64"}}, {"children": []}, {"children": [1, 2]},
        {"image": [3]}, {"classes": "many"}, {"children": None}, {"space": None},
    ],
)  # fmt: skip
def test_a_log_that_does_not_say_what_it_is_of_is_none(log: Path, meta: dict[str, Any]) -> None:
    table = pyarrow.parquet.read_table(log)
    said = {**json.loads(table.schema.metadata[b"cleave"]), **meta} if meta else {}
    pyarrow.parquet.write_table(table.replace_schema_metadata({"cleave": json.dumps(said)}), log)
    assert "is no log of `cleave study`" in refusal(log)
    pyarrow.parquet.write_table(table.replace_schema_metadata({"cleave": "[" * 100_000}), log)
    assert "is no log of `cleave study`" in refusal(log)


HEAD = ",".join(["", *map(str, range(64))])


def published(*rows: tuple[object, object]) -> str:
    """A table with a first column and the same share in every other."""
    return "\n".join([HEAD, *(f"{first}{f',{share}' * 64}" for first, share in rows)]) + "\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HEAD + "\n", "has no line below its head"),
        (published((1, 0.5), (2, 80.1)), "line 3: 0 is '80.1', but must be a number from 0 to 1"),
        (published((1, 0.5), (2, "nan")), "line 3: 0 is 'nan', but must be"),
        (published((1, 0.5), ("two", 0.5)), "line 3: mini-batch is 'two', but must be"),
        (published((1, 0.5), (1, 0.5)), "each another whole number"),
        (published((1, 0.5), (1.5, 0.5)), "each another whole number"),
        (published((1, 0.5)) + "2,0.5\n", "line 3 has 2 cells, the header 65 cells"),
        (published((1, 0.5)).replace(",63", ",62", 1), "all 64 children"),
    ],
)
def test_a_published_table_is_of_shares_line_by_line(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    assert problem in refusal(path)


@pytest.mark.parametrize("order", ["one two", "1.5", "-1", "9" * 5000])
def test_an_order_is_of_indices(order: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(published((1, 0.5)), encoding="utf-8")
    (tmp_path / "order.txt").write_text(order, encoding="utf-8")
    message = refusal(path, tmp_path / "order.txt")
    assert "is no order of children" in message
    assert len(message) < 200 + len(str(tmp_path))


def test_the_same_truth_is_read_with_and_without_a_byte_order_mark(shared: Path) -> None:
    log = read_log(shared / "cases" / "const.parquet")
    plain, marked = (read_truth(shared / "cases" / name, log) for name in ("truth64.csv", "truth64bom.csv"))
    assert plain.mean.tolist() == marked.mean.tolist()
    assert len(plain.mean) == 64


def test_a_truth_is_known_by_its_bytes_too(log: Path, tmp_path: Path) -> None:
    asked = read_log(log)
    text = "arch,mean\n" + "".join(f"{child},{50 + place}\n" for place, child in enumerate(CHILDREN))
    for name in ("truth", "truth.TXT", "truth.parquet"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_truth(tmp_path / name, asked).mean.tolist() == [50, 51, 52, 53, 54, 55]
    source, sink = os.pipe()
    os.write(sink, text.encode())
    os.close(sink)
    assert read_truth(Path(f"/dev/fd/{source}"), asked).mean.tolist() == [50, 51, 52, 53, 54, 55]
    os.close(source)
    table = write_table(tmp_path / "table.npz")
    space = made_log(some_children(4, "nasbench201"), 3, space="nasbench201")
    Path(table.name).rename(tmp_path / "table.csv")
    assert len(read_truth(tmp_path / "table.csv", space).mean) == 4


def test_a_study_takes_no_truth_that_can_be_read_only_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "mine.yaml").touch()
    out = ["--out", str(tmp_path / "run"), *HERE, *words({"truth": tmp_path / "pipe"})]
    assert Ended(["study", str(tmp_path / "mine.yaml"), *out], capsys).refuses(
        "truth", "is no plain file", "give a file"
    )
