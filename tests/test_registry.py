"""A new kind is one file: it is named in recipes, checked, explained and run as those of cleave are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import torch
from pydantic import Field
from torch import Tensor

from cleave.config import load_recipe
from cleave.data.bundled import read_bundled
from cleave.data.images import Images
from cleave.data.images import Part as ImagePart
from cleave.data.sources import source
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.method import METHODS, Method, gates_from, method
from cleave.method.base import Evaluate, StepContext
from cleave.method.rsps import Rsps, RspsSettings
from cleave.net import Gates
from cleave.registry import Registry
from cleave.resolve import resolve
from cleave.search.runner import start
from cleave.settings import MethodSettings, Recipe, SplitSettings
from cleave.space import Arch, Space, find_space
from cleave.split import Split
from cleave.split.similarity import Gradients, cosine, similarity
from cleave.split.splitters import Random, SplitRequest, splittable, splitter
from tests.registries import as_they_were

TINY = [
    "space.ops=[none, skip_connect, nor_conv_1x1]", "data.limit=64", "data.image_size=8", "space.channels=2",
    "search.batch_size=32", "search.epochs=1", "trust.control=1", "trust.panel=2", "split.batches=1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    with as_they_were():
        yield


def searched(folder: Path, *changes: str) -> dict[str, Any]:
    return start(load_recipe(None, [*TINY, *changes], {}), folder / "run", Callback())


class EvenSettings(MethodSettings):
    """Settings of the method below."""

    name: Literal["even"] = "even"
    heat: Annotated[float, Field(gt=0)] = 1.0


class Even(Method):
    """All candidates with the same weight."""

    def gates(self, context: StepContext) -> Gates:
        weights = {choice: torch.full((len(names),), 1 / len(names)) for choice, names in self.region.allowed.items()}
        return gates_from(weights, self.region)

    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        return self.space.sample(self.region, generator)

    @classmethod
    def refuses(cls, settings: EvenSettings, space: Space) -> str | None:
        return None if space.tabulated else "needs a table of accuracies"


def test_a_method_of_ones_own_is_searched_with_and_its_settings_are_in_the_recipe(tmp_path: Path) -> None:
    method(EvenSettings, "level")(Even)
    outcome = searched(tmp_path, "method.name=Level", "method.heat=2", "split.splits=1")
    assert outcome["method"] == "even"
    assert len(outcome["leaves"]) == 2
    assert "name: even\n  heat: 2.0" in (tmp_path / "run" / "recipe.yaml").read_text()


def test_its_keys_are_checked_as_those_of_other_methods() -> None:
    method(EvenSettings)(Even)
    with pytest.raises(UserError, match=r"^method\.heat: .*greater than 0"):
        load_recipe(None, ["method.name=even", "method.heat=-1"], {})
    with pytest.raises(UserError, match=r"^method\.heat: has no meaning with this method\.name"):
        load_recipe(None, ["method.heat=1"], {})
    with pytest.raises(UserError, match=r"^method\.heet: unknown key; did you mean method\.heat\?"):
        load_recipe(None, ["method.heet=1"], {})
    with pytest.raises(UserError, match=r"^method\.name: unknown 'evan'; did you mean 'even'\?"):
        load_recipe(None, ["method.name=evan"], {})


def test_a_recipe_with_it_is_read_again_as_it_was_written() -> None:
    method(EvenSettings)(Even)
    recipe = load_recipe(None, ["method.name=even", "method.heat=3"], {})
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_a_method_that_asks_for_what_a_space_cannot_give_is_refused_in_one_line() -> None:
    method(EvenSettings)(Even)
    recipe = load_recipe(None, ["method.name=even", "space.name=cells64"], {})
    with pytest.raises(UserError, match=r"^method\.name=even: needs a table of accuracies; .* than cells64$"):
        resolve(recipe, find_space("cells64"))


def test_a_method_that_shares_nothing_plans_its_own_passes(tmp_path: Path) -> None:
    """What is asked of random search is asked of facts, which another method may have too."""

    class LonelySettings(RspsSettings):
        name: Literal["lonely"] = "lonely"  # type: ignore[assignment]

    @method(LonelySettings)
    class Lonely(Rsps):
        alone = True

        @staticmethod
        def epochs_each(settings: LonelySettings) -> int:
            return 2

        @staticmethod
        def evaluated(settings: LonelySettings, batches: int) -> int:
            return settings.samples * batches

    changes = ["method.name=lonely", "method.samples=3", "method.rejects=false", "split.splitter=none"]
    outcome = searched(tmp_path, *changes)
    assert outcome["cost"]["weight_steps"] == 3 * 2 * 1  # architectures, epochs, steps
    _, notes = resolve(load_recipe(None, [*changes, "split.enable=own"], {}), find_space("nasbench201"))
    assert notes == ["split.enable has no meaning with split.splitter=none; it is not used"]
    with pytest.raises(UserError, match=r"compile=true: method\.name=lonely runs another path"):
        resolve(load_recipe(None, [*changes, "compile=true"], {}), find_space("nasbench201"))


class HalfSettings(SplitSettings):
    """Settings of the splitter below."""

    backwards: bool = False


def test_a_splitter_of_ones_own_has_settings_and_facts(tmp_path: Path) -> None:
    @splitter("halves", "half")
    class Halves(Random):
        settings_class = HalfSettings
        splits = 1

        def split(self, situation: SplitRequest) -> Split:
            choice = splittable(situation)[0]
            names = situation.region.allowed[choice]
            return Split(choice, names, (names[:1], names[1:]))

    outcome = searched(tmp_path, "split.splitter=half", "split.backwards=true", "method.name=rsps", "method.samples=2")
    assert outcome["splitter"] == "halves"
    assert [split["groups"] for split in outcome["splits"]] == [[["none"], ["skip_connect", "nor_conv_1x1"]]]
    with pytest.raises(UserError, match=r"split\.backwards: has no meaning with this split\.splitter"):
        load_recipe(None, ["split.backwards=true"], {})
    _, notes = resolve(load_recipe(None, ["split.splitter=halves", "split.similarity=l2"], {}), find_space("cells64"))
    assert notes == ["split.similarity has no meaning with split.splitter=halves; it is not used"]


def test_a_criterion_of_ones_own_is_measured_but_does_not_race(tmp_path: Path) -> None:
    asked = []

    @similarity("twice")
    def twice(gradients: Gradients) -> Tensor:
        asked.append(len(gradients))
        return 2 * cosine(gradients)

    searched(tmp_path, "split.similarity=twice", "split.splits=1")
    assert asked
    recipe = load_recipe(None, ["split.similarity=twice", "split.batches=64"], {})
    assert resolve(recipe, find_space("nasbench201"))[0].split.rule == "exact"
    with pytest.raises(UserError, match=r"split\.rule=race: split\.similarity=twice has no common measure"):
        resolve(load_recipe(None, ["split.similarity=twice", "split.batches=64", "split.rule=race"], {}), SPACE)


SPACE = find_space("nasbench201")


def test_a_source_of_ones_own_is_named_like_any_other(tmp_path: Path) -> None:
    @source("my-clothes")
    def read(root: Path, part: ImagePart) -> Images:
        images = read_bundled(part)
        return replace(images, pixels=255 - images.pixels)

    searched(tmp_path, "data.name=My Clothes", "split.splitter=none")


def test_settings_without_a_name_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"method Even: its settings, MethodSettings, have no name, as in name: Literal"
    ):
        method(MethodSettings)(Even)


def test_a_class_under_two_names_is_refused() -> None:
    with pytest.raises(UserError, match=r"split\.splitter: Random is registered as 'random' and as 'chance'; give it"):
        splitter("chance")(Random)


def test_a_name_that_is_registered_again_is_the_later_kind() -> None:
    kinds: Registry[type] = Registry("kind")
    kinds.register("a", int)
    kinds.register("a", str)
    assert kinds.find("A") is str


def test_an_alias_is_of_one_name() -> None:
    kinds: Registry[type] = Registry("kind")
    kinds.register("whole", int, "w")
    with pytest.raises(UserError, match="kind: 'w' means 'whole' already"):
        kinds.register("word", str, "W")
    assert set(kinds) == {"whole"}


def test_all_methods_of_cleave_are_there() -> None:
    assert set(METHODS) == {
        "darts",
        "darts2",
        "snas",
        "gdas",
        "drnas",
        "proxyless",
        "rsps",
        "random",
        "sandwich",
        "subnets",
        "shrinking",
    }
