"""How well trained supernets rank the architectures of their space, compared with accuracies after training alone."""

from cleave.callable_module import make_callable

make_callable(__name__)
