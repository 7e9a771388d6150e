"""Small benchmarks in the layouts in which NAS-Bench-201 and NATS-Bench are published, with known means."""

from __future__ import annotations

import bz2
import itertools
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
PLACES = {  # data set of a run, part it is measured on -> column of the table
    ("cifar10-valid", "x-valid"): "cifar10_valid",
    ("cifar10", "ori-test"): "cifar10_test",
    ("cifar100", "x-valid"): "cifar100_valid",
    ("cifar100", "x-test"): "cifar100_test",
    ("ImageNet16-120", "x-valid"): "imagenet16_valid",
    ("ImageNet16-120", "x-test"): "imagenet16_test",
}
PARTS = {
    "cifar10-valid": ["x-valid", "ori-test"],
    "cifar10": ["ori-test"],
    "cifar100": ["x-valid", "x-test", "ori-test"],
    "ImageNet16-120": ["x-valid", "x-test", "ori-test"],
}


@dataclass
class Published:
    """`archs` in official order; `infos[index]` = {"200": record, "12": record}; the means to expect."""

    archs: list[str]
    infos: dict[int, dict[str, Any]]
    means: dict[str, list[float]]

    def folder(self, path: Path) -> Path:
        path.mkdir()
        compress(path / "meta.pickle.pbz2", {"meta_archs": self.archs, "evaluated_indexes": set(self.infos)})
        for index, info in self.infos.items():
            compress(path / f"{index:06d}.pickle.pbz2", info)
        return path

    def file(self, path: Path) -> Path:
        return compress(path, self.content({"200": "200", "12": "12"}))

    def torch_file(self, path: Path, zipped: bool = True) -> Path:
        torch.save(self.content({"200": "full", "12": "less"}), path, _use_new_zipfile_serialization=zipped)
        return path

    def content(self, names: dict[str, str]) -> dict[str, Any]:
        infos = {index: {names[key]: record for key, record in info.items()} for index, info in self.infos.items()}
        # The published files list their records in no particular order.
        backwards = OrderedDict(reversed(infos.items()))
        return {"meta_archs": self.archs, "arch2infos": backwards, "evaluated_indexes": set(infos)}


def compress(path: Path, content: object) -> Path:
    with bz2.open(path, "wb") as file:
        pickle.dump(content, file, protocol=4)
    return path


def publish(rng: np.random.Generator, count: int = 6) -> Published:
    """A benchmark of `count` random architectures, each trained with one to three seeds."""
    every = list(itertools.product(OPERATIONS, repeat=6))
    archs = ["|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*ops) for ops in rng.permutation(every)[:count]]
    made = Published(archs, {}, {})
    for index, arch in enumerate(archs):
        seeds = [777, 888, 999][: rng.integers(1, 4)]
        made.infos[index] = {
            "12": _record(rng, made.means, "e12_", index, arch, 12, [777]),
            "200": _record(rng, made.means, "", index, arch, 200, seeds),
        }
        made.means.setdefault("seeds", []).append(len(seeds))
    return made


def _record(
    rng: np.random.Generator,
    means: dict[str, list[float]],
    prefix: str,
    index: int,
    arch: str,
    epochs: int,
    seeds: list[int],
) -> dict[str, Any]:
    size = rng.uniform(0.07, 1.6)
    runs: dict[tuple[str, int], dict[str, Any]] = {}
    for dataset in PARTS:
        for seed in seeds:
            runs[dataset, seed] = _run(rng, dataset, arch, epochs, seed, size)
    for (dataset, part), column in PLACES.items():
        last = [runs[dataset, seed]["eval_acc1es"][f"{part}@{epochs - 1}"] for seed in seeds]
        means.setdefault(prefix + column, []).append(np.mean(last))
    if not prefix:
        for dataset, name in {"cifar10-valid": "cifar10valid", "cifar100": "cifar100"}.items():
            spent = [sum(runs[dataset, seed]["train_times"].values()) for seed in seeds]
            means.setdefault(f"train_s_{name}", []).append(np.mean(spent))
        means.setdefault("params_mb_cifar10", []).append(size)
    return {
        "arch_index": index,
        "arch_str": arch,
        "all_results": runs,
        "dataset_seed": {dataset: list(seeds) for dataset in PARTS},
        "clear_net_done": True,
    }


def _run(rng: np.random.Generator, dataset: str, arch: str, epochs: int, seed: int, size: float) -> dict[str, Any]:
    kind = rng.choice([float, np.float64, np.float32])
    accuracies = {f"{part}@{epoch}": kind(rng.uniform(1, 99)) for part in PARTS[dataset] for epoch in _epochs(epochs)}
    return {
        "name": "infer.tiny",
        "net_state_dict": None,
        "train_acc1es": OrderedDict((epoch, np.float64(rng.uniform(1, 99))) for epoch in _epochs(epochs)),
        "train_acc5es": None,
        "train_losses": OrderedDict((epoch, rng.uniform(0, 5)) for epoch in _epochs(epochs)),
        "train_times": OrderedDict((epoch, rng.uniform(2, 9)) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": arch, "class_num": 10},
        "params": size,
        "flop": rng.uniform(7, 220),
        "seed": seed,
        "epochs": epochs,
        "latency": [rng.uniform(0.01, 0.03)],
        "eval_names": PARTS[dataset],
        "eval_acc1es": accuracies,
        "eval_times": {place: rng.uniform(0.1, 1) for place in accuracies},
        "eval_losses": {place: np.float64(rng.uniform(0, 5)) for place in accuracies},
    }


def _epochs(epochs: int) -> list[int]:
    """The benchmark measures at some epochs only; the last is always among them."""
    return [0, epochs // 2, epochs - 1]
