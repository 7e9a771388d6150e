"""Every figure of "Deeper Insights into Weight Sharing" (2001.01431), and some more, as functions of a log."""

from cleave.study.telling.figures.catalogue import FIGURES, Drawings, draw, save
from cleave.study.telling.figures.drawing import Drawn, Lacking, Subject

__all__ = ["FIGURES", "Drawings", "Drawn", "Lacking", "Subject", "draw", "save"]
