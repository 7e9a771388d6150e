"""The methods by the spaces that they work on."""

from cleave.method import METHODS

EVERYWHERE = [name for name, kind in METHODS.items() if not kind.elastic]
ELASTIC = [name for name, kind in METHODS.items() if kind.elastic]
"""On spaces only whose networks are parts of a largest one."""
