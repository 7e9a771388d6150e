"""A page of made facts: what stands where, what is put together, and what is left out."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

import cleave
from cleave.data.images import Images
from cleave.pages.answers import answer_sections, confusion_of
from cleave.pages.citations import CITED, OWN, PAPERS, cite, entries
from cleave.pages.facts import Curve, Facts, Standing
from cleave.pages.kinds import Asked, kind
from cleave.pages.page import make_page
from cleave.pages.strengths import strength_sections
from cleave.pages.verdicts import held_out_standing
from cleave.report import PageFigure, Paragraph, Section, Series
from cleave.retrain.answers import Said
from cleave.retrain.evaluate import judged
from tests.registries import as_they_were
from tests.report.parsed import ParsedPage, check_page

PLAIN = Facts("one", "A run")


def page(*facts: Facts, between: Sequence[Facts] = ()) -> ParsedPage:
    return check_page(make_page([[each] for each in facts], between).html())


def standing(name: str, accuracy: float, **costs: float) -> Standing:
    return Standing(name, "50 test images", accuracy, (accuracy - 5, accuracy + 5), **costs)  # type: ignore[arg-type]


def test_what_tells_nothing_has_no_section() -> None:
    assert page(PLAIN).lines == ["A run", "A run"]
    assert page(PLAIN).tags["section"] == 0


def test_sections_stand_in_their_order_and_unknown_ones_before_the_costs() -> None:
    names = ["worst", "verdict", "mine", "trust"]
    sections = [Section(name, name.title(), [Paragraph(name)]) for name in names]
    facts = replace(PLAIN, sections=sections, costs={"seconds": 3.25}, used=["method darts"])
    found = page(facts)
    assert [each for each in found.ids if not each.startswith("figure")] == [
        "verdict", "trust", "worst", "mine", "cost", "cite"
    ]  # fmt: skip


def test_several_runs_stand_beside_each_other_under_their_names() -> None:
    """What both have as a section of their own is one; standings of one name and kind are shown once."""
    drawing = PageFigure("architecture", '<svg role="img"><circle id="dot"/></svg>', "a dot")
    one = replace(
        PLAIN,
        verdicts=["One is good."],
        standings=[standing("one", 50.0, multiply_adds=1000), standing("both", 61.0, multiply_adds=2000)],
        curves=[Curve("Loss", Series("one", [(1, 2.0), (2, 1.5)]))],
        costs={"seconds": 1.5, "steps": 7000},
        environment={"torch": "2.14", "cpu": "some", "odd": ["left", "out"]},
        used=["method darts", "space darts", "method nobody-knows"],
        sections=[Section("architecture", "The network", [drawing])],
    )
    other = replace(one, name="other", verdicts=["Other is too."], curves=[Curve("Loss", Series("other", [(1, 3.0)]))])
    other = replace(other, standings=[standing("both", 61.0)], environment={"torch": "2.15", "cpu": "some"})
    decided = Facts("verdict", "", verdicts=["One is better."], decides=True)
    found = page(one, other, between=[decided])
    assert found.lines[:2] == ["2 runs: one, other"] * 2
    verdict = found.lines.index("Verdict")
    assert found.lines[verdict + 1 : verdict + 4] == ["One is better.", "one: One is good.", "other: Other is too."]
    assert {"figure-2-architecture", "figure-3-architecture", "2-architecture-dot"} <= set(found.ids)
    assert found.lines.count("1 one") == found.lines.count("2 both") == 1
    assert found.text.count("@inproceedings{liu2019darts") == 1
    assert "7,000" in found.lines
    assert {"2.14", "2.15"} <= set(found.lines)
    assert "odd" not in found.lines
    assert found.tags["svg"] == 4, "a scatter, a chart of losses, two drawings"


def axes(*standings: Standing) -> list[str]:
    text = make_page([[replace(PLAIN, standings=standings)]]).html()
    return re.findall(r">(milliseconds, measured|multiply-adds of an image)<", text)


def test_accuracy_is_drawn_against_what_was_measured_else_against_what_is_counted() -> None:
    slow, unmeasured = standing("slow", 60.0, milliseconds=8.0, multiply_adds=10), standing("x", 60.0, multiply_adds=9)
    assert axes(slow) == ["milliseconds, measured"]
    assert axes(slow, unmeasured) == ["milliseconds, measured", "multiply-adds of an image"]
    assert axes(unmeasured) == ["multiply-adds of an image"]
    assert axes(standing("x", 60.0)) == []


def test_all_that_is_cited_is_known_and_others_add_theirs() -> None:
    assert all(papers and set(papers) <= set(PAPERS) for papers in OWN.values())
    assert all(entry.startswith("@") and entry.count("{") == entry.count("}") for entry in PAPERS.values())
    assert {paper for papers in OWN.values() for paper in papers} == set(PAPERS)
    try:
        cite("method mine", "@misc{mine}")
        assert entries(["method mine", "method darts", "method mine", "method theirs"]) == [
            "@misc{mine}", PAPERS["liu2019"]
        ]  # fmt: skip
    finally:
        del CITED["method mine"]


def test_every_method_splitter_and_space_with_a_paper_is_cited() -> None:
    from cleave.data.sources import SOURCES
    from cleave.method import METHODS
    from cleave.space.registry import SPACES
    from cleave.split.splitters import SPLITTERS

    kinds = {"method": METHODS, "splitter": SPLITTERS, "space": SPACES, "data": SOURCES}
    own = {f"{what} {name}" for what, names in kinds.items() for name in names if not name.startswith(("toy", "chain"))}
    assert own - {"data tensors"} <= set(OWN)


def some_answers(classes: int, size: int, each: int = 3) -> tuple[Images, Said]:
    labels = torch.arange(classes * each) % classes
    images = Images(
        torch.randint(256, (len(labels), 3, size, size), dtype=torch.uint8),
        labels,
        tuple(f"class {number}" for number in range(classes)),
        shuffled=True,
    )
    return images, Said(torch.randint(classes, labels.shape), torch.rand(len(labels)))


def test_confusions_are_counted_and_the_surest_mistakes_come_first() -> None:
    classes = random.randint(2, 12)
    images, said = some_answers(classes, 8)
    pairs = list(zip(images.labels.tolist(), said.predicted.tolist(), strict=True))
    confusion = confusion_of(images.labels, said.predicted, classes)
    assert all(confusion[a][b] == pairs.count((a, b)) for a in range(classes) for b in range(classes))
    sections = answer_sections(judged("run", "made", images, said.predicted), images, said)
    found = page(replace(PLAIN, sections=sections))
    wrong = [(sure, *pair) for sure, pair in zip(said.probability.tolist(), pairs, strict=True) if pair[0] != pair[1]]
    wanted = [f"class {a}, taken for class {b} ({100 * sure:.0f} %)" for sure, a, b in sorted(wrong, reverse=True)[:20]]
    assert [line for line in found.lines if ", taken for" in line] == wanted
    for a, b in set(pairs):
        if a != b:
            assert f"class {a} taken for class {b}: {confusion[a][b]} of 3" in found.lines


def test_a_page_of_everything_at_its_largest_is_below_five_megabytes() -> None:
    """Ten networks of a thousand classes of large images, 28 choices of 8 candidates over 600 epochs."""
    images, said = some_answers(1000, 224, each=1)
    answered = answer_sections(judged("run", "made", images, said.predicted), images, said)
    candidates = [f"operation_{number}" for number in range(8)]
    allowed = {f"normal/{choice}": candidates for choice in range(28)}
    strengths = {choice: [random.random() for _ in candidates] for choice in allowed}
    events = [{"kind": "epoch", "leaf": "root", "strengths": strengths}] * 600
    weights = strength_sections(events, [{"path": [], "region": {"allowed": allowed}}], {}, "root")
    runs = [replace(PLAIN, name=f"run {number}", sections=answered) for number in range(10)]
    text = make_page([[each] for each in [replace(PLAIN, sections=weights), *runs]]).html()
    assert text.count("<img") == 200
    assert text.count("<polyline") == 28 * 8
    assert len(text.encode()) < 5e6


def test_a_kind_of_run_of_ones_own_has_a_page(tmp_path: Path) -> None:
    """Even one that tells of parts behind itself: the page has its title and one heading for each."""
    (tmp_path / "mine.txt").write_text("42.5")

    with as_they_were():

        @kind("mine", holds=lambda path: (path / "mine.txt").is_file())
        def of_mine(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
            accuracy = float((path / "mine.txt").read_text())
            own = Section("how", "How it was made", [Paragraph("By hand.")])
            part = Facts(f"{name}: a part", "Part of it", sections=[own])
            return [Facts(name, "Mine", standings=[standing(name, accuracy)], sections=[own]), part]

        found = cleave.report(tmp_path)
    assert found == {"page": str(tmp_path / "report.html"), "runs": [str(tmp_path)]}
    lines = check_page((tmp_path / "report.html").read_text()).lines
    assert lines[:2] == ["Mine", "Mine"]
    assert f"{tmp_path.name}: a part: Part of it" in lines
    assert "42.50" in lines
    assert lines.count("How it was made") == 1
    assert lines.count("By hand.") == 2


def test_held_out_images_of_two_sets_are_not_in_one_table() -> None:
    held = {"images": 100, "accuracy": 50.0, "correct": 50}
    standings = [held_out_standing(data, held, data) for data in ("bundled", "cifar10")]
    found = page(replace(PLAIN, standings=standings))
    assert {"On 100 held-out images of bundled", "On 100 held-out images of cifar10"} <= set(found.lines)
