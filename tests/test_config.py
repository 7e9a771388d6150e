"""Recipes from files, `key=value` changes and flags; errors that begin with the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cleave.config import known_keys, load_recipe, parse_change, put
from cleave.errors import UserError
from cleave.method import ProxylessSettings, ShrinkingSettings
from cleave.method.darts import DartsSettings
from cleave.method.rsps import RspsSettings
from cleave.settings import Recipe
from cleave.space.ofa import OfaSettings
from cleave.space.timm_networks import TimmSettings

NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
VALUES = st.one_of(st.integers(), st.booleans(), st.text("abc xyz"), st.lists(st.integers(), max_size=3))


def refusal(*changes: str) -> str:
    with pytest.raises(UserError) as error:
        load_recipe(None, changes, {})
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_anything_the_recipe_is_the_default_one() -> None:
    assert load_recipe(None, (), {}) == Recipe()


def test_flags_go_before_changes_and_changes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("seed: 1\nsearch: {epochs: 11, batch_size: 12}\nspace:\n  channels: 13\n")
    recipe = load_recipe(path, ["seed=2", "search.epochs=21"], {"seed": 3, "data.name": None})
    assert (recipe.seed, recipe.search.epochs, recipe.search.batch_size, recipe.space.channels) == (3, 21, 12, 13)
    assert recipe.data == Recipe().data


def test_an_empty_file_is_the_default_recipe(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing but a comment\n")
    assert load_recipe(tmp_path / "empty.yaml", (), {}) == Recipe()


@given(
    st.sampled_from([DartsSettings(learning_rate=0.3), RspsSettings(samples=7)]),
    st.integers(0, 2**63 - 1),
    st.one_of(st.none(), st.integers(2, 9), st.lists(st.integers(2, 9), max_size=4)),
    st.floats(1e-9, 1e9),
)
def test_a_recipe_that_is_written_as_yaml_is_read_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory,
    method: DartsSettings | RspsSettings,
    seed: int,
    branch: int | list[int] | None,
    seconds: float,
) -> None:
    default = Recipe()
    split = default.split.model_copy(update={"branch": branch})
    search = default.search.model_copy(update={"checkpoint_seconds": seconds})
    recipe = default.model_copy(update={"method": method, "seed": seed, "split": split, "search": search})
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert load_recipe(path, (), {}) == recipe


@given(st.lists(NAMES, min_size=1, max_size=4), VALUES)
def test_a_dotted_key_is_put_where_its_names_lead(names: list[str], value: object) -> None:
    raw: dict[str, Any] = {}
    put(raw, ".".join(names), value)
    for name in names:
        assert list(raw) == [name]
        raw = raw[name]
    assert raw == value


@given(NAMES, VALUES)
def test_a_change_is_a_key_and_a_yaml_value(key: str, value: object) -> None:
    assert parse_change(f"{key}={yaml.safe_dump(value, default_flow_style=True)}") == (key, value)


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_change("data.name=/a=b") == ("data.name", "/a=b")


@pytest.mark.parametrize("change", ["search.epochs", "=3", ""])
def test_a_change_that_is_not_key_and_value_says_how_to_write_one(change: str) -> None:
    assert f"--set {change!r}: write key=value" in refusal(change)


@pytest.mark.parametrize("value", ["[", "{a: ", "'", "!!int x", "[" * 5000])
def test_a_value_that_is_no_yaml_is_refused_by_its_key(value: str) -> None:
    assert refusal(f"data.name={value}").startswith("--set data.name: ")


@pytest.mark.parametrize(
    "spelling", ["gradient-matching", "GM", "Gradient", "gradient_matching", "one-shot", "Few-Shot", "exhaustive"]
)
def test_splitters_go_by_their_usual_names(spelling: str) -> None:
    wanted = {"g": "gradient", "o": "none", "f": "exhaustive", "e": "exhaustive"}[spelling[0].lower()]
    assert load_recipe(None, [f"split.splitter={spelling}"], {}).split.splitter == wanted


def test_a_method_is_found_by_name_with_its_own_keys_and_defaults() -> None:
    recipe = load_recipe(None, ["method.name=RSPS", "method.samples=5"], {})
    assert recipe.method == RspsSettings(samples=5)
    assert isinstance(load_recipe(None, ["method.learning_rate=1e-3"], {}).method, DartsSettings)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epochs", "search.epochs"),
        ("epoch", "search.epochs"),
        ("serach.epochs", "search"),
        ("search.epcohs", "search.epochs"),
        ("data.nme", "data.name"),
        ("space.nme", "space.name"),
        ("method.nme", "method.name"),
        ("split.warm_up_epochs", "split.warmup_epochs"),
        ("sede", "seed"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(key: str, meant: str) -> None:
    given_first = key.partition(".")[0] if meant == "search" else key
    assert refusal(f"{key}=3") == f"{given_first}: unknown key; did you mean {meant}?"


def test_a_key_like_no_other_comes_with_those_of_its_section() -> None:
    message = refusal("search.zzzz=1")
    assert "search.zzzz" in message
    assert "search.batch_size" in message
    assert "space" not in message


def test_a_key_of_another_method_is_no_unknown_key() -> None:
    assert refusal("method.samples=5").startswith("method.samples: has no meaning with this method.name")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("search.epochs=three", "search.epochs"),
        ("search.statistics=median", "search.statistics"),
        ("search.calibration_images=1", "search.calibration_images"),
        ("search.calibration_batch_size=1", "search.calibration_batch_size"),
        ("search.forgetting=[]", "search.forgetting"),
        ("search.forgetting=[[5, 0.9], [10, 0]]", "search.forgetting.1.1"),
        ("search.forgetting=[[5, 0.9, 1]]", "search.forgetting.0"),
        ("search.epochs=yes", "search.epochs"),
        ("search.epochs=2.0", "search.epochs"),
        ("search.epochs=0", "search.epochs"),
        ("search.epochs.deeper=1", "search.epochs"),
        ("split.branch=1", "split.branch"),
        ("split.branch=two", "split.branch"),
        ("split.branch=[2, x]", "split.branch.1"),
        ("space.ops=1.5", "space.ops"),
        ("space.ops=[1]", "space.ops.0"),
        ("split.choice=3", "split.choice"),
        ("split={splitter: metric, metric: heat}", "split.metric"),
        ("split={splitter: metric, completions: 0}", "split.completions"),
        ("split={splitter: dimension, neighbours: 1}", "split.neighbours"),
        ("split.metric=macs", "split.metric"),
        ("split.splitter=gradent", "split.splitter"),
        ("method.name=dart", "method.name"),
        ("method.learning_rate=.nan", "method.learning_rate"),
        ("method.learning_rate=-1", "method.learning_rate"),
        ("method.architecture_betas=[0.5]", "method.architecture_betas.1"),
        ("data.train_fraction=1", "data.train_fraction"),
        ("data.image_size=4", "data.image_size"),
        ("seed=-1", "seed"),
        ("seed=9223372036854775808", "seed"),
        ("search=3", "search"),
        ("search=", "search"),
        ("method=darts", "method"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_begins_with_its_key(change: str, key: str) -> None:
    assert refusal(change).startswith(f"{key}: ")


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    assert "did you mean 'gradient'?" in refusal("split.splitter=gradent")
    assert "did you mean 'darts'?" in refusal("method.name=dart")


def test_nothing_can_be_set_below_a_plain_value_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("search: 3\n")
    with pytest.raises(UserError, match=r"^search\.epochs: search holds 3 in the recipe"):
        load_recipe(tmp_path / "recipe.yaml", ["search.epochs=1"], {})


def test_the_known_keys_are_those_of_a_written_recipe() -> None:
    written = Recipe().model_dump(mode="json")
    dotted = {f"{section}.{key}" for section, keys in written.items() if isinstance(keys, dict) for key in keys}
    others = {f"method.{key}" for key in ("epochs_each", "temperature", "temperature_min")}
    others |= {f"method.{key}" for key in RspsSettings.model_fields} - dotted
    others |= {f"method.{key}" for key in ProxylessSettings.model_fields} - dotted
    others |= {f"method.{key}" for key in ShrinkingSettings.model_fields} - dotted
    others |= {"space.width", "space.backbone"}  # of MobileNet
    others |= {f"space.{key}" for key in OfaSettings.model_fields} - dotted
    others |= {"space.derivation", "space.split_cells", "space.stem"}  # of DARTS
    others |= {f"space.{key}" for key in TimmSettings.model_fields} - dotted
    others |= {"split.neighbours", "split.metric", "split.completions", "split.thresholds"}
    known = set(known_keys(Recipe))
    assert known == {*written, *dotted, *others}
    assert {key for key in known if "." not in key} == set(written)
