"""Recipes of studies, from files and from names: what is written reads back equal, and what changes wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleave.errors import UserError
from cleave.study.record.catalogue import BUDGETS, ENTRIES, at_budget
from cleave.study.record.recipes import as_yaml, read
from cleave.study.record.settings import StudyRecipe


def runnable(budget: str) -> list[str]:
    return [entry.name for entry in at_budget(list(ENTRIES.values()), budget)]


@pytest.mark.parametrize("budget", BUDGETS)
def test_what_is_written_reads_back_equal(budget: str, tmp_path: Path) -> None:
    for number, name in enumerate(runnable(budget)):
        recipe = read(name, budget, (), {})
        file = tmp_path / f"{number}.yaml"
        file.write_text(as_yaml(recipe))
        assert read(str(file), None, (), {}) == recipe, name


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert read(str(tmp_path / "empty.yaml"), None, (), {}) == StudyRecipe()


def test_changes_win_over_the_recipe_and_flags_over_changes(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("seed: 1\ntraining: {epochs: 3, order: iid}\n")
    found = read(str(tmp_path / "mine.yml"), None, ["training.epochs=4", "seed=2"], {"seed": 3, "device": None})
    assert (found.seed, found.training.epochs, found.training.order) == (3, 4, "iid")
    assert found.training.momentum == StudyRecipe().training.momentum
    named = read("table1/orders", "tiny", ["training.order=iid"], {"data.name": "cifar10"})
    assert (named.training.order, named.data.name, named.vary) == ("iid", "cifar10", "order")


@pytest.mark.parametrize("name", ["table1/seeds", "Table1-Seeds", "TABLE1 seeds", "table1seeds"])
def test_a_name_may_be_written_in_other_ways(name: str) -> None:
    assert read(name, "small", (), {}) == read("table1/seeds", "small", (), {})


@pytest.mark.parametrize(
    ("recipe", "budget", "changes", "words"),
    [
        ("table1/sedes", "small", [], r"study: unknown 'table1/sedes'; did you mean 'table1/seeds'"),
        ("table1/seeds", "huge", [], r"--budget huge: is none of tiny, small, paper"),
        ("nowhere.yaml", None, [], r"nowhere\.yaml: cannot be read"),
        ("nowhere.yaml", "small", [], r"--budget small: is of a study by name"),
        (None, "paper", [], r"--budget paper: is of a study by name"),
        ("table1/seeds", "small", ["trainig.epochs=3"], r"trainig.*training"),
        ("table1/seeds", "small", ["training.epoch=3"], r"training\.epoch.*epochs"),
        ("table1/seeds", "small", ["training.epochs=0"], r"training\.epochs"),
        ("table1/seeds", "small", ["training.order=random"], r"training\.order"),
        ("table1/seeds", "small", ["sharing.policy=some"], r"sharing\.policy"),
        ("table1/seeds", "small", ["looks.statistics=[]"], r"looks\.statistics"),
        ("table1/seeds", "small", ["looks.statistics=[trackd]"], r"looks\.statistics"),
        ("table1/seeds", "small", ["norm.momentum=0"], r"norm\.momentum"),
        ("table1/seeds", "small", ["data.train_fraction=1"], r"data\.train_fraction"),
        ("table1/seeds", "small", ["tune.epochs=[0]"], r"tune\.epochs"),
        ("table1/seeds", "small", ["training.epochs"], r"--set 'training\.epochs': write key=value"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(
    recipe: str | None, budget: str | None, changes: list[str], words: str
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        read(recipe, budget, changes, {})
    assert "\n" not in str(refused.value)
