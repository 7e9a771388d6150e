"""Packages import only what is before them in the order that CONTRIBUTING.md gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cleave"


def levels(words: str = "Imports point one way") -> list[list[str]]:
    """The names in the rule that begins with these words, those that know of nobody else first."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rule = re.search(rf"{words}: ([^.]*)\.", text)
    assert rule is not None
    return [[name.strip() for name in level.split(",")] for level in rule[1].split("<-")]


def owner(file: Path) -> str:
    """What a file belongs to; commands belong to the command line, wherever they lie."""
    return "cli" if file.stem.endswith("command") else file.relative_to(SOURCE).with_suffix("").parts[0]


def study_parts() -> list[str]:
    """The three parts of the study in their order, without the rest of its folder, which may import them all."""
    return [name for (name,) in levels("Within the study")[:-1]]


def study_part(module: str) -> str:
    """The part of the study that a module is in, as in "record"; empty for any other module."""
    return next((part for part in study_parts() if f"{module}.".startswith(f"cleave.study.{part}.")), "")


def imported(tree: ast.AST) -> Iterator[str]:
    """What of cleave a file imports, by the first name after "cleave", wherever in the file."""
    yield from (module.split(".")[1] for module in imported_modules(tree))


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """The modules of cleave that a file imports; with what is taken out of a package, which may be a module too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cleave":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("cleave."))


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


def test_the_three_parts_of_the_study_import_one_way() -> None:
    order = study_parts()
    assert order == ["record", "analysis", "telling"]
    wrong = [
        f"{file.relative_to(SOURCE)} imports {module}"
        for number, part in enumerate(order)
        for file in sorted((SOURCE / "study" / part).rglob("*.py"))
        for module in imported_modules(ast.parse(file.read_text(encoding="utf-8")))
        if module.startswith("cleave.study.") and study_part(module) not in order[: number + 1]
    ]
    assert wrong == []


def test_an_import_the_other_way_would_be_seen() -> None:
    found = imported(ast.parse("from cleave.search.loop import Search\nfrom cleave import study"))
    assert list(found) == ["search", "study"]
    found = imported_modules(ast.parse("from cleave.study import runner\nfrom cleave.study.record.log import Log"))
    assert list(map(study_part, found)) == ["", "record"]
    assert list(imported(ast.parse("def late():\n    import cleave.cli\n"))) == ["cli"]
