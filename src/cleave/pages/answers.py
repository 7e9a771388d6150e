"""What a network said of test images: class by class, which classes it takes for each other, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cleave.data.images import Images, central
from cleave.report import (
    Bars,
    Cell,
    Details,
    Element,
    HeatMap,
    PageTable,
    Paragraph,
    Picture,
    Pictures,
    Section,
    SideBySide,
    picture,
)
from cleave.retrain.answers import Said
from cleave.terminal import accuracy_text

WORST = 20
"""Images that are shown."""
LARGEST = 20
"""Classes up to which all confusions are shown as a matrix."""
PAIRS = 10
"""Confusions that are listed."""


def test_sentence(found: Mapping[str, Any]) -> str:
    """`found` is what `cleave evaluate --json` prints."""
    return (
        f"Test accuracy {accuracy_text(found['accuracy'], found['interval'])}, {found['hits']} of "
        f"{found['images']} images of {found['data']}; balanced accuracy {found['balanced_accuracy']:.2f} %, always "
        f"answering the most frequent class {found['majority_share']:.2f} %."
    )


def answer_sections(found: Mapping[str, Any], images: Images, said: Said) -> list[Section]:
    confusion = confusion_of(images.labels, said.predicted, len(images.classes))
    beside = SideBySide([class_bars(found["classes"]), *mistakes(confusion, images.classes)])
    classes: list[Element] = [beside, *([matrix(confusion, images.classes)] if len(images.classes) <= LARGEST else [])]
    sections = [Section("classes", "Class by class", classes)]
    if worst := worst_pictures(images, said):
        text = "Wrong answers that the network was surest of, by the probability that it gave them."
        sections.append(Section("worst", "The worst mistakes", [Paragraph(text), Pictures(worst)]))
    return sections


def class_bars(classes: Sequence[Mapping[str, Any]]) -> Element:
    """The accuracy of each class, the worst first; of very many behind a click."""
    rows = [bar_of(each) for each in classes if each["images"]]
    head = ("class", "%", "", "images")
    bars = Bars("Test accuracy of each class", head, sorted(rows, key=lambda row: row[1]))
    return bars if len(rows) <= LARGEST else Details(f"All {len(rows)} classes", [bars])


def bar_of(found: Mapping[str, Any]) -> tuple[str, float, str]:
    return found["name"], 100 * found["hits"] / found["images"], f"{found['hits']} of {found['images']}"


def confusion_of(labels: Tensor, predicted: Tensor, classes: int) -> list[list[int]]:
    """How many images [true class][answer]."""
    cells = torch.bincount(labels * classes + predicted, minlength=classes**2)
    counts: list[list[int]] = cells.view(classes, classes).tolist()
    return counts


def mistakes(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[Element]:
    """The most frequent ones."""
    pairs = [
        (count, true, answer)
        for true, row in enumerate(confusion)
        for answer, count in enumerate(row)
        if count and true != answer
    ]
    rows = [
        (names[true], names[answer], count, f"{100 * count / sum(confusion[true]):.1f}")
        for count, true, answer in sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:PAIRS]
    ]
    head = ("class", "taken for", "images", "% of the class")
    return [PageTable("The most frequent mistakes", head, rows)] if rows else []


def matrix(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> HeatMap:
    """Shares of each true class; cells with nothing in them are not reached by the keyboard."""
    cells = [
        [
            Cell(
                count / max(1, sum(row)),
                str(count or ""),
                f"{names[true]} taken for {names[answer]}: {count} of {sum(row)}"
                if answer != true
                else f"{names[true]}: {count} of {sum(row)} right",
                reached=count > 0,
            )
            for answer, count in enumerate(row)
        ]
        for true, row in enumerate(confusion)
    ]
    return HeatMap("What images of each class (rows) were taken for (columns)", names, cells, "class")


def worst_pictures(images: Images, said: Said) -> list[Picture]:
    """Of the wrong answers those that it was surest of."""
    wrong = (said.predicted != images.labels.cpu()).nonzero().flatten()
    order = said.probability[wrong].argsort(descending=True, stable=True)
    worst = wrong[order][:WORST]
    pixels, labels = images.at(worst)
    shown = central(pixels, images.side).cpu().numpy()
    told = zip(shown, labels.tolist(), worst.tolist(), strict=True)
    return [
        picture(
            each,
            f"{images.classes[label]}, taken for {images.classes[int(said.predicted[place])]} "
            f"({100 * float(said.probability[place]):.0f} %)",
        )
        for each, label, place in told
    ]
