"""What was left open is filled in; what contradicts is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleave.config import checked
from cleave.errors import UserError
from cleave.method import Darts
from cleave.resolve import resolve, resolve_benchmark, resolve_data, resolve_device
from cleave.search.work import nodes_at
from cleave.settings import Recipe
from cleave.space import Choice, find_space
from tests.toys import ToyMobileNet

SPACE = find_space("nasbench201")
CHOICES = [choice.name for choice in SPACE.choices]


def recipe(**sections: object) -> Recipe:
    return checked(Recipe, sections)


def resolved_split(**split: object) -> dict[str, Any]:
    return resolve(recipe(split=split), SPACE)[0].split.model_dump()


def refusal(**split: object) -> str:
    with pytest.raises(UserError) as error:
        resolve(recipe(split=split), SPACE)
    return str(error.value)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of `split` that do not contradict each other."""
    levels = draw(st.integers(1, 6))
    splitter = draw(st.sampled_from(["none", "exhaustive", "random", "gradient"]))
    given_choices = draw(st.permutations(CHOICES))[:levels]
    choices = ["random", given_choices] + ["lowest"] * (splitter == "gradient")
    return {
        "splitter": splitter,
        "splits": levels,
        "branch": draw(st.one_of(st.integers(2, 5), st.lists(st.integers(2, 5), min_size=levels, max_size=levels))),
        "choice": draw(st.sampled_from(choices)),
        "batches": draw(st.integers(1, 9)),
        "restart": draw(st.booleans()),
    }


@given(splits(), st.sampled_from(["cpu", "auto"]))
def test_resolving_twice_changes_nothing_and_has_no_more_to_note(split: dict[str, Any], device: str) -> None:
    once, _ = resolve(recipe(split=split, device=device), SPACE)
    again, notes = resolve(once, SPACE)
    assert again == once
    assert [note for note in notes if "splits" in note or "branch" in note] == []


@given(splits())
def test_there_is_a_branching_factor_for_every_level(split: dict[str, Any]) -> None:
    found = resolved_split(**split)
    if found["splitter"] in ("random", "gradient"):
        assert len(found["branch"]) == found["splits"] == split["splits"]
        assert split["branch"] in (found["branch"], found["branch"][0])
    else:
        assert found["branch"] is None
        assert found["splits"] == (0 if found["splitter"] == "none" else split["splits"])


def test_the_default_is_two_splits_in_two_at_the_lowest_cut() -> None:
    found = resolved_split()
    assert (found["splitter"], found["splits"], found["branch"], found["choice"]) == ("gradient", 2, [2, 2], "lowest")


@pytest.mark.parametrize(("splitter", "levels", "choice"), [("exhaustive", 1, "random"), ("random", 2, "random")])
def test_other_splitters_have_defaults_of_their_own(splitter: str, levels: int, choice: str) -> None:
    found = resolved_split(splitter=splitter)
    assert (found["splits"], found["choice"]) == (levels, choice)


def test_no_splits_at_all_is_one_network_for_the_whole_space() -> None:
    assert (resolved_split(splits=0)["branch"], resolved_split(splits=0)["choice"]) == ([], None)
    assert resolved_split(splitter="none")["splits"] == 0


def test_one_choice_by_name_is_a_list_of_one() -> None:
    assert resolved_split(splits=1, choice="2<-1")["choice"] == ["2<-1"]


