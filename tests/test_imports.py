"""Packages import only what is before them in the order that CONTRIBUTING.md gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cleave"


def levels() -> list[list[str]]:
    """The names in the rule, those that know of nobody else first."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rule = re.search(r"Imports point one way: ([^.]*)\.", text)
    assert rule is not None
    return [[name.strip() for name in level.split(",")] for level in rule[1].split("<-")]


def owner(file: Path) -> str:
    """What a file belongs to; commands belong to the command line, wherever they lie."""
    return "cli" if file.stem.endswith("command") else file.relative_to(SOURCE).with_suffix("").parts[0]


def imported(tree: ast.AST) -> Iterator[str]:
    """What of cleave a file imports, by the first name after "cleave", wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cleave":
            path = (node.module or "").split(".")
            yield from [path[1]] if len(path) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("cleave."))


def test_every_package_has_a_place_in_the_order() -> None:
    packages = {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").exists()}
    assert packages <= {name for level in levels() for name in level}


def test_imports_point_one_way() -> None:
    order = {name: number for number, level in enumerate(levels()) for name in level}
    wrong = [
        f"{file.relative_to(SOURCE)} imports cleave.{other}"
        for file in sorted(SOURCE.rglob("*.py"))
        if (own := owner(file)) in order
        for other in imported(ast.parse(file.read_text(encoding="utf-8")))
        if other in order and other != own and order[other] >= order[own]
    ]
    assert wrong == []


def test_an_import_the_other_way_would_be_seen() -> None:
    found = imported(ast.parse("from cleave.search.loop import Search\nfrom cleave import study"))
    assert list(found) == ["search", "study"]
    assert list(imported(ast.parse("def late():\n    import cleave.cli\n"))) == ["cli"]
