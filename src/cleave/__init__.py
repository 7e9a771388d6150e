"""cleave: weight-sharing neural architecture search that decides which networks should share weights."""

from importlib.metadata import version

__version__ = version("cleave-nas")
