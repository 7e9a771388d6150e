"""Draws what `cleave show RUN` prints, for the README.

python scripts/draw_readme_picture.py RUN docs/search.svg
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from cleave.run.view import view
from cleave.terminal import print_run


def main(run: str, picture: str) -> None:
    """The terminal at 100 columns as an SVG that needs no font from elsewhere."""
    console = Console(width=100, record=True, file=io.StringIO(), highlight=False)
    print_run(view(Path(run)), console)
    svg = console.export_svg(title="cleave search", clear=False)
    Path(picture).write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
