"""The recipes of retraining that have a name, with the source of every constant.

P is the paper on gradient matching (arXiv 2203.15207, appendix D.2), C the published code of DARTS (Liu et al., 2019),
whose protocol it takes over; F the command of Few-Shot ProxylessNAS (Zhao et al., 2021), which trains by timm and which
P follows in the MobileNet space; U the published code of ProxylessNAS (Cai et al., 2019).
"""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path

from cleave.config import Raw
from cleave.errors import UserError, shown
from cleave.given import RecipeLike, raw_of

SHORT, FINETUNE = "short", "finetune"
MOBILE: Raw = {"name": "mobilenet-proxyless", "width": 1.0, "stem": "imagenet"}
CROPPED: Raw = {"image_size": 256, "view": 224, "resample": "bicubic", "use": "all"}
"""Images are judged by the middle 224 of 256 pixels, .875 of them."""
RECIPES: dict[str, Raw] = {
    # Of our own, for data of which nothing is known: it ends in minutes to hours and tells a held-out accuracy.
    SHORT: {
        "training": {
            "epochs": 50,
            "nesterov": True,
            "label_smoothing": 0.1,
            "drop_path": 0.1,
        },
    },
    # Of our own too: the same for weights that are good already, so with a smaller rate, which rises, and few epochs.
    FINETUNE: {
        "begin": {"weights": "supernet"},
        "training": {
            "epochs": 10,
            "learning_rate": 0.01,
            "learning_rate_warmup": 1,  # of more epochs than one
            "nesterov": True,
            "label_smoothing": 0.1,
        },
    },
    # The paper retrains as DARTS does; where its text and the code differ, the code's is here.
    "darts-cifar": {
        "space": {"name": "darts", "cells": 20, "channels": 36},  # P, C
        "data": {"name": "cifar10", "use": "all", "padding": 4, "flip": True},  # C: all 50,000 images, as usual there
        "training": {
            "epochs": 600,  # P, C
            "batch_size": 96,  # P, C
            "learning_rate": 0.025,  # C; P prints .0025
            "learning_rate_min": 0.0,  # C: cosine to 0
            "momentum": 0.9,  # P, C
            "weight_decay": 3e-4,  # P, C
            "clip": 5.0,  # C
            "auxiliary": 0.4,  # P, C
            "drop_path": 0.2,  # C, rising linearly; P prints .3
            "cutout": 16,  # P, C
        },
    },
    # How DARTS carries a cell over to ImageNet (its paper, section 3.3; C).
    "darts-imagenet": {
        "space": {"name": "darts", "cells": 14, "channels": 48, "stem": "imagenet"},  # C
        "data": {"image_size": 224, "use": "all"},
        "training": {
            "epochs": 250,
            "batch_size": 128,
            "learning_rate": 0.1,
            "learning_rate_decay": 0.97,  # after every epoch
            "momentum": 0.9,
            "weight_decay": 3e-5,
            "clip": 5.0,  # C
            "auxiliary": 0.4,
            "label_smoothing": 0.1,  # C
            "crop": 0.08,  # C, as torchvision's default
            "jitter": 0.4,  # C
        },
        "most_multiply_adds": 600_000_000,  # the mobile setting: less than 600 M
    },
    # How the networks of GM-NAS in the MobileNet space were trained.
    "gm-imagenet": {
        "space": MOBILE,
        "data": CROPPED,  # F
        "training": {
            "epochs": 450,  # F
            "batch_size": 1024,  # F: 8 GPUs x 128; torchrun divides it
            "optimizer": "rmsprop",  # F: timm's rmsproptf
            "rmsprop_alpha": 0.9,  # F
            "rmsprop_eps": 1e-3,  # F
            "momentum": 0.9,  # F
            "learning_rate": 0.064,  # F
            "learning_rate_warmup": 3,  # timm's default then
            "learning_rate_warmup_from": 1e-6,  # F
            "learning_rate_decay": 0.97,  # F
            "learning_rate_decay_epochs": 2.4,  # F
            "weight_decay": 1e-5,  # F
            "spare_norms": True,  # timm: not on what has one dimension
            "clip": None,
            "ema": 0.9999,  # F
            "label_smoothing": 0.1,  # F
            "crop": 0.08,  # timm's default
            "auto_augment": "rand-m9-mstd0.5",  # F
            "erasing": 0.2,  # F
            "erasing_noise": True,  # F: pixel
        },
    },
    # How ProxylessNAS trained its networks (U); dropout is .1 for the mobile one, .2 for CPUs, .3 for GPUs.
    "proxyless-imagenet": {
        "space": MOBILE,
        "data": CROPPED,
        "training": {
            "epochs": 300,  # U
            "batch_size": 256,  # U
            "learning_rate": 0.05,  # U, cosine to 0
            "momentum": 0.9,  # U
            "nesterov": True,  # U
            "weight_decay": 4e-5,  # U
            "spare_norms": True,  # U: not on normalisations
            "clip": None,
            "label_smoothing": 0.1,  # U
            "dropout": 0.1,  # U
            "crop": 0.08,  # U
        },
    },
}


def is_named(recipe: RecipeLike) -> bool:
    """Whether it is the name of one."""
    return isinstance(recipe, str) and recipe in RECIPES


def read_recipe(recipe: RecipeLike) -> Raw:
    """A recipe that has a name, is in a file, or is given, as a mapping of its own."""
    if isinstance(recipe, str) and recipe in RECIPES:
        return deepcopy(RECIPES[recipe])
    if isinstance(recipe, str | Path) and not os.path.isfile(recipe):
        raise UserError(f"recipe {shown(str(recipe))}: is neither a file nor one of {', '.join(RECIPES)}")
    return raw_of(recipe)
