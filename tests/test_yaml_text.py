"""YAML 1.2 as recipes need it, and texts that are made to hang or to lie."""

from __future__ import annotations

import math
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yaml.nodes import Node

from cleave import yaml_text
from cleave.yaml_text import DEEPEST, EXPANDED, LIMIT, LONGEST_NUMBER, Loader, NotYaml, parse, written

TEXTS = st.one_of(st.text(), st.text("0123456789+-.:eExXo_ ~<=yYnNtTfF", max_size=8), st.sampled_from(["yes", "null"]))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False), TEXTS)
VALUES = st.recursive(LEAVES, lambda some: st.lists(some, max_size=4) | st.dictionaries(TEXTS, some, max_size=4))


def refusal(text: str) -> str:
    with pytest.raises(NotYaml) as caught:
        parse(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 200
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30:45", "12:30:45"),
        ("1:30.5", "1:30.5"),
        ("010", 10),
        ("-07", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("+1.5e3", 1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("", None),
        ("~", None),
        ("Null", None),
        ("2024-13-45", "2024-13-45"),
        ("2024-01-01 12:00:00", "2024-01-01 12:00:00"),
        ("=", "="),
        ("'1'", "1"),
        ("# nothing but a comment", None),
    ],
)
def test_plain_words_mean_what_they_mean_in_the_core_schema(text: str, value: object) -> None:
    assert repr(parse(text)) == repr(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(parse(".nan"))


@given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    assert repr(parse(written(value))) == repr(value)


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_what_is_written_is_read_by_readers_of_yaml_1_1_too(value: dict[str, str]) -> None:
    assert yaml.safe_load(written(value)) == value


def test_aliases_and_merged_mappings_are_written_out() -> None:
    text = "a: &a {x: 1, y: [2]}\nb: {<<: *a, y: 3}\nc: *a\n"
    assert parse(text) == {"a": {"x": 1, "y": [2]}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": [2]}}


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("search: {epochs: 3}\nseed: 1\nsearch: {batch_size: 8}\n", "search", (1, 3)),
        ("search:\n  epochs: 3\n  batch_size: 8\n  epochs: 4\n", "epochs", (2, 4)),
        ("a: [1, {b: {c: 1, d: 2, c: 3}}]\n", "c", (1, 1)),
        ("seed: 1\n'seed': 2\n", "seed", (1, 2)),
        ("x: &a {y: 1}\nz:\n  <<: *a\n  <<: *a\n", "<<", (3, 4)),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(text: str, key: str, lines: tuple[int, int]) -> None:
    assert refusal(text) == f"key {key!r} stands twice, in line {lines[0]} and in line {lines[1]}; keep one"


@pytest.mark.parametrize(
    "text",
    [
        "[", "{a: ", "'", "a: b: c", "*nope", "---\n1\n---\n2", "{[1]: 2}", "? {a: 1}\n: 2", "x\0", "!!int x",
        "!!int [1]", "!!bool maybe", "!!float 1:2", "!!timestamp foo", "!!binary AA==", "!!set {a}",
        "!!map [1]", "!!str [1]",
        "!!python/object/apply:os.getcwd []", "!mine 3", "a: 1\n\tb: 2", "%YAML 9.9\n---\n1",
        "&a &b c", "- a\nb: c", "<<",
    ],
)  # fmt: skip
def test_what_is_no_yaml_or_means_another_kind_of_value_is_refused_in_one_line(text: str) -> None:
    refusal(text)


def laughing(levels: int, each: int) -> str:
    """A billion laughs: every level says the one below so many times."""
    below = [f"{letter}: &{letter} [{', '.join(['lol'] * each)}]" for letter in "a"]
    pairs = zip(string.ascii_lowercase, string.ascii_lowercase[1:levels], strict=False)
    return "\n".join([*below, *(f"{up}: &{up} [{', '.join([f'*{down}'] * each)}]" for down, up in pairs)])


WEAPONS = {
    "aliases in lists": (laughing(9, 9), "aliases make more than"),
    "aliases in merged mappings": (
        "k0: &k0 {x: 1}\n" + "\n".join(f"k{i + 1}: &k{i + 1} {{<<: [{f'*k{i}, ' * 9}]}}" for i in range(9)),
        "aliases make more than",
    ),
    "a list that holds itself": ("&a [1, *a]", "holds itself"),
    "a mapping that holds itself": ("search: &a {epochs: {x: *a}}", "holds itself"),
    "a key that holds itself": ("&a {? *a : 1}", "holds itself"),
    "a ladder of aliases": (
        "a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 100)),
        f"aliases make more than {DEEPEST} levels",
    ),
    "brackets": ("[" * 100_000, f"more than {DEEPEST} levels"),
    "braces": ("{a: " * 50_000, f"more than {DEEPEST} levels"),
    "dashes": ("- " * 100_000, f"more than {DEEPEST} levels"),
    "a long number": ("9" * 100_000, f"longer than {LONGEST_NUMBER} letters"),
    "a long hexadecimal number": ("0x" + "f" * 100_000, f"longer than {LONGEST_NUMBER} letters"),
    "a long name of an alias": ("*" + "a" * 100_000, "undefined alias"),
    "a long tag": ("!" + "a" * 100_000 + " 3", "could not determine a constructor"),
    "a long key that stands twice": ("{" + ("k" * 900 + ": 1, ") * 2 + "}", "stands twice"),
    "ten million letters": ("a" * 10**7, f"longer than {LIMIT:,} letters"),
    "a million keys": ("".join(f"k{i}: 1\n" for i in range(10**6)), f"longer than {LIMIT:,} letters"),
}  # fmt: skip


@pytest.mark.parametrize("weapon", WEAPONS)
def test_weapons_are_refused_in_one_short_line(weapon: str) -> None:
    text, problem = WEAPONS[weapon]
    assert problem in refusal(text)


@pytest.mark.parametrize("weapon", ["aliases in lists", "aliases in merged mappings", "a ladder of aliases"])
def test_no_value_is_made_of_what_is_refused_for_its_aliases(weapon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Loader, node: Node) -> None:
        raise AssertionError("made")

    monkeypatch.setattr(Loader, "construct_document", never)
    refusal(WEAPONS[weapon][0])


def test_each_value_is_measured_once_however_many_aliases_mean_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    true = yaml_text.parts

    def counted(node: Node) -> list[Node]:
        nonlocal looks
        looks += 1
        return true(node)

    monkeypatch.setattr(yaml_text, "parts", counted)
    refusal(laughing(20, 5))
    assert looks <= 2 * 20 + 5 + 1 + 20  # keys and lists, the words, the whole


def test_a_text_of_the_longest_length_is_read() -> None:
    assert parse("'" + "a" * (LIMIT - 2) + "'") == "a" * (LIMIT - 2)
    assert len(parse("[" + "a," * 10_000 + "]")) == 10_000


def test_aliases_are_counted_by_what_they_stand_for() -> None:
    text = f"a: &a {'x' * 999}\nb: [{', '.join(['*a'] * (EXPANDED // 1000 - 1))}]"
    assert len(parse(text)["b"]) == EXPANDED // 1000 - 1
    assert "aliases make" in refusal(text.replace("[", "[*a, *a, "))


def test_the_projects_own_recipes_mean_the_same_in_yaml_1_1() -> None:
    files = sorted((Path(__file__).parents[1] / "recipes").rglob("*.yaml"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert parse(text) == yaml.safe_load(text)
