"""`cleave report` of real runs: its figures are those of the JSON, and no network is asked anything for it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cleave
from cleave.report.heat_map import HINT
from cleave.retrain import answers
from tests.pages.browser import Browser, browser_or_skip
from tests.report.parsed import ParsedPage, check_page
from tests.retrain.test_command import write_parts
from tests.study.small import SMALL as SMALL_STUDY
from tests.tiny import SIZES, Ended

Capture = pytest.CaptureFixture[str]
SMALL = {"training.epochs": 2, "training.batch_size": 12, "training.eval_batch_size": 20, "data.image_size": 32}


class Runs:
    """A search, a training of what it chose, one of a network of timm's, and their verdict."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = write_parts(folder / "images", each=20)
        self.search, self.ours, self.other = folder / "search", folder / "ours", folder / "other"
        halving = {"selection.by": "halving", "selection.schedule": [1, 2]}
        batches = {"search.batch_size": 20, "selection.training": {"batch_size": 20, "eval_batch_size": 20}}
        ops = {"space.ops": ["none", "skip_connect", "nor_conv_1x1"]}
        settings = {**SIZES, **halving, **batches, **ops, "search.epochs": 2, "trust.control": 1}
        cleave.search(data=self.images, out=self.search, settings=settings)
        cleave.train(self.search, out=self.ours, settings=SMALL)
        other = {**SMALL, "space.side": 32}
        cleave.train(self.search, arch="timm:test_resnet", out=self.other, settings=other)
        self.found = cleave.verdict([self.ours, self.other])
        self.verdict = folder / "verdict.json"
        self.verdict.write_text(json.dumps(self.found))
        self.page = folder / "page.html"
        cleave.report([self.search, self.ours, self.other], self.page)

    def report(self, *runs: Path) -> ParsedPage:
        out = self.folder / "other.html"
        cleave.report(runs, out)
        return check_page(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def page(runs: Runs) -> ParsedPage:
    return check_page(runs.page.read_text(encoding="utf-8"))


def cells(page: ParsedPage, first: str) -> list[str]:
    """A row of a table: what follows its first cell."""
    place = page.lines.index(first)
    return page.lines[place + 1 : place + 6]


def told(run: Path, capsys: Capture) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Ended(["show", str(run), "--json"], capsys).out)
    return found


def test_what_a_search_tells_is_what_its_json_says(runs: Runs, page: ParsedPage, capsys: Capture) -> None:
    found = told(runs.search, capsys)
    assert any(line.endswith(found["trust"]["verdict"]) for line in page.lines)
    assert set(found["trust"]["warnings"]) <= set(page.lines)
    assert found["chosen"]["arch"] in page.lines
    for number, (leaf, trust) in enumerate(zip(found["leaves"], found["trust"]["leaves"], strict=True), start=1):
        accuracy = f"{leaf['valid_accuracy']:.2f}", "{:.1f} to {:.1f}".format(*trust["interval"])
        chosen = " (chosen)" * (leaf["path"] == found["chosen"]["path"])
        assert tuple(cells(page, f"{number} search, leaf {leaf['path']}{chosen}")[:2]) == accuracy
        cost = json.loads(Ended(["cost", leaf["arch"], *size(runs)], capsys).out)
        assert cells(page, f"{number} search, leaf {leaf['path']}{chosen}")[2:4] == [
            f"{cost['macs']:,}", f"{cost['params']:,}"
        ]  # fmt: skip
    for key in ("weight_steps", "arch_steps", "split_passes", "retrain_steps", "eval_images"):
        assert f"{found['cost'][key]:,}" in page.lines
    for rung in (rung for leaf in found["selection"]["leaves"] for rung in leaf["retrained"]):
        assert f"{rung['valid_accuracy']:.2f}" in page.lines


def size(runs: Runs) -> list[str]:
    recipe = (runs.search / "recipe.yaml").read_text()
    cells = int(re.search(r"\n  cells: (\d+)", recipe)[1])  # type: ignore[index]
    keys = {"space.channels": 2, "space.cells": cells, "classes": 2, "image_size": 8}
    return [*(word for key, value in keys.items() for word in ("--set", f"{key}={value}")), "--json"]


