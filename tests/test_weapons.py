"""Recipes that were made to hang, to fill the memory or the terminal, or to mean something else: one line, exit 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.run.durable import write_bytes
from cleave.settings import Recipe
from cleave.study.record.recipes import as_yaml
from cleave.study.record.recipes import read as read_study
from cleave.yaml_text import LIMIT, written
from tests.test_yaml_text import WEAPONS
from tests.tiny import HERE, Ended

Capture = pytest.CaptureFixture[str]
LONGEST = 600
"""Letters of a line that a person may be shown, the file's name left out."""


def refused(command: list[str], capsys: Capture, *words: str) -> None:
    ended = Ended(command, capsys)
    assert ended.refuses(*words)
    assert len(ended.err) < LONGEST + sum(map(len, command[:3]))


@pytest.mark.parametrize("command", ["search", "plan", "study"])
@pytest.mark.parametrize("weapon", WEAPONS)
def test_a_file_that_is_a_weapon_is_refused_by_every_command(
    command: str, weapon: str, tmp_path: Path, capsys: Capture
) -> None:
    text, problem = WEAPONS[weapon]
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    wanted = f"larger than {LIMIT:,} bytes" if len(text) > LIMIT else problem
    refused([command, str(path)], capsys, str(path), wanted)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("weapon", WEAPONS)
def test_a_change_that_is_a_weapon_is_refused_too(weapon: str, tmp_path: Path, capsys: Capture) -> None:
    refused(
        ["search", "--set", f"search.epochs={WEAPONS[weapon][0]}"], capsys, "--set search.epochs", WEAPONS[weapon][1]
    )


LONG = "y" * 100_000
SHOWN_SHORT = {
    "no key and value": LONG,
    "a key": f"{LONG}=1",
    "a key of a section": f"search.{LONG}=1",
    "a key below a value": f"search.epochs.{LONG}=1",
    "a key of many names": f"{'a.' * 50_000}b=1",
    "a number": f"search.epochs={LONG}",
    "a name of a method": f"method.name={LONG}",
    "a name of a splitter": f"split.splitter={LONG}",
    "a section": f"search={LONG}",
    "a list": f"search.epochs=[{'y, ' * 50_000}]",
    "a mapping": f"search.epochs={{{LONG}: 1}}",
    "a space": f"space.name={LONG}",
    "a short one of a space": f"space.name={LONG[:4000]}",
    "operations": f"space.ops=[{LONG}, {LONG}]",
    "twice an operation": f"space.ops=[{'none, ' * 20_000}]",
    "choices": f"split.choice=[{LONG}]",
    "too many choices": f"split.choice=[{'3<-0, ' * 20_000}]",
    "images": f"data.name={LONG}",
    "a short one of images": f"data.name={LONG[:4000]}",
    "a folder of images": f"data.name=/{LONG[:4000]}",
    "a device": f"device={LONG}",
    "a short one of a device": f"device={LONG[:4000]}",
    "a table": f"benchmark={LONG}",
}


@pytest.mark.parametrize("what", SHOWN_SHORT)
def test_a_long_value_is_shown_short(what: str, tmp_path: Path, capsys: Capture) -> None:
    refused(["search", "--set", SHOWN_SHORT[what], "--out", str(tmp_path / "run"), *HERE], capsys)


@pytest.mark.parametrize("change", [f"sharing.pattern='[{LONG[:4000]}'", f"sharing.pattern={LONG[:4000]}"])
def test_a_long_pattern_is_shown_short(change: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "r.yaml").touch()
    words = ["--set", "sharing.policy=pattern", "--set", change, "--out", str(tmp_path / "run"), *HERE]
    refused(["study", str(tmp_path / "r.yaml"), *words], capsys, "sharing.pattern")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("seed=12:30:45", ["seed", "'12:30:45'"]),
        ("search.epochs=1_000", ["search.epochs", "'1_000'"]),
        ("search.epochs=1e3", ["search.epochs", "1000.0"]),
        ("data.name=2024-13-45", ["data.name", "'2024-13-45'"]),
        ("search.epochs=1000000000000", ["search.epochs", "1000000000"]),
        ("split.splits=1000000000", ["split.splits=1000000000", "6 choices"]),
        ("threads=100000", ["threads", "1024"]),
        ("data.image_size=1000000000", ["data.image_size", "4096"]),
        ("darts=1", ["darts"]),
        ("method.darts=1", ["method.darts"]),
        ("{1: 2}=3", ["{1: 2}"]),
        ("split={1: 2}", ["split.1", "keys should be strings"]),
    ],
)
def test_values_mean_what_they_say_and_counts_have_an_end(
    change: str, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    refused(["search", "--set", change, "--out", str(tmp_path / "run"), *HERE], capsys, *words)


def test_numbers_of_yaml_1_2_are_numbers() -> None:
    recipe = load_recipe(None, ["method.learning_rate=1e-3", "search.epochs=010", "data.flip=no", "data.name=no"], {})
    assert (recipe.method.learning_rate, recipe.search.epochs, recipe.data.flip) == (0.001, 10, False)
    assert recipe.data.name == "no"


def test_a_change_of_one_key_leaves_what_has_the_same_value_by_an_alias(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("training: &both {batch_size: 9}\nlooks: *both\n", encoding="utf-8")
    recipe = read_study(str(path), None, ["training.batch_size=5"], {})
    assert (recipe.training.batch_size, recipe.looks.batch_size) == (5, 9)


@pytest.mark.parametrize("name", ["1e5", "12:30:45", "0o17", "yes", "null", "1_000", "größer", "a\nb", ".inf"])
def test_names_that_look_like_something_else_survive_a_recipe_that_is_written(name: str, tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"data": {"name": name}})
    write_bytes(tmp_path / "recipe.yaml", written(recipe.model_dump(mode="json")).encode())
    assert load_recipe(tmp_path / "recipe.yaml", (), {}) == recipe
    study = read_study("table1/alone", "tiny", (), {"data.name": name})
    write_bytes(tmp_path / "study.yaml", as_yaml(study).encode())
    assert read_study(str(tmp_path / "study.yaml"), None, (), {}) == study


RECIPE = "space: {channels: 3}  # größer\ndata: {name: größer}\nseed: 7\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"])
def test_a_recipe_is_read_as_yaml_says_whatever_it_is_encoded_in(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(RECIPE.encode(encoding))
    recipe = load_recipe(path, (), {})
    assert (recipe.space.channels, recipe.data.name, recipe.seed) == (3, "größer", 7)


def test_a_recipe_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"seed: 7\n" + RECIPE.encode("latin-1"))
    with pytest.raises(UserError, match=r"recipe\.yaml: line 2 is not text \(byte 0xf6 is not UTF-8\)"):
        load_recipe(path, (), {})


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_the_locale_changes_nothing_of_what_is_read(locale: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(RECIPE.encode())
    (tmp_path / "t.csv").write_bytes("\ufeffarch,größe\na,1\n".encode())
    script = (
        "from pathlib import Path; from cleave.config import load_recipe; from cleave.csv_file import read_rows;"
        "print(ascii((load_recipe(Path('recipe.yaml'), (), {}).data.name, read_rows(Path('t.csv'))[0])))"
    )
    environment = {**os.environ, "LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ascii(("größer", ["arch", "größe"]))


def test_a_recipe_may_come_through_a_pipe(tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.write(sink, RECIPE.encode())
    os.close(sink)
    try:
        assert load_recipe(Path(f"/dev/fd/{source}"), (), {}).seed == 7
    finally:
        os.close(source)
