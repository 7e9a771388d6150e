"""Every figure in a table of docs/results that names result files is in one of these, as it is rounded there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "docs" / "results"
STORED = Path(__file__).parents[1] / "src" / "cleave" / "reproduce" / "results"
FIGURE = re.compile(r"(?<![\w.])[-+]?\d*\.\d+(?![\w.])")


def sections() -> Iterator[tuple[str, str, list[Path]]]:
    """(page and heading, text, result files) of each part of a page that names some."""
    for page in sorted(RESULTS.glob("*.md")):
        for text in re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            files = [RESULTS / name for name in re.findall(r"\(((?:data|[./\w]+/results)/[\w.-]+\.json)\)", text)]
            if files:
                yield f"{page.name}: {text.splitlines()[0].lstrip('# ')}", text, files


SECTIONS = {name: (text, files) for name, text, files in sections()}


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def wrong(figure: str, known: list[float]) -> bool:
    """Whether no known number is written so: half a unit of its last digit is the most that rounding does."""
    half = 0.5 * 10.0 ** -len(figure.partition(".")[2])
    return all(abs(abs(float(figure)) - abs(each)) > half * (1 + 1e-9) for each in known)


def test_there_are_pages_with_result_files() -> None:
    assert SECTIONS


@pytest.mark.parametrize("name", SECTIONS)
def test_every_figure_of_a_table_is_in_a_result_file(name: str) -> None:
    text, files = SECTIONS[name]
    known = [number for file in files for number in numbers(json.loads(file.read_text(encoding="utf-8")))]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    figures = [figure for row in rows for figure in FIGURE.findall(row)]
    assert figures
    assert [figure for figure in figures if wrong(figure, known)] == []


def test_a_figure_that_nobody_found_is_seen() -> None:
    assert not wrong("65.46", [65.4566])
    assert not wrong("-.09", [-0.085])
    assert wrong("65.47", [65.4566])


def test_every_table_that_is_kept_is_told_on_a_page() -> None:
    told = {file.resolve() for _, files in SECTIONS.values() for file in files}
    assert {file.resolve() for file in STORED.glob("*.json")} <= told


def test_result_files_are_small_and_name_no_machine() -> None:
    for file in (*(RESULTS / "data").glob("*.json"), *STORED.glob("*.json")):
        text = file.read_text(encoding="utf-8")
        assert len(text) < 200_000, file
        assert not re.search(r"/(home|root|tmp|work)/", text), file
