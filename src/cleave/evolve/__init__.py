"""Architectures under other limits, found by evolution in the supernets that a search has trained."""

from cleave.callable_module import make_callable

make_callable(__name__)
