"""The page of a study: whole, offline, and safe; and the command that writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cleave.errors import UserError
from cleave.space import find_space
from cleave.study.analysis.metrics_report import report as measure
from cleave.study.log_command import report
from cleave.study.record.log import Numbers, all_children
from cleave.study.record.truth import Truth
from cleave.study.telling.figures import FIGURES, Drawings, Subject, draw
from cleave.study.telling.page import Provenance, read_made, write_page
from tests.fresh import fresh
from tests.report.parsed import ParsedPage, check_page
from tests.study.made import joined, log_of, made_log, some_accuracies, some_children, write_log

LEDGER = [
    {"what": "instance 0, group 0", "mini_batches": 120, "per_child": 15.0, "train_multiply_adds": 3_000_000_000,
     "evaluation_multiply_adds": 500_000_000, "seconds": 12.5},
    {"what": "instance 1, group 0", "mini_batches": 2_000, "per_child": 250.0, "train_multiply_adds": 1_000_000_000,
     "evaluation_multiply_adds": 0, "seconds": 3.5},
]  # fmt: skip
MADE = Provenance(LEDGER, "space:\n  name: cells64\n", {"torch": "2.14.0", "cores": 2})


@dataclass
class Shown:
    """A study that lacks nothing, measured and drawn once."""

    subject: Subject
    report: dict[str, Any]
    drawings: Drawings

    def page(self, path: Path, made: Provenance | None = MADE) -> ParsedPage:
        return check_page(write_page(path / "page.html", self.subject, self.report, made, self.drawings).read_text())


def subject(children: int = 8, space: str = "cells64") -> Subject:
    log = made_log(some_children(children, space), children + 4, 2, epochs=3, tuned=(1, 3), space=space)
    return Subject(log, Truth("truth.csv", fresh().uniform(60, 90, size=children)))


def shown(of: Subject) -> Shown:
    return Shown(of, measure(of.log, of.truth, seed=of.seed), draw(of))


@pytest.fixture(scope="module")
def study() -> Shown:
    return shown(subject())


def test_a_whole_study_has_every_section_and_figure(tmp_path: Path, study: Shown) -> None:
    found = study.page(tmp_path)
    sections = {"rankings", "stability", "interference", "clusters", "pruning", "figures", "cost", "recipe"}
    assert sections <= set(found.ids)
    assert {place[1:] for place in found.places} >= sections
    assert {f"figure-{name}" for name in FIGURES} <= set(found.ids)
    assert "8 children" in found.text


def known_subject() -> Subject:
    """A study whose accuracies follow from a formula."""
    children = all_children(find_space("cells64"))[:8]

    def accuracy(looks: int, shift: int) -> Numbers:
        look, child = np.arange(looks)[:, np.newaxis] + shift, np.arange(8)
        return np.asarray(((37 * look + 11 * child * child + 5 * look * child) % 97) / 2 + 20)

    logs = []
    for instance in range(2):
        logs += [
            log_of(children, accuracy(12, 13 * instance), trained=[*children, *children[:4]], instance=instance),
            log_of(children, accuracy(3, 13 * instance), steps=[10, 20, 30], dense=False, instance=instance),
            log_of(children, accuracy(1, 13 * instance + 2), steps=[30], dense=False, tuned=2, instance=instance),
        ]
    return Subject(joined(children, *logs), Truth("truth.csv", 60.0 + (29 * np.arange(8) % 17), runs=3))


def test_the_page_says_what_it_always_said(tmp_path: Path) -> None:
    expected = Path(__file__).with_name("page.txt").read_text(encoding="utf-8").splitlines()
    assert shown(known_subject()).page(tmp_path).lines == expected


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    found = shown(Subject(made_log(some_children(6), 0, epochs=1))).page(tmp_path, None)
    assert not {"stability", "interference", "clusters", "pruning", "cost", "recipe"} & set(found.ids)
    assert "need a truth" in found.text
    assert "Not drawn: " in found.text


def test_a_sample_of_another_space_has_a_page_too(tmp_path: Path) -> None:
    children = some_children(30, "nasbench201")
    found = shown(Subject(made_log(children, 6, space="nasbench201"))).page(tmp_path)
    assert "30 children of nasbench201" in found.text
    assert {"interference", "clusters"} <= set(found.ids)
    assert children[0] in found.text


def test_a_study_judged_by_test_images_says_so(tmp_path: Path, study: Shown) -> None:
    log = log_of(some_children(5), some_accuracies(4, 5), images="test")
    assert "nothing is held back" in shown(Subject(log)).page(tmp_path).text
    assert "nothing is held back" not in study.page(tmp_path).text


def test_what_others_wrote_is_shown_and_not_run(tmp_path: Path, study: Shown) -> None:
    evil = "<script>alert(1)</script>"
    found = study.page(tmp_path, Provenance([{**LEDGER[0], "what": evil}], evil, {evil: evil}))
    assert "script" not in found.tags
    assert found.text.count(evil) == 4


def test_costs_are_summed_over_parts(tmp_path: Path, study: Shown) -> None:
    text = "".join(study.page(tmp_path).text.split())
    assert "all2,120-4.00.516.0" in text
    assert "instance0,group012015.03.00.512.5" in text


def test_clusters_have_all_children_once(tmp_path: Path, study: Shown) -> None:
    text = study.page(tmp_path).text
    members = text[text.index("Members of 8 groups") :].split("Pruning")[0]
    assert all(members.count(child) == 1 for child in study.subject.log.children)


def test_a_folder_says_how_its_study_was_made_as_far_as_it_knows(tmp_path: Path) -> None:
    assert read_made(tmp_path) == Provenance()
    (tmp_path / "ledger.json").write_text(json.dumps({"parts": LEDGER}))
    (tmp_path / "study.yaml").write_text(MADE.recipe)
    (tmp_path / "environment.json").write_text(json.dumps(MADE.environment))
    assert read_made(tmp_path) == MADE


@pytest.mark.parametrize("text", ["{}", "[", ""])
def test_a_damaged_ledger_is_refused_in_one_line_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(UserError, match=r"ledger\.json: ") as caught:
        read_made(tmp_path)
    assert "\n" not in str(caught.value)


def run(*arguments: object) -> str:
    app = typer.Typer()
    app.command()(report)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_writes_into_the_study_unless_told_otherwise(tmp_path: Path) -> None:
    of = subject()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_log(tmp_path / name / "log.parquet", of.log)
    (tmp_path / "one" / "ledger.json").write_text(json.dumps({"parts": LEDGER}))
    found = json.loads(run(tmp_path / "one", "--json", "--beside", tmp_path / "other"))
    assert found["page"] == str(tmp_path / "one" / "report.html")
    text = Path(found["page"]).read_text()
    assert "other (2 instances)" in text
    assert "1,000" not in text
    assert 'id="cost"' in text


def test_the_command_draws_the_published_looks(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "deeper-insights"
    table, truth, order = (folder / name for name in ("share_all_acc_last128.csv", "gt64.csv", "order_one_0.txt"))
    run(table, "--truth", truth, "--order", order, "--out", tmp_path / "page.html")
    content = (tmp_path / "page.html").read_text()
    assert len(content) < 1_000_000
    assert 'id="cost"' not in content
    text = check_page(content).text
    assert "mean rank of the child just trained: 16.16" in text
    assert "+4.97" in text
    assert "16, 7, 28, 13" in text


def test_a_study_is_not_drawn_twice_beside_another(tmp_path: Path) -> None:
    write_log(tmp_path / "log.parquet", subject().log)
    same = tmp_path / "." / "log.parquet"
    with pytest.raises(UserError, match=r"--beside: .*log\.parquet is there twice; give each once"):
        run(tmp_path / "log.parquet", "--beside", same, "--beside", tmp_path / "log.parquet")


def test_the_command_refuses_what_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        run(tmp_path / "nothing")
