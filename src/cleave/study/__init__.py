"""The weight-sharing study: supernets trained under policies of sharing, looked at again and again (2001.01431)."""

from cleave.callable_module import make_callable

make_callable(__name__)
