"""What is known of an exported network: the facts of card.json."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import Any

import cleave
from cleave.data.folder import open_folder
from cleave.data.reading import Reading
from cleave.deploy.table import installed
from cleave.export.deployed import OUTPUTS
from cleave.export.subject import Subject
from cleave.net.cost import cost_alone
from cleave.retrain.compare import of_images
from cleave.search.problem import image_of

CARD, README = "card.json", "README.md"
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")
"""Of which the versions are told that wrote an export."""
FASHION = ("MIT", "https://github.com/zalandoresearch/fashion-mnist")
CIFAR = ("none is stated by its authors", "https://www.cs.toronto.edu/~kriz/cifar.html")
IMAGENET = ("ImageNet's terms of access: for research that is not commercial", "https://image-net.org/download")
DATA = {
    "bundled": FASHION, "fashion-mnist": FASHION, "cifar10": CIFAR, "cifar100": CIFAR,
    "imagenet-1k": IMAGENET, "imagenet16-120": IMAGENET,
}  # fmt: skip
"""Licence and source of named image sets."""
UNKNOWN = ("not known to cleave", "given by whoever made the run")


def facts_of(subject: Subject) -> dict[str, Any]:
    """What the card says of a network, whatever the formats."""
    pixels, chosen = subject.pixels, subject.network
    name = subject.data.name
    licence, source = DATA.get(name, UNKNOWN)
    classes = subject.train.classes
    cost = cost_alone(chosen.network.layout, subject.arch, image_of(subject.train), len(classes))
    held = None if subject.held is None else {**subject.held, "interval": list(of_images(subject.held))}
    return {
        "title": f"An image classifier of {len(classes)} classes, a network of the space {subject.space.name}",
        "cleave": cleave.__version__,
        "run": str(subject.run),
        "next": subject.next,
        "space": subject.space.name,
        "arch": subject.space.format(subject.arch),
        "weights": subject.weights,
        "pretrained": None if subject.pretrained is None else dict(subject.pretrained),
        "classes": list(classes),
        "input": {
            "images": f"uint8 [n, {pixels.channels}, height, width], any number, any size",
            **vars(pixels),
            "mean": chosen.mean.flatten().tolist(),
            "std": chosen.std.flatten().tolist(),
        },
        "output": list(OUTPUTS),
        **cost.counts,
        "held_out": held,
        "data": {
            "name": Path(name).name if os.path.isdir(name) else name,
            "licence": licence,
            "source": source,
            "train": len(subject.train),
            "held_out": len(subject.valid),
        },
        "versions": {package: installed(package) for package in PACKAGES},
    }


def next_command(subject: Subject, out: Path) -> str:
    """What comes after an export: a look at an image file where the images are files, else what tells more."""
    name = subject.data.name
    if not os.path.isdir(name):
        return subject.next
    file = open_folder(Path(name), "train", None, Reading()).files[0]
    return f"cleave predict {quote(str(out))} {quote(os.path.join(name, file))}"
