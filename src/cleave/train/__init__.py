"""Weights in training (`Trainer`), and children judged under them (`Evaluator`)."""

from cleave.callable_module import make_callable
from cleave.train.averages import Averages
from cleave.train.evaluator import Child, Evaluator
from cleave.train.losses import Loss, Pass, Path, distilling, smoothed, supervised, taught, whole
from cleave.train.optimisers import Optimiser, RmsProp, Sgd
from cleave.train.statistics import BATCH, INITIAL, RECALIBRATED, TRACKED, Statistics
from cleave.train.trainer import StepWatch, Trainer

__all__ = [
    "BATCH",
    "INITIAL",
    "RECALIBRATED",
    "TRACKED",
    "Averages",
    "Child",
    "Evaluator",
    "Loss",
    "Optimiser",
    "Pass",
    "Path",
    "RmsProp",
    "Sgd",
    "Statistics",
    "StepWatch",
    "Trainer",
    "distilling",
    "smoothed",
    "supervised",
    "taught",
    "whole",
]

make_callable(__name__)