@pytest.mark.parametrize(
    ("key", "value", "splitter"),
    [
        ("similarity", "l2", "random"),
        ("branch", 3, "exhaustive"),
        ("splits", 2, "none"),
        ("restart", False, "none"),
        ("similarity", "l2", "output"),
        ("shared", "body", "dimension"),
        ("batches", 8, "metric"),
        ("rule", "race", "nonlinearity"),
        ("branch", 3, "parametric"),
    ],
)
def test_a_key_without_meaning_is_noted_and_not_fatal(key: str, value: object, splitter: str) -> None:
    _, notes = resolve(recipe(split={"splitter": splitter, key: value}), SPACE)
    assert [note.split()[0] for note in notes] == [f"split.{key}"]
    assert resolve(recipe(split={"splitter": splitter}), SPACE)[1] == []


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"splits": 7}, ["split.splits=7", "only 6 choices"]),
        ({"branch": 6}, ["split.branch=6", "only 5 candidates"]),
        ({"splits": 2, "branch": [2, 6]}, ["split.branch=6"]),
        ({"splits": 3, "branch": [2, 2]}, ["split.branch", "split.splits=3"]),
        ({"choice": "lowest", "splitter": "random"}, ["split.choice=lowest", "split.splitter=gradient"]),
        ({"choice": ["3<-0", "3<-9"]}, ["split.choice", "'3<-9'", "did you mean"]),
        ({"choice": ["3<-0", "3<-0"]}, ["split.choice", "different"]),
        ({"choice": "3<-0", "splits": 2}, ["split.choice", "2 different choices"]),
        (
            {"splitter": "dimension", "neighbours": 64},
            ["split.splitter=dimension", "split.neighbours=64"],
        ),
        ({"splitter": "parametric", "splits": 7}, ["split.splits=7", "only 6 choices"]),
    ],
)
def test_a_contradiction_is_named(split: dict[str, Any], words: list[str]) -> None:
    message = refusal(**split)
    assert all(word in message for word in words), message


def test_what_has_weights_is_divided_from_what_has_none_only_where_there_is_both() -> None:
    space = find_space("mobilenet-proxyless")
    kept = [choice.name for choice in space.choices if "zero" in choice.candidates]
    found = resolve(recipe(space={"name": space.name}, split={"splitter": "parametric"}), space)[0]
    assert (found.split.splits, found.split.branch, nodes_at(found, space, 2)) == (2, None, 4)
    for split, words in (
        ({"choice": "block1", "splits": 1}, r"split\.choice: unknown 'block1'"),
        ({"splits": len(kept) + 1}, f"has only {len(kept)} choices to split"),
    ):
        with pytest.raises(UserError, match=words):
            resolve(recipe(space={"name": space.name}, split={"splitter": "parametric", **split}), space)
    six = find_space("mobilenet-proxyless", 6)
    with pytest.raises(UserError, match=r"^split\.splitter=parametric: at no choice of mobilenet-proxyless do some"):
        resolve(recipe(space={"name": six.name, "ops": 6}, split={"splitter": "parametric"}), six)


def test_fewer_operations_allow_fewer_parts() -> None:
    few = find_space("nasbench201", ["none", "skip_connect", "nor_conv_1x1"])
    assert resolve(recipe(split={"branch": 3}), few)[0].split.branch == [3, 3]
    with pytest.raises(UserError, match=r"split\.branch=4: .* only 3 candidates"):
        resolve(recipe(split={"branch": 4}), few)


def test_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    found = resolve_data(recipe(data={"name": "pictures", "root": "~/sets"}).data)
    assert found == {"name": str(tmp_path / "pictures"), "root": str(tmp_path / "sets"), "limit": 4000}
    whole, _ = resolve(recipe(benchmark="table.npz"), SPACE)
    assert whole.benchmark == str(tmp_path / "table.npz")


@pytest.mark.parametrize("name", ["bundled", "CIFAR-10"])
def test_a_data_sets_name_comes_before_a_folder_of_that_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert resolve_data(recipe(data={"name": name}).data)["name"] == name
    assert resolve_data(recipe(data={"name": f"./{name}"}).data)["name"] == str(tmp_path / name)


def test_the_data_root_is_the_given_one_or_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEAVE_DATA", str(tmp_path / "environment"))
    assert resolve_data(Recipe().data)["root"] == str(tmp_path / "environment")
    assert resolve_data(recipe(data={"root": str(tmp_path / "given")}).data)["root"] == str(tmp_path / "given")
    monkeypatch.delenv("CLEAVE_DATA")
    assert resolve_data(Recipe().data)["root"] is None


