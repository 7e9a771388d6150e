"""Files of predictions from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleave.errors import UserError
from cleave.rank.predictions import read_all, read_predictions
from tests.fresh import fresh


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_come_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    names = [f"|op{number}~0|" for number in range(20)]
    numbers = fresh().normal(size=(20, 2))
    lines = [f"{x!r},{name},{y!r}" for name, (x, y) in zip(names, numbers.tolist(), strict=True)]
    file = write(tmp_path / "p.csv", "one,arch,two", *fresh().permutation(lines))
    asked = fresh().permutation(20)[:7]
    found = read_predictions(file, [names[position] for position in asked])
    assert list(found) == ["one", "two"]
    assert np.array_equal(np.stack(list(found.values()), axis=1), numbers[asked])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a,b", "x,1"], ["no column arch", "a, b"]),
        (["arch,b", "x,1"], ["lacks 1 of the 2", "y"]),
        (["arch,b", "x,1", "y,2", "x,1"], ["x is there more than once", "line 2", "line 4"]),
        (["arch,b", "x,1", "y,many"], ["line 3", "b is 'many'"]),
        (["arch,b", "x,1", "y,nan"], ["line 3", "b is 'nan'"]),
        (["arch,b", "x,1", "y"], ["line 3 has 1 cell", "2 cells"]),
        ([""], ["is empty"]),
        (['arch,"b', "x,1"], ["is not CSV"]),
    ],
)
def test_a_file_that_is_no_good_is_named(lines: list[str], words: list[str], tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", *lines)
    with pytest.raises(UserError) as caught:
        read_predictions(file, ["x", "y"])
    assert all(word in str(caught.value) for word in [str(file), *words]), str(caught.value)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "bytes.csv").write_bytes(b"arch,\xff\xfe\n")
    for name, word in (("absent.csv", "no such file"), ("empty.csv", "is empty"), ("bytes.csv", "not text")):
        with pytest.raises(UserError, match=rf"{name}.*{word}"):
            read_predictions(tmp_path / name, [])


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", "arch,mine", "x,1")
    other = write(tmp_path / "other.csv", "arch,mine,flops", "x,2,3")
    assert read_all([one], ["x"], ["flops"]) == {"mine": [1]}
    with pytest.raises(UserError, match=r"other\.csv.*'mine'"):
        read_all([one, other], ["x"], [])
    with pytest.raises(UserError, match=r"other\.csv.*'flops'"):
        read_all([other], ["x"], ["flops"])
