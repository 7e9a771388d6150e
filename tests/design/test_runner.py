"""`cleave design` from beginning to end, with decisions that hang on no clock."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import cleave
from cleave.config import load
from cleave.data.given import of_tensors
from cleave.design import runner as design_runner
from cleave.design import whole
from cleave.design.decide import no_test_part
from cleave.design.job import DesignJob
from cleave.design.ours import FEWEST_JUDGED, TABLE, dealt_alike, evolution_plan
from cleave.design.settings import DesignRecipe
from cleave.design.work import Work
from cleave.engine.engine import Engine
from cleave.engine.job import OnlyTask
from cleave.engine.progress import Callback, Callbacks, following
from cleave.engine.stop import Stop
from cleave.engine.told import pass_on
from cleave.engine.worker_process import Teller
from cleave.run.folder import create
from cleave.run.origin import DESIGN, read_origin
from cleave.run.view import view
from tests.design.still import SMALL, stand_still, write_folder
from tests.pretrained.nets import network, write
from tests.report.parsed import check_page
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]


def designed(images: Path, out: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return cleave.design(data=images, out=out, settings={**SMALL, **changes}, init="new")


def timeless(found: dict[str, Any]) -> dict[str, Any]:
    """An outcome without places and seconds."""
    told = deepcopy(found)
    del told["run"], told["seconds"], told["page"]
    for each in told["networks"]:
        del each["seconds"]
    told["export"] = {key: told["export"][key] for key in ("classes", "formats", "arch")}
    return told


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("images"), {"train": 20, "test": 8})


class After(Stop):
    """Asks to stop when it was asked itself so many times."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self.left = checks

    def check(self) -> None:
        self.left -= 1
        self.requested = self.requested or self.left <= 0
        super().check()


@dataclass
class Parts:
    """A design that was interrupted again and again: its folder, what was said, and what could be exported early."""

    run: Path
    said: list[str]
    early: Path


