"""The search: a tree of regions, a learner for each, one architecture at the end."""

from cleave.callable_module import make_callable

make_callable(__name__)
