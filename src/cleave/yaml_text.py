"""YAML as recipes need it: the core schema of YAML 1.2, no key twice, and no more work than the text is long.

PyYAML by itself reads YAML 1.1, in which 12:30:45 is 45,045, 010 is 8, no is false and 1e-3 a text. It keeps the last
of two equal keys, and follows aliases into values of any size.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml
from yaml.composer import ComposerError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cleave.errors import SHOWN, brief, shown

LIMIT = 2**18
"""The longest text, in letters (of a file in bytes)."""
EXPANDED = 2 * LIMIT
"""Letters and values that a text may have once its aliases are written out; one without aliases has fewer."""
DEEPEST = 30
"""Levels of lists and mappings in each other."""
LONGEST_NUMBER = 80

TAG = "tag:yaml.org,2002:"
# As in section 10.3.2 of the specification of YAML 1.2.2, each with the letters that it may begin with; and the key of
# merging, which is older but in use.
PLAIN = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
KEPT = (None, *(TAG + kind for kind in ("null", "str", "seq", "map")))
"""What is made as PyYAML makes it; None: what is refused."""
MEANS = {"bool": "true or false", "int": "a whole number", "float": "a number"}
BOOLS = {"true": True, "false": False}
FLOATS = {sign + ".inf": float(sign + "inf") for sign in ("", "+", "-")} | {".nan": float("nan")}


class NotYaml(ValueError):
    """What is wrong with a text, in one line that names the text's."""


def parse(text: str) -> Any:  # noqa: ANN401
    """The one value of a text, None of an empty one; raises NotYaml."""
    if len(text) > LIMIT:
        raise NotYaml(f"it is longer than {LIMIT:,} letters")
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        refuse_large(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise NotYaml(brief(where + (error.problem or error.context or "cannot be read"), 2 * SHOWN)) from error
    except yaml.YAMLError as error:
        raise NotYaml(brief(str(error), 2 * SHOWN)) from error


def written(value: Any) -> str:  # noqa: ANN401
    """A value as YAML that `parse` gives back, and readers of YAML 1.1 too; mappings in their own order."""
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False)
    return text


class Loader(yaml.SafeLoader):
    """Reads the core schema; refuses repeated keys and deep nests."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  as its base declares it
    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag in KEPT
    }
    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise wrong(f"more than {DEEPEST} levels in each other", parent)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:  # noqa: ANN401
        node: MappingNode = super().compose_mapping_node(anchor)
        refuse_repeated(node)
        return node


class Dumper(yaml.SafeDumper):
    """Puts quotes around what YAML 1.1 or 1.2 would take for something else than text."""


def wrong(problem: str, node: Node | None = None) -> ComposerError:
    return ComposerError(None, None, problem, None if node is None else node.start_mark)


def refuse_repeated(node: MappingNode) -> None:
    """Of two equal keys one would be lost."""
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if isinstance(key, ScalarNode):
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                raise wrong(f"key {shown(key.value)} stands twice, in line {lines[name]} and in line {line}; keep one")
            lines[name] = line


def refuse_large(root: Node) -> None:
    """Refuses what aliases make large, deep or endless, without following any of them twice."""
    known: dict[Node, tuple[int, int]] = {}
    under_way: set[Node] = set()

    def measured(node: Node) -> tuple[int, int]:
        """Letters and values in it, and levels."""
        if node in under_way:
            raise wrong("a value that holds itself", node)
        if node not in known:
            under_way.add(node)
            inner = [measured(part) for part in parts(node)]
            own = len(node.value) if isinstance(node, ScalarNode) else 0
            known[node] = 1 + own + sum(size for size, _ in inner), 1 + max((level for _, level in inner), default=0)
            under_way.remove(node)
        return known[node]

    size, levels = measured(root)
    if size > EXPANDED:
        raise wrong(f"aliases make more than {EXPANDED:,} letters of it")
    if levels > DEEPEST:
        raise wrong(f"aliases make more than {DEEPEST} levels of it")


def parts(node: Node) -> list[Node]:
    """The values of a list; keys and values of a mapping; nothing of a scalar."""
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, SequenceNode) else []


def scalar(convert: Callable[[str], Any]) -> Callable[[Loader, ScalarNode], Any]:
    """A constructor from a function of the text that raises KeyError or ValueError."""

    def construct(loader: Loader, node: ScalarNode) -> Any:  # noqa: ANN401
        text = loader.construct_scalar(node)
        meant = MEANS[node.tag.removeprefix(TAG)]
        if len(text) > LONGEST_NUMBER:
            raise wrong(f"{shown(text)} is longer than {LONGEST_NUMBER} letters, too long for {meant}", node)
        try:
            return convert(text)
        except (KeyError, ValueError) as error:
            raise wrong(f"{shown(text)} is not {meant}", node) from error

    return construct


def whole(text: str) -> int:
    """Decimal, even with zeros in front; 0o is for octal and 0x for hexadecimal."""
    return int(text, 0 if text[:2] in ("0o", "0x") else 10)


for _kind, (_pattern, _firsts) in PLAIN.items():
    Loader.add_implicit_resolver(TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), _firsts)
    Dumper.add_implicit_resolver(TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), _firsts)

Loader.add_constructor(TAG + "bool", scalar(lambda text: BOOLS[text.lower()]))
Loader.add_constructor(TAG + "int", scalar(whole))
Loader.add_constructor(TAG + "float", scalar(lambda text: float(FLOATS.get(text.lower(), text))))