def test_the_imported_table_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "table.npz"))
    assert resolve(Recipe(), SPACE)[0].benchmark is None
    (tmp_path / "table.npz").touch()
    assert resolve(Recipe(), SPACE)[0].benchmark == str(tmp_path / "table.npz")


@pytest.mark.parametrize("device", ["abacus", "cpu:x", "mps", "meta", f"cuda:{torch.cuda.device_count()}"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(UserError, match=r"^device"):
        resolve_device(device)


def test_auto_is_the_device_that_is_there() -> None:
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == "cpu"


class Uneven(ToyMobileNet):
    """One choice that can be split, two that cannot."""

    def __init__(self) -> None:
        super().__init__()
        first, *rest = self.choices
        self.choices = (first, *(Choice(each.name, each.candidates[:1]) for each in rest))


@pytest.mark.parametrize("splitter", ["gradient", "random", "exhaustive"])
def test_a_space_that_runs_out_of_choices_to_split_is_told_so_before_anything_runs(splitter: str) -> None:
    with pytest.raises(UserError, match=r"split\.splits=2: only 1 choices of toymobilenet have 2 candidates"):
        resolve(Recipe.model_validate({"split": {"splitter": splitter, "splits": 2}}), Uneven())
    with pytest.raises(UserError, match=r"split\.branch=2: a choice of toymobilenet has only 1 candidates"):
        resolve(Recipe.model_validate({"split": {"splitter": splitter, "choice": "layer1", "splits": 1}}), Uneven())


def test_a_list_of_branching_factors_says_how_many_splits_there_are() -> None:
    assert resolved_split(branch=[2, 3, 2])["splits"] == 3


def test_a_table_belongs_to_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An imported table is no reason for a search on another space to fail, and a given one is named at once."""
    (tmp_path / "table.npz").touch()
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "table.npz"))
    assert resolve(Recipe(), ToyMobileNet())[0].benchmark is None
    assert resolve(Recipe(), find_space("nasbench201"))[0].benchmark == str(tmp_path / "table.npz")
    with pytest.raises(UserError, match="toymobilenet has no table"):
        resolve(Recipe(benchmark="table.npz"), ToyMobileNet())


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"search": {"anneal": "path"}, "split": {"restart": False}}, "search.anneal=path"),
        ({"search": {"anneal": "path"}, "split": {"splitter": "none"}}, "search.anneal=path"),
        ({"method": {"name": "rsps"}, "split": {"enable": "own"}}, "split.enable=own"),
        ({"split": {"splitter": "random", "warmup_learning_rate": 0.1}}, "split.warmup_learning_rate has no meaning"),
        ({"split": {"splitter": "none", "warmup_epochs": 3}}, "split.warmup_epochs has no meaning"),
        ({"split": {"splitter": "random", "warmup_epochs": 3}}, "split.warmup_epochs has no meaning"),
        ({"split": {"splitter": "metric", "warmup_epochs": 3}}, "split.warmup_epochs has no meaning"),
    ],
)
def test_keys_that_mean_nothing_together_are_noted(sections: dict[str, Any], key: str) -> None:
    notes = resolve(Recipe.model_validate(sections), find_space("nasbench201"))[1]
    assert [note for note in notes if note.startswith(key)]


@pytest.mark.parametrize(
    "sections",
    [
        {"split": {"splitter": "gradient", "warmup_epochs": 3}},
        {"split": {"splitter": "metric", "metric": "gradient-norm", "warmup_epochs": 3}},
        {"split": {"splitter": "random", "warmup_epochs": 3, "restart": False}},
        {"split": {"splitter": "random", "warmup_epochs": 3}, "search": {"anneal": "path"}},
        {"split": {"splitter": "none", "warmup_epochs": 3, "warmup_learning_rate": 0.1}},
    ],
)
def test_a_warm_up_that_does_something_is_not_noted(sections: dict[str, Any]) -> None:
    assert resolve(Recipe.model_validate(sections), find_space("nasbench201"))[1] == []


@pytest.mark.parametrize(
    ("search", "meant", "noted"),
    [
        ({}, ("batch", None, None), []),
        ({"calibration_images": 9, "calibration_batch_size": 9}, ("batch", None, None), ["_images", "_batch_size"]),
        ({"statistics": "mean", "calibration_batch_size": 9}, ("mean", 2000, None), []),
        ({"statistics": "mean", "forgetting": [[1, 0.5]]}, ("mean", 2000, None), ["forgetting"]),
        ({"statistics": "Forgetting"}, ("forgetting", None, [(5, 0.9), (10, 0.1)]), []),
        ({"statistics": "forgetting", "forgetting": [[1, 0.5]]}, ("forgetting", None, [(1, 0.5)]), []),
    ],
)
def test_statistics_are_resolved_and_what_says_nothing_of_them_is_noted(
    search: dict[str, Any], meant: tuple[object, ...], noted: list[str]
) -> None:
    resolved, notes = resolve(recipe(search=search), SPACE)
    found = resolved.search
    assert (found.statistics, found.calibration_images, found.forgetting) == meant
    assert len(notes) == len(noted)
    assert all(f"{key} has no meaning with search.statistics={meant[0]}" in " ".join(notes) for key in noted)
    assert resolve(resolved, SPACE)[0] == resolved


def test_statistics_are_those_that_the_recipe_then_the_method_then_the_space_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = ToyMobileNet()
    assert resolve(Recipe(), space)[0].search.statistics == "batch"
    monkeypatch.setattr(ToyMobileNet, "statistics", "mean")
    assert resolve(Recipe(), space)[0].search.statistics == "mean"
    monkeypatch.setattr(Darts, "statistics", "forgetting")
    assert resolve(Recipe(), space)[0].search.statistics == "forgetting"
    assert resolve(recipe(search={"statistics": "batch"}), space)[0].search.statistics == "batch"


def test_one_cosine_and_several_contradict() -> None:
    with pytest.raises(UserError, match=r"search\.anneal=path: is of one cosine; leave it out with split\.warmup"):
        resolve(recipe(search={"anneal": "path"}, split={"warmup_learning_rate": 0.1}), SPACE)


def test_random_search_cannot_go_on_with_weights_of_its_parent() -> None:
    for restart in (True, False):
        changed = recipe(split={"splitter": "random", "restart": restart}, method={"name": "random"})
        assert any("split.restart=false" in note for note in resolve(changed, SPACE)[1]) is not restart


def test_random_search_draws_as_many_as_the_epochs_pay_for() -> None:
    for epochs, each, samples in ((7, 1, 7), (7, 2, 3), (2, 2, 1)):
        asked = recipe(search={"epochs": epochs}, method={"name": "random", "epochs_each": each})
        assert resolve(asked, SPACE)[0].method.model_dump()["samples"] == samples
    given = recipe(method={"name": "random", "samples": 5})
    assert resolve(given, SPACE)[0].method.model_dump()["samples"] == 5
    with pytest.raises(UserError, match=r"method\.epochs_each=9: more than search\.epochs=2"):
        resolve(recipe(search={"epochs": 2}, method={"name": "random", "epochs_each": 9}), SPACE)


def test_a_table_that_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"benchmark .*pipe: is no plain file"):
        resolve_benchmark(str(tmp_path / "pipe"), SPACE)


def test_without_a_home_folder_there_is_no_imported_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "CLEAVE_BENCHMARK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 76543)
    assert resolve_benchmark(None, SPACE) is None
    with pytest.raises(UserError, match="the folder that ~ stands for"):
        resolve_benchmark("~/table.npz", SPACE)


def test_the_usual_limit_does_not_hold_beside_a_fraction() -> None:
    assert resolve_data(recipe(data={"fraction": 0.1}).data)["limit"] is None
    assert resolve_data(recipe(data={"fraction": 0.1, "limit": 50}).data)["limit"] == 50
    assert resolve_data(recipe(data={"fraction": None}).data)["limit"] == 4000
