"""An export told to people: its README.md, and what `cleave export` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cleave.export.check import AGREEMENT, BATCHES, CLOSE


def readme_of(card: Mapping[str, Any], usage: Mapping[str, str]) -> str:
    """What a card says. `usage`: Python that classifies image.png, by format."""
    parts = [f"# {card['title']}", "\n".join(told(card)), checks_text(card), int8_text(card)]
    parts += [f"## {name}\n\n```python\n{code}\n```" for name, code in usage.items()]
    classes = ", ".join(f"{number} {name}" for number, name in enumerate(card["classes"]))
    parts += [f"## Classes\n\n{classes}", "All of this, for programs, is in card.json."]
    return "\n\n".join(part for part in parts if part) + "\n"


def told(card: Mapping[str, Any]) -> list[str]:
    """What it is, line by line."""
    given, data = card["input"], card["data"]
    size, view = given["size"], given["view"]
    seen = f"{size} x {size} pixels" if size == view else f"{size} x {size} pixels, of which it sees the middle {view}"
    return [
        f"- Architecture: `{card['arch']}`",
        f"- Weights: {card['weights']}{pretrained_text(card['pretrained'])}",
        f"- From the run `{card['run']}`, by cleave {card['cleave']}",
        f"- Costs: {card['parameters']:,} parameters, {card['multiply_adds']:,} multiply-adds of an image",
        f"- Accuracy: {accuracy_text(card['held_out'])}",
        f"- In: {given['images']}. The middle square is brought to {seen} ({given['resample']}, antialiased) and "
        "normalised inside",
        "- Out: probabilities [n, classes], then logits",
        f"- Trained on: {data['train']:,} images of {data['name']}",
        f"- Licence of these images: {data['licence']}; source: {data['source']}",
    ]


def pretrained_text(known: Mapping[str, Any] | None) -> str:
    """Whose weights it began with, with their licence."""
    said = ", ".join(f"{key}: {value}" for key, value in (known or {}).items())
    return f". It began with pretrained weights ({said})" if said else ""


def accuracy_text(held: Mapping[str, Any] | None) -> str:
    if held is None:
        return "not known: all images were trained on"
    low, high = held["interval"]
    return (
        f"{held['accuracy']:.2f} % of {held['images']:,} held-out images (95 % interval {low:.1f} to {high:.1f}), "
        f"balanced {held['balanced_accuracy']:.2f} %. A search chooses by such images; test images tell more: "
        "`cleave evaluate` of a training"
    )


def checks_text(card: Mapping[str, Any]) -> str:
    check = card["check"]
    which = "held-out images" if check["held_out"] else "training images, as none are held out"
    lines = [
        f"Checked against the run's own network on {check['images']} {which}, in batches of "
        f"{' and '.join(map(str, BATCHES))} ({AGREEMENT} % of first classes and logits to {CLOSE:.0e} are needed):",
        "",
        *(f"- {name}: {agreement_text(found)}" for name, found in check["formats"].items()),
    ]
    return "\n".join(lines)


def agreement_text(found: Mapping[str, Any]) -> str:
    resized = found["resized"]
    return (
        f"the same class for {found['top1']:.2f} %, logits to {found['distance']:.1e}; of another size "
        f"{resized['top1']:.2f} %, to {resized['distance']:.1e}"
    )


def int8_text(card: Mapping[str, Any]) -> str:
    """Accuracy and latency beside those of the float network."""
    found = card["int8"]
    if found is None:
        return ""
    rows = [
        f"| {kind} | {each['accuracy']:.2f} % ({each['interval'][0]:.1f} to {each['interval'][1]:.1f}) "
        f"| {each['milliseconds']:.3f} ms | {each['bytes']:,} |"
        for kind, each in found["figures"].items()
    ]
    return "\n".join(
        [
            f"`{found['file']}` computes convolutions and linear layers in int8, calibrated on "
            f"{found['calibration_images']} training images; the same class as in float32 for "
            f"{found['top1']:.2f} % of the images. One image, one thread of {found['device']}:",
            "",
            "| | accuracy | latency | bytes |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def summary(found: Mapping[str, Any]) -> list[str]:
    """What `cleave export` prints."""
    check = found["check"]
    which = "held-out" if check["held_out"] else "training"
    files: Sequence[str] = sorted(found["files"])
    lines = [
        f"{found['folder']}: {', '.join(files)}",
        f"{found['parameters']:,} parameters, {found['multiply_adds']:,} multiply-adds of an image",
        f"accuracy: {accuracy_text(found['held_out'])}",
        f"answers as the run's own network does, by {check['images']} {which} images:",
        *(f"  {name}: {agreement_text(each)}" for name, each in check["formats"].items()),
    ]
    if found["int8"] is not None:
        lines += [f"  {kind}: {figures_text(each)}" for kind, each in found["int8"]["figures"].items()]
    return [*lines, f"next: {found['next']}"]


def figures_text(figures: Mapping[str, Any]) -> str:
    (low, high), size = figures["interval"], figures["bytes"]
    accuracy = f"{figures['accuracy']:.2f} % of them right (95 % interval {low:.1f} to {high:.1f})"
    return f"{accuracy}, {figures['milliseconds']:.3f} ms for one by one thread, {size:,} bytes"
