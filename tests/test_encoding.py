"""No text is read or written in the locale's encoding."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = {"read_text", "write_text"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call by the name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


def by_locale(name: str, call: ast.Call) -> bool:
    """Whether it reads or writes text and does not say in which encoding."""
    if any(word.arg == "encoding" for word in call.keywords):
        return False
    if name in TEXT and isinstance(call.func, ast.Attribute):
        return True
    modes = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    foreign = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    return (
        name == "open" and not (foreign and call.func.value.id in LIBRARIES) and not any("b" in text for text in texts)
    )


LIBRARIES = {"os", "bz2", "gzip", "tarfile", "Image"}
"""Whose `open` is another."""


def test_every_text_file_says_its_encoding() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for folder in ("src", "scripts", "benchmarks", "experiments")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name, call in calls(ast.parse(file.read_text(encoding="utf-8")))
        if by_locale(name, call)
    ]
    assert found == []


def test_what_is_looked_for_is_found() -> None:
    text = "a.read_text(); a.write_text('x'); open(a); a.open(); a.open('w'); open(a, mode='r')"
    assert all(by_locale(name, call) for name, call in calls(ast.parse(text)))
    text = "a.read_text(encoding='utf-8'); open(a, 'rb'); a.open('wb'); os.open(a, 0); open(a, encoding='ascii')"
    assert not any(by_locale(name, call) for name, call in calls(ast.parse(text)))