@pytest.fixture(scope="module")
def parts(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """A few checks further each time; the best so far is exported as soon as there is one."""
    base = tmp_path_factory.mktemp("designs")
    found, checks = Parts(base / "run", [], base / "early"), 3
    with pytest.MonkeyPatch.context() as patch:
        stand_still(patch)
        while not (found.run / "result.json").exists():
            try:
                if found.run.exists():
                    cleave.resume_design(found.run, stop=After(checks))
                else:
                    cleave.design(data=images, out=found.run, settings=SMALL, init="new", stop=After(checks))
            except cleave.Interrupted as error:
                found.said.append(str(error))
                checks *= 8
                if "the best so far" in found.said[-1] and not found.early.exists():
                    cleave.export(found.run, found.early, formats=["plain"])
    return found


@pytest.fixture(scope="module")
def run(parts: Parts) -> Path:
    return parts.run


def test_a_design_is_told_as_a_page_with_its_search_and_its_trainings(run: Path, tmp_path: Path) -> None:
    found = json.loads((run / "result.json").read_text())
    cleave.report(run, tmp_path / "page.html")
    lines = check_page((tmp_path / "page.html").read_text()).lines
    assert lines[0] == f"Design for {found['data']}"
    assert found["verdict"]["test"]["sentence"] in lines
    for number, each in enumerate(found["networks"], start=1):
        chosen = " (chosen)" * (each["name"] == found["chosen"])
        row = lines.index(f"{number} {each['name']}{chosen}")
        figures = f"{each['test']['accuracy']:.2f}", "{:.1f} to {:.1f}".format(*each["test"]["interval"])
        costs = f"{each['multiply_adds']:,}", f"{each['parameters']:,}", f"{each['latency_ms']:.3f}"
        assert tuple(lines[row + 1 : row + 6]) == (*figures, *costs)
    assert {"Splits", "Class by class"} & set(lines)


def test_the_network_to_use_is_the_best_on_held_out_images(run: Path) -> None:
    found = json.loads((run / "result.json").read_text())
    names = [each["name"] for each in found["networks"]]
    assert {"ours 1", "ours from scratch", "test_resnet", "random"} <= set(names)
    assert found["networks"][0]["ours"], "ours is compared with the others"
    held = {each["name"]: each["held_out"]["accuracy"] for each in found["networks"]}
    assert held[found["chosen"]] == max(held.values())
    assert len(found["verdict"]["test"]["comparisons"]) == len(names) - 1
    for each in found["networks"]:
        told = json.loads((run / each["run"] / "result.json").read_text())
        assert (told["held_out"], told["epochs"]) == (each["held_out"], each["epochs"])
        assert each["test"]["accuracy"] == cleave.evaluate(run / each["run"])["accuracy"]
    (exported,) = {each["arch"] for each in found["networks"] if each["name"] == found["chosen"]}
    assert found["export"]["arch"] == exported
    card = json.loads((run / "export" / "card.json").read_text())
    assert card["check"]["images"] == found["scale"]["held_out"]


def test_ours_is_trained_from_the_supernet_and_from_scratch_for_as_long(run: Path) -> None:
    found = {each["name"]: each for each in json.loads((run / "result.json").read_text())["networks"]}
    assert found["ours 1"]["inherited"]["held_out"] is not None
    assert found["ours from scratch"]["inherited"] is None
    assert found["ours 1"]["epochs"] == found["ours from scratch"]["epochs"]
    evolved = json.loads((run / "search" / "evolved.json").read_text())
    assert (
        evolved["best"][0]["arch"] == evolved["arch"] == found["ours 1"]["arch"] == found["ours from scratch"]["arch"]
    )


def test_every_command_knows_a_design(run: Path, capsys: Capture, tmp_path: Path) -> None:
    shown = Ended(["show", str(run)], capsys).out.splitlines()
    resumed = Ended(["resume", str(run)], capsys).out.splitlines()
    page = run / "report.html"
    assert [line for line in resumed if line != f"as a page: {page}"] == shown
    assert page.stat().st_size < 5 * 2**20
    assert any(line.startswith("* ") for line in shown)
    assert shown[-1].startswith("next: cleave predict")
    folder = shown[-1].split()[3]
    image = next((run.parent / "..").resolve().rglob("*.png"))
    assert Ended(["predict", folder, str(image)], capsys).status == 0
    assert Ended(["export", str(run), "--format", "plain", "--out", str(tmp_path / "again")], capsys).status == 0
    told = json.loads(Ended(["show", str(run), "--json"], capsys).out)
    assert json.loads((tmp_path / "again" / "card.json").read_text())["arch"] == told["export"]["arch"]


def test_a_design_goes_on_wherever_it_was_interrupted(parts: Parts) -> None:
    assert len(parts.said) >= 3
    assert all(f"go on with: cleave resume {parts.run}" in line for line in parts.said)
    assert (parts.early / "card.json").exists()


class Runs(Callback):
    """Remembers the runs within a run."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun: list[Path] = []
        self.ended = 0

    def say(self, line: str) -> None:
        self.said.append(line)

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        assert "seed" in settings
        self.begun.append(run)

    def end_run(self) -> None:
        self.ended += 1


def sent(engine: Engine, job: DesignJob, task: OnlyTask, callback: Callback) -> None:
    """Does a job as a worker would: of what was sent to it, telling what can be sent back."""
    teller = Teller(lambda news: pass_on(pickle.loads(pickle.dumps(news)), callback))
    pickle.loads(pickle.dumps(job)).perform(pickle.loads(pickle.dumps(task)), callback.stop, teller)


def test_interrupted_it_ends_as_if_it_had_not_been_and_so_it_does_at_a_worker(
    images: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_still(monkeypatch)
    monkeypatch.setattr(design_runner, "handed_out", sent)
    recipe = load(DesignRecipe, {}, (), {**SMALL, "data.name": str(images), "init": "new"})
    looking_on = Runs()
    found = design_runner.start(recipe, tmp_path / "far", Callbacks([looking_on]), engine=Engine(2))
    assert timeless({**found, "page": ""}) == timeless(cleave.resume_design(run))
    assert found["environment"]["threads"] == 1
    inner = {tmp_path / "far" / "search", *(tmp_path / "far" / "trainings").iterdir()}
    assert set(looking_on.begun) == inner
    assert looking_on.ended == len(looking_on.begun)


def test_what_a_worker_does_and_tells_comes_back(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing done in it, so that it is quick."""

    def nothing(work: Work, overall: Callback) -> dict[str, Any]:
        overall.say("at it")
        with following(overall, work.path / "within", {"seed": 3}):
            work.once("said before", lambda: work.recipe.threads)
        return {"known": work.known}

    monkeypatch.setattr(design_runner, "handed_out", sent)
    monkeypatch.setattr(whole, "designed", nothing)
    looking_on, recipe = Runs(), load(DesignRecipe, {}, (), {**SMALL, "data.name": str(images), "init": "new"})
    found = design_runner.start(recipe, tmp_path / "far", Callbacks([looking_on]), engine=Engine(2))
    assert (found["known"], looking_on.begun, looking_on.ended) == ({"said before": 1}, [tmp_path / "far/within"], 1)
    assert looking_on.said[-1] == "at it"
    assert len(set(looking_on.said)) == len(looking_on.said), "nothing is said twice"


def test_what_only_another_machine_has_is_not_looked_for_here(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(design_runner, "handed_out", sent)
    monkeypatch.setattr("cleave.design.job.go_on", lambda *_: None)
    recipe = load(DesignRecipe, {}, (), {**SMALL, "data.name": str(images), "init": "new", "device": "cuda:7"})
    found = design_runner.start(recipe, tmp_path / "far", Callback(), engine=Engine(2))
    assert found["status"] == "unfinished"
    assert read_origin(tmp_path / "far", DESIGN).recipe["device"] == "cuda:7"
    with pytest.raises(cleave.UserError, match="cuda:7"):
        design_runner.start(recipe, tmp_path / "here", Callback())
    wrong = recipe.model_copy(update={"device": "cdua"})
    with pytest.raises(cleave.UserError, match="'cdua' is not a device"):
        design_runner.start(wrong, tmp_path / "far2", Callback(), engine=Engine(2))
    assert [path.name for path in tmp_path.iterdir()] == ["far"]


def test_images_that_a_worker_cannot_open_are_refused(tmp_path: Path) -> None:
    tensors = torch.zeros(8, 3, 8, 8), torch.arange(8) % 2
    with pytest.raises(cleave.UserError, match="its worker opens the images"):
        design_runner.start(
            DesignRecipe(), tmp_path / "run", Callback(), partial(of_tensors, *tensors, None), Engine(2)
        )
    assert not (tmp_path / "run").exists()


def test_without_time_for_a_supernet_others_get_it(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    stand_still(monkeypatch)
    found = designed(images, tmp_path / "short", time=36.0)
    assert found["search"] is None
    assert {each["ours"] for each in found["networks"]} == {False}
    assert any("longer" in each["name"] for each in found["networks"])


def test_pretrained_weights_are_begun_with_and_fine_tuned(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images are enlarged to what the weights know; the network that the weights are of is one of ours."""
    stand_still(monkeypatch)
    weights = write(tmp_path / "weights.safetensors", network(classes=1000).state_dict())
    found = cleave.design(data=images, out=tmp_path / "run", settings={"threads": 1, "time": 80.0}, init=str(weights))
    assert (found["scale"]["side"], found["scale"]["width"], found["scale"]["pretrained"]) == (64, 1.0, True)
    searched = cleave.load(tmp_path / "run" / "search")
    assert searched.to_json()["begin"]["source"] == str(weights)
    assert {each["recipe"] for each in found["networks"] if each["inherited"]} == {"finetune"}
    card = json.loads((tmp_path / "run" / "export" / "card.json").read_text())
    assert (card["pretrained"] is not None) == (found["networks"][0]["name"] == found["chosen"])


def test_too_little_time_is_one_line(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_still(monkeypatch)
    with pytest.raises(cleave.UserError, match="--time 1s: not even an epoch of the smallest network fits; give more"):
        designed(images, tmp_path / "none", time=1.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--time", "soon"], "time: "),
        (["--max-macs", "10"], "the least is 371,480 multiply-adds"),
        (["--set", "hight=3"], "unknown 'hight'"),
        (["--against", "resnet81"], "resnet81"),
        (["--init", "nothing.safetensors"], "nothing.safetensors"),
        (["--data", "no/such"], "no/such"),
    ],
)
def test_mistakes_are_one_line(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str], said: str
) -> None:
    stand_still(monkeypatch)
    given = ["design", "--data", str(images), "--time", "60s", "--threads", "1", "--out", str(tmp_path / "run")]
    ended = Ended([*given, *arguments], capsys)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_without_a_test_part_there_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_still(monkeypatch)
    images = write_folder(tmp_path / "images", {"train": 12})
    recipe = DesignRecipe.model_validate({"data": {"name": str(images)}})
    work = Work.__new__(Work)
    work.recipe, work.given, work.callback = recipe, None, Callback()
    assert "put the test images there" in str(no_test_part(work))


def test_the_table_of_blocks_is_not_taken_for_the_time_of_a_network(tmp_path: Path) -> None:
    recipe = DesignRecipe()
    folder = create(tmp_path, recipe, {}, DESIGN)
    folder.finish(Work(recipe, folder, Callback()).record(), {"chosen": "ours 1"}, {})
    (tmp_path / TABLE).write_text('{"units": []}')
    assert "measured" not in view(tmp_path, DESIGN)


def test_few_epochs_are_for_the_best_alone() -> None:
    paces = {"ours 1": 1.0, "ours 2": 2.0, "ours from scratch": 1.0}
    assert dealt_alike(40.0, paces) == {"names": list(paces), "epochs": 10}
    assert dealt_alike(39.0, paces) == {"names": ["ours 1", "ours from scratch"], "epochs": 19}
    assert dealt_alike(0.1, {"ours 2": 2.0}) == {"names": ["ours 2"], "epochs": 1}


def test_an_evolution_fits_into_its_time_where_that_is_long_enough() -> None:
    for seconds, each in ((1000.0, 1.0), (60.0, 0.5), (5000.0, 0.1)):
        plan = evolution_plan(seconds, each)
        judged = plan["check"] + plan["population"] * (1 + 0.75 * plan["generations"])
        assert judged * each <= 1.3 * seconds
    assert evolution_plan(0.0, 1.0)["population"] == max(4, FEWEST_JUDGED // 4)


def test_a_design_is_a_kind_of_run(run: Path) -> None:
    assert cleave.run.origin.holds(run, DESIGN)  # type: ignore[attr-defined]
