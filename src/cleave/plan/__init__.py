"""`cleave plan`: what a search will take, before it runs."""

from cleave.callable_module import make_callable
from cleave.plan.plan import plan_search
from cleave.plan.text import text

__all__ = ["plan_search", "text"]

make_callable(__name__)
