"""A training, its evaluation and a comparison for a person. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from cleave.data.copies_text import seen_warnings
from cleave.run.alarm import alarm_lines
from cleave.run.mirror import known_as, resume_command


def print_training(result: dict[str, Any]) -> None:
    print(*training_lines(result), sep="\n")


def training_lines(result: dict[str, Any]) -> list[str]:
    """A finished training, or how far it is."""
    place = known_as(Path(result["run"]))
    run = quote(place)
    if result.get("status") == "unfinished":
        last = result["last"]
        where = f"epoch {last['epoch']} is done" if last else "no epoch is done yet"
        seconds = f"{result['seconds']:.0f} s"
        return [f"{place}: unfinished after {seconds}, {where}", f"go on with: {resume_command(Path(result['run']))}"]
    held = result["held_out"]
    lines = [result["arch"], *made_lines(result)]
    if held is not None:
        lines.append(
            f"held-out accuracy {held['accuracy']:.2f} % of {held['images']} images, "
            f"balanced accuracy {held['balanced_accuracy']:.2f} %"
        )
    return [
        *lines,
        *(f"Warning: {line}" for line in alarm_lines(result.get("guards", []))),
        f"{result['seconds']:.0f} s; all of it is in {place}",
        f"its accuracy on test images: cleave evaluate {run}",
    ]


def made_lines(result: dict[str, Any]) -> list[str]:
    """What network was trained, and how, of a finished training."""
    train, taken = result["train"], result["inherited"]
    lines = [
        f"{result['space']}, {result['parameters']:,} parameters, {result['multiply_adds']:,} multiply-adds",
        f"{result['epochs']} epochs on {train['images']} images: training loss {train['loss']:.3f}, "
        f"training accuracy {train['accuracy']:.2f} %",
    ]
    if taken is not None:
        lines.insert(1, f"begun with the weights of leaf {taken['leaf']}: {inherited_text(taken['held_out'])}")
    if (known := result.get("pretrained")) is not None:
        licence = f", licence {known['license']}" if known["license"] else ""
        lines.insert(
            1, f"begun with pretrained weights: {known['source']}{licence}, SHA-256 {known['weights'][:16]}..."
        )
    return lines


def inherited_text(held: dict[str, Any] | None) -> str:
    """What a supernet's weights were worth before the first step."""
    return "no images are held out" if held is None else f"held-out accuracy {held['accuracy']:.2f} % before any step"


def print_evaluation(found: dict[str, Any]) -> None:
    low, high = found["interval"]
    print(
        f"test accuracy {found['accuracy']:.2f} % (95 % interval {low:.1f} to {high:.1f}), "
        f"{found['hits']} of {found['images']} images of {found['data']}",
        f"  balanced accuracy {found['balanced_accuracy']:.2f} %; the most frequent class alone: "
        f"{found['majority_share']:.2f} %",
        *(f"Warning: {line}" for line in seen_warnings(found["copies"], found["images"])),
        f"hand it over: cleave export {quote(found['model'])} --out {quote(found['model'] + '-export')}",
        sep="\n",
    )


def print_comparison(found: dict[str, Any]) -> None:
    print(*comparison_lines(found), sep="\n")


def comparison_lines(found: dict[str, Any]) -> list[str]:
    """Inherited, fine-tuned and from-scratch accuracy, one below the other."""
    seeds, epochs = len(found["seeds"]), found["epochs"]
    what = "95 % interval of the images" if seeds == 1 else f"mean of {seeds} seeds, 95 % interval"
    steps = {"inherited": "no training", "fine-tuned": f"{epochs} epochs", "from scratch": f"{epochs} epochs"}
    rows = [f"  {row:14}{steps[row]:14}{figure(each)}" for row, each in found["rows"].items()]
    folder = quote(f"{found['folder']}/fine-tuned-seed{found['seeds'][0]}")
    return [
        found["arch"],
        f"{found['space']}, weights of leaf {found['leaf']} of {found['run']}",
        f"held-out accuracy, % of {found['images']} images ({what})",
        *rows,
        *map(difference_text, found["differences"]),
        f"all of it is in {found['folder']}",
        f"its accuracy on test images: cleave evaluate {folder}",
    ]


def figure(row: dict[str, Any]) -> str:
    """A mean with its interval."""
    between = "" if row["interval"] is None else " ({:.2f} to {:.2f})".format(*row["interval"])
    return f"{row['mean']:6.2f}{between}"


def difference_text(found: dict[str, Any]) -> str:
    one, other = found["rows"]
    between = "" if found["interval"] is None else " (95 % interval {:+.2f} to {:+.2f})".format(*found["interval"])
    return f"{one} against {other}: {found['mean']:+.2f} points{between}, n = {found['n']}"