def test_every_similarity_and_its_cut_is_there(runs: Runs, page: ParsedPage, capsys: Capture) -> None:
    splits = told(runs.search, capsys)["splits"]
    assert len(splits) == 3
    for split in splits:
        group_of = {name: number for number, group in enumerate(split["groups"]) for name in group}
        for i, one in enumerate(split["candidates"]):
            for j, other in enumerate(split["candidates"]):
                if i != j:
                    what = "in one group" if group_of[one] == group_of[other] else "cut apart"
                    assert f"{one} and {other}: {split['similarities'][i][j]:.4f}, {what}" in page.lines


def test_what_is_said_of_test_images_is_what_the_verdict_and_evaluate_say(runs: Runs, page: ParsedPage) -> None:
    test = runs.found["test"]
    assert test["sentence"] in page.lines
    for number, each in enumerate(test["networks"], start=1):
        chosen = " (chosen)" * (runs.found["chosen"] == str(runs.folder / each["name"]))
        figures = [f"{each['accuracy']:.2f}", "{:.1f} to {:.1f}".format(*each["interval"])]
        assert cells(page, f"{number} {each['name']}{chosen}")[:2] == figures
        found = cleave.evaluate(runs.folder / each["name"])
        for label in found["classes"]:
            hits = f"{label['hits']} of {label['images']}"
            assert f"{100 * label['hits'] / label['images']:.1f}" in page.lines
            assert hits in page.lines
        wrong = test["images"] - each["hits"]
        assert wrong >= min(20, wrong) == shown_wrong(page, each["name"])


def shown_wrong(page: ParsedPage, name: str) -> int:
    """How many images are shown that a network got wrong."""
    worst = page.lines[page.lines.index("The worst mistakes") :]
    own = worst[worst.index(name) + 1 :]
    end = next((i for i, line in enumerate(own) if line in ("other", "Cost")), len(own))
    return sum(", taken for " in line for line in own[:end])


def test_a_verdict_alone_and_beside_runs_is_told_once(runs: Runs) -> None:
    sentence = runs.found["test"]["sentence"]
    assert sentence in runs.report(runs.verdict).lines
    both = runs.report(runs.verdict, runs.ours, runs.other)
    assert both.lines.count(sentence) == 1
    alone = runs.report(runs.ours)
    assert sentence not in alone.lines
    assert any(line.startswith("Test accuracy") for line in alone.lines)


