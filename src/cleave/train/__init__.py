"""Weights in training (`Trainer`), and children judged under them (`Evaluator`)."""

from cleave.callable_module import make_callable
from cleave.train.averages import Averages
from cleave.train.evaluator import Child, Evaluator
from cleave.train.losses import Loss, Pass, Path, distilling, smoothed, supervised, whole
from cleave.train.statistics import BATCH, INITIAL, RECALIBRATED, TRACKED, Statistics
from cleave.train.trainer import Sgd, Trainer

__all__ = [
    "BATCH",
    "INITIAL",
    "RECALIBRATED",
    "TRACKED",
    "Averages",
    "Child",
    "Evaluator",
    "Loss",
    "Pass",
    "Path",
    "Sgd",
    "Statistics",
    "Trainer",
    "distilling",
    "smoothed",
    "supervised",
    "whole",
]

make_callable(__name__)
