"""Networks handed over: files that run without cleave, checked on the run's own images (`cleave.export(...)`)."""

from cleave.callable_module import make_callable

make_callable(__name__)
