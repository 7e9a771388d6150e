"""What `cleave verdict` found, from its JSON, or found here of trainings whose answers on test images are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cleave.extras import missing_of
from cleave.pages.facts import Facts, Standing
from cleave.pages.kinds import Asked, kind
from cleave.report import PageTable, Section
from cleave.retrain.compare import of_images
from cleave.retrain.verdict import find_verdict
from cleave.retrain.verdict_text import choice, rows
from cleave.run.reading import Damaged, Shape, read_json

NAME = "verdict"


class VerdictFile(Shape):
    """What `cleave verdict --json` prints."""

    runs: list[dict[str, Any]]
    data: str
    chosen: str | None
    test: dict[str, Any]


def is_verdict(path: Path) -> bool:
    if os.path.isdir(path):
        return False
    try:
        read_json(path, VerdictFile)
    except Damaged:
        return False
    return True


@kind(NAME, is_verdict)
def of_file(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    return [verdict_facts(read_json(path, VerdictFile), name)]


def between(facts: Sequence[Facts], asked: Asked) -> list[Facts]:
    """The verdict on those runs that have said what the same test images are of, the first one ours; none where a run
    of the page brings one."""
    if any(each.decides for each in facts):
        return []
    groups = dict[str, list[Path]]()
    for each in facts:
        if each.answered is not None:
            groups.setdefault(each.answered.images, []).append(each.answered.run)
    several = [runs for runs in groups.values() if len(runs) > 1]
    if several and missing_of(NAME):
        asked.callback.say("without scipy there is no verdict between the trainings: pip install 'cleave-nas[verdict]'")
        return []
    where = (asked.callback, asked.data, asked.data_root, None, asked.given)
    return [verdict_facts(find_verdict(runs, *where), NAME) for runs in several]


def verdict_facts(found: Mapping[str, Any], name: str) -> Facts:
    """`found` is what `cleave verdict --json` prints."""
    test, used = found["test"], choice(found)
    return Facts(
        name,
        f"Verdict on {test['images']} test images of {found['data']}",
        verdicts=[test["sentence"], f"{used[0].upper()}{used[1:]}."],
        standings=[*tested(found), *held_out(found)],
        used=["test mcnemar"],
        sections=[comparison_section(test)],
        decides=True,
    )


def comparison_section(test: Mapping[str, Any]) -> Section:
    head = ("network", "accuracy (95 %)", "ours above by (95 %)", "p, corrected")
    table = PageTable("McNemar's exact test with Holm's correction", head, rows(test))
    return Section("comparisons", "Ours against the others", [table])


def tested(found: Mapping[str, Any]) -> list[Standing]:
    judged = judged_by_test(found["test"]["images"], found["data"])
    return [
        Standing(each["name"], judged, each["accuracy"], tuple(each["interval"]), **costs_of(run, found))
        for run, each in zip(found["runs"], found["test"]["networks"], strict=True)
    ]


def held_out(found: Mapping[str, Any]) -> list[Standing]:
    return [
        held_out_standing(run["name"], held, found["data"], **costs_of(run, found))
        for run in found["runs"]
        if (held := run["held_out"]) is not None
    ]


def held_out_standing(name: str, held: Mapping[str, Any], data: str, **costs: Any) -> Standing:  # noqa: ANN401
    """`held` is what a training tells of its held-out images, `data` of what they are."""
    return Standing(name, judged_by_held_out(held["images"], data), held["accuracy"], of_images(held), **costs)


def costs_of(run: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    counts = {key: run[key] for key in ("multiply_adds", "parameters")}
    return {**counts, "chosen": run["run"] == found["chosen"]}


def judged_by_held_out(images: int, data: str) -> str:
    return f"{images:,} held-out images of {data}"


def judged_by_test(images: int, data: str) -> str:
    return f"{images:,} test images of {data}"
