"""From a folder of images to the best network that a machine, a time and limits allow."""

from cleave.callable_module import make_callable

make_callable(__name__)
