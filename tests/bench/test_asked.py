"""Architectures as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleave.bench.asked import NASLIB_EDGES, NASLIB_OPERATIONS, architecture
from cleave.bench.table import Table, format_arch, parse_arch
from cleave.errors import UserError
from cleave.space.nb201 import EDGES, OPERATIONS
from tests.fresh import fresh
from tests.tiny import Ended, write_table

NUMBERS = (4, 0, 3, 1, 4, 3)
STRING = "|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
NASLIB = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"


@pytest.fixture
def drawn() -> list[int]:
    return fresh().integers(0, 5, 6).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "(4, 0, 3, 1, 4, 3)", "[4, 0, 3, 1, 4, 3]", "4,0,3,1,4,3", "4 0 3 1 4 3", " ( 4,0 ,3,1,  4,3 ) ",
        "(4,0,3,1,4,3,)",
        "['avg_pool_3x3', 'none', 'nor_conv_3x3', 'skip_connect', 'avg_pool_3x3', 'nor_conv_3x3']",
        "avg_pool_3x3 none nor_conv_3x3 1 4 3", STRING, f"  {STRING}\n", STRING.replace("+", " + "),
    ],
)  # fmt: skip
def test_a_list_is_the_operations_in_the_order_of_the_official_strings(text: str) -> None:
    assert architecture(text) == STRING


def test_numbers_are_those_of_the_table_itself(drawn: list[int]) -> None:
    assert architecture(str(tuple(drawn))) == format_arch(drawn)
    assert parse_arch(str(architecture(str(drawn)))) == drawn


def test_naslibs_numbers_and_edges_are_others(drawn: list[int]) -> None:
    assert architecture("(4, 0, 3, 1, 4, 3)", naslib=True) == NASLIB
    meant = {edge: NASLIB_OPERATIONS[number] for edge, number in zip(NASLIB_EDGES, drawn, strict=True)}
    assert parse_arch(str(architecture(str(drawn), naslib=True))) == [OPERATIONS.index(meant[edge]) for edge in EDGES]


@pytest.mark.parametrize(("text", "index"), [("0", 0), (" 15624 ", 15624), ("000012", 12), ("403143", 403143)])
def test_a_number_is_an_index(text: str, index: int) -> None:
    assert architecture(text) == index


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("(4, 0, 3, 1, 4)", "lists 5 operations; give one for each of the 6 edges"),
        ("4 0 3 1 4 3 2", "lists 7 operations"),
        ("(4, 0, 3, 1, 4, 5)", "unknown '5'"),
        ("(4, 0, 3, 1, 4, -1)", "unknown '-1'"),
        ("none none none none none nor_conv_5x5", "unknown 'nor_conv_5x5'; did you mean 'nor_conv_3x3'"),
        (f"({'7' * 5000}, 0, 3, 1, 4, 3)", "unknown '777"),
    ],
)
def test_a_list_of_something_else_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UserError, match=r"^architecture") as caught:
        architecture(text)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["12", STRING, "some-words"])
def test_only_a_list_can_be_naslibs(text: str) -> None:
    with pytest.raises(UserError, match="leave --naslib out"):
        architecture(text, naslib=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table") / "table.npz")


def test_a_query_says_which_architecture_was_meant(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--benchmark", table.name, "--json"]
    for asked, meant in (([str(NUMBERS)], STRING), ([str(NUMBERS), "--naslib"], NASLIB), ([f" {STRING} "], STRING)):
        assert json.loads(Ended(["query", *asked, *words], capsys).out) == table.query(meant)
    assert Ended(["query", str(NUMBERS), *words[:2]], capsys).out.startswith(f"{table.index(STRING)}: {STRING}\n")


def test_the_help_says_what_the_numbers_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(Ended(["query", "--help"], capsys).out.replace("│", " ").split())
    assert "1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2" in text
    assert ", ".join(f"{number} {name}" for number, name in enumerate(OPERATIONS)) in text
    assert "NASLib" in text


@pytest.mark.parametrize("asked", ["9" * 5000, "x" * 5000, "|" + "x" * 5000, "15625", "(1, 2)", "nor_conv_3x3"])
def test_what_is_no_architecture_is_refused_in_one_short_line(
    asked: str, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = Ended(["query", asked, "--benchmark", table.name], capsys)
    assert ended.refuses("architecture")
    assert len(ended.err) < 300 + len(table.name)


def test_the_published_table_knows_the_list(shared: Path) -> None:
    real = Table.load(shared / "data" / "nasbench201" / "nb201_tss.npz")
    row = real.index(STRING)
    assert tuple(real.operations[row].tolist()) == NUMBERS
