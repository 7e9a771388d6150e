"""`cleave design` on three folders, several seeds each: what docs/results/journey.md tells.

    python scripts/run_journey.py --data-root FOLDER --out runs/journey [--time 15m] [--seeds 0,1] [--at-once 2]

FOLDER has CIFAR-10 and CIFAR-100. The first folder has 20 classes of CIFAR-100 with 100 images each and 50 test images,
the second is of 3,000 bundled images, the third has five classes of CIFAR-10 with 400, 200, 100, 60 and 40 images and
as many test images; those are all of the published test parts. So many designs run at once, each on one thread. What is
finished is not done again. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from PIL import Image

from cleave.data.images import Part
from cleave.data.sources import load

UNEQUAL = (400, 200, 100, 60, 40)
"""Images of each class of the third folder."""
CLASSES, EACH, TEST = 20, 100, 50


def write(images_of: str, root: Path, part: Part, out: Path, counts: Sequence[int]) -> None:
    """The first images of the first classes, so many of each, as files."""
    images = load(images_of, part, root)
    for label, count in enumerate(counts):
        folder = out / part / images.classes[label].replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        chosen = (images.labels == label).nonzero().flatten()[:count]
        for number, pixels in enumerate(images.pixels[chosen]):
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(folder / f"{number:04d}.png")


def folders(root: Path, out: Path) -> dict[str, list[str]]:
    """The arguments that name the images, by folder."""
    cifar100, unequal = out / "cifar100-20x100", out / "unequal-5"
    if not cifar100.exists():
        write("cifar100", root, "train", cifar100, [EACH] * CLASSES)
        write("cifar100", root, "test", cifar100, [TEST] * CLASSES)
    if not unequal.exists():
        write("cifar10", root, "train", unequal, UNEQUAL)
        write("cifar10", root, "test", unequal, UNEQUAL)
    return {
        "cifar100-20x100": ["--data", str(cifar100)],
        "bundled-3000": ["--data", "bundled", "--set", "data.limit=3000"],
        "unequal-5": ["--data", str(unequal)],
    }


def design(images: list[str], seed: int, time: str, out: Path) -> dict[str, object]:
    """The outcome of a design, which is done or gone on with."""
    command = ["resume", str(out)] if (out / "design.yaml").exists() else [
        "design", *images, "--time", time, "--seed", str(seed), "--threads", "1", "--out", str(out)
    ]  # fmt: skip
    log = out.with_name(f"{out.name}.log")
    with log.open("a", encoding="utf-8") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "cleave", *command, "--json"], stdout=subprocess.PIPE, stderr=file, check=False
        )
    if ended.returncode:
        raise SystemExit(f"{out}: ended with {ended.returncode}; see {log}")
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--time", default="15m")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    images = folders(given.data_root, given.out)
    cases = list(product(map(int, given.seeds.split(",")), images))
    with ThreadPoolExecutor(given.at_once) as pool:
        runs = [
            pool.submit(design, images[name], seed, given.time, given.out / f"{name}-seed{seed}")
            for seed, name in cases
        ]
        found = [run.result() for run in runs]
    for (seed, name), each in zip(cases, found, strict=True):
        print(f"{name}, seed {seed}: {each['seconds']:.0f} s")
        for network in each["networks"]:  # type: ignore[attr-defined]
            test = network["test"] or {"accuracy": float("nan"), "interval": (float("nan"),) * 2}
            print(
                f"| {network['name']} | {network['epochs']} | {network['held_out']['accuracy']:.2f} | "
                f"{test['accuracy']:.2f} ({test['interval'][0]:.1f} to {test['interval'][1]:.1f}) | "
                f"{network['multiply_adds']:,} | {network['latency_ms']:.2f} |"
            )


if __name__ == "__main__":
    main()
