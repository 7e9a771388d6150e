"""A front for the eye, at most 80 columns but for architectures, which are in one piece to be copied."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

LEGEND = """\
Accuracies are of the held-out images that the members were chosen by, under the
weights of the search: they compare members, and are no promise."""


def print_front(front: dict[str, Any], console: Console | None = None) -> None:
    """What `cleave front` found, on stdout unless another console is given."""
    console = console or Console(highlight=False)
    timed = any("latency" in member for member in front["members"])
    console.print(
        Text(f"{'multiply-adds':>15} {'parameters':>12}{'ms' * timed:>{10 * timed}}  held-out accuracy [95 %]")
    )
    for member in front["members"]:
        low, high = member["interval"]
        accuracy = f"{member['valid_accuracy']:6.2f} % [{low:.1f}, {high:.1f}]"
        latency = f"{member['latency']:10.3f}" if "latency" in member else ""
        console.print(Text(f"{member['macs']:15,} {member['params']:12,}{latency}  {accuracy}  leaf {member['leaf']}"))
        console.print(Text(f"  {member['arch']}"), soft_wrap=True)
    console.print(Text(LEGEND))
    looked = f"{front['looked_at']} architectures looked at; hypervolume {front['hypervolume']:.4f}"
    console.print(Text(f"{looked}; {front['seconds']:.0f} s; all of it is in {front['file']}"), soft_wrap=True)
    console.print(Text(f"next: {front['next']}"), soft_wrap=True)