def test_networks_are_not_asked_and_images_that_are_gone_are_said_to_be(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def asked(*arguments: object) -> None:
        raise AssertionError("a network was asked")

    monkeypatch.setattr(answers, "surest", asked)
    ours = shutil.copytree(runs.ours, tmp_path / "ours")
    page = runs.report(runs.search, ours, runs.other)
    assert runs.found["test"]["sentence"] in page.lines
    (file,) = ours.glob("answers-*.json")
    file.write_text(file.read_text().replace('"predicted": [', '"predicted": [0, '))
    ended = Ended(["report", str(ours)], capsys)
    assert ended.out == f"{ours / 'report.html'}\n"
    assert "was not asked about the test images" in ended.err
    assert not any("est accuracy" in line for line in check_page((ours / "report.html").read_text()).lines)
    (runs.images / "test").rename(tmp_path / "away")
    try:
        ended = Ended(["report", str(runs.ours), "--json"], capsys)
    finally:
        (tmp_path / "away").rename(runs.images / "test")
    assert "nothing is told of test images" in ended.err
    assert json.loads(ended.out) == {"page": str(runs.ours / "report.html"), "runs": [str(runs.ours)]}


def test_what_cannot_be_told_is_refused(runs: Runs, tmp_path: Path, capsys: Capture) -> None:
    assert Ended(["report", str(tmp_path / "no")], capsys).refuses("is not there")
    assert Ended(["report", str(runs.images)], capsys).refuses("is nothing that a page can be made of")
    assert Ended(["report", str(runs.ours), str(runs.ours)], capsys).refuses("is there twice")
    for run in (runs.search, runs.ours):
        copy = shutil.copytree(run, tmp_path / run.name)
        events = copy / "events.jsonl"
        events.write_text(events.read_text().replace('"loss": ', '"loss": 1', 1))
        assert Ended(["report", str(copy)], capsys).refuses("events.jsonl", "it was altered")
        (copy / "result.json").unlink()
        assert Ended(["report", str(copy)], capsys).refuses(str(copy), "is not finished", "cleave resume")
    assert Ended(["show", str(runs.search)], capsys).status == 0, "a page is no part of what is verified"


def test_a_study_and_a_reproduction_are_told_by_the_same_command(tmp_path: Path, capsys: Capture) -> None:
    study = tmp_path / "study"
    cleave.study(space="cells64", out=study, settings={**SMALL_STUDY, "space.children": 4})
    assert Ended(["report", str(study)], capsys).status == 0
    found = check_page((study / "report.html").read_text())
    assert {"rankings", "figures", "cost", "environment", "cite"} <= set(found.ids)
    made = write_reproduction(tmp_path / "table")
    assert Ended(["report", str(made)], capsys).status == 0
    lines = check_page((made / "report.html").read_text()).lines
    assert "some against others (accuracy): +2.00 (95 % interval +1.00 to +3.00), n = 4." in lines
    assert cells_of(lines, "some") == ["accuracy", "90.00 ± 1.00", "91.50 ± 0.50", "+1.50", "4"]
    (made / "table.json").unlink()
    assert Ended(["report", str(made)], capsys).refuses("is not finished; the same cleave reproduce goes on")


def cells_of(lines: list[str], first: str) -> list[str]:
    return lines[lines.index(first) + 1 :][:5]


def write_reproduction(folder: Path) -> Path:
    """What `cleave reproduce` leaves, as far as it is told."""
    from PIL import Image

    folder.mkdir()
    interval = [1.0, 3.0]
    line = {
        "row": "some", "measure": "accuracy", "published": {"mean": 90.0, "sd": 1.0}, "difference": 1.5, "seconds": 1.0,
        "ours": {"mean": 91.5, "sd": 0.5, "n": 4, "values": [91.0, 92.0, 91.0, 92.0]}, "interval": interval,
    }  # fmt: skip
    pair = {"rows": ["some", "others"], "measure": "accuracy", "difference": 2.0, "interval": interval, "n": 4, "of": 4}
    table = {
        "experiment": "table1", "title": "Made", "source": "a paper", "unit": "%", "budget": "tiny", "seeds": [0, 1],
        "lines": [line], "comparisons": [pair], "notes": ["a note"], "environment": {"torch": "2.14"}, "seconds": 4.0,
    }  # fmt: skip
    (folder / "table.json").write_text(json.dumps(table))
    (folder / "experiment.json").write_text('{"experiment": "table1", "budget": "tiny"}')
    Image.new("RGB", (40, 30), "grey").save(folder / "figure.png")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_or_skip() as found:
        yield found


def test_in_a_browser_nothing_leaves_the_file_and_all_can_be_seen_and_reached(runs: Runs, browser: Browser) -> None:
    """At two widths, dark and light: no request, no error, nothing wider than the window, no text too pale to read."""
    for width in (360, 1200):
        for scheme in ("light", "dark"):
            browser.open(runs.page, width, scheme)
            assert browser.errors() == []
            assert {each for each in browser.requested() if not each.startswith("data:")} == {runs.page.as_uri()}
            assert browser.run("return document.documentElement.scrollWidth") <= width
            assert browser.run("return [...document.images].every(each => each.naturalWidth > 0)")
            assert browser.palest() >= 4.5
    assert browser.run("return document.querySelector('.heat td[tabindex]').tabIndex") == 0


def test_the_keyboard_walks_through_a_heat_map_and_what_a_cell_is_stands_below(runs: Runs, browser: Browser) -> None:
    browser.open(runs.page, 1200, "light")
    browser.run("document.querySelector('figure.heat .wide').focus()")
    first, second = browser.press_tab(), browser.press_tab()
    assert first != second
    for said in (first, second):
        assert re.fullmatch(r"\w+ and \w+: -?\d\.\d{4}, (in one group|cut apart)", said)
    assert HINT not in browser.visible_in("figure.heat"), "covered by what the cell is"
    assert browser.hovered("figure.heat tbody td:nth-child(3)").count(": ") == 1
