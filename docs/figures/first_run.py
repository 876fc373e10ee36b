"""Draw the picture of the README: pairs with their differences, and the verdict after training.

    pairforge correct --from Qwen --to "Deep Qwen" && pairforge train dpo && python docs/figures/first_run.py

All figures in the picture are those of the latest run and of the model that was trained on it.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

import pairforge

# rich's own format loads a font from the network; any monospaced font will do.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def main() -> None:
    """Write docs/figures/first-run.svg."""
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, highlight=False)
    for command, result in (
        (
            'pairforge correct --from Qwen --to "Deep Qwen"; pairforge show --limit 2',
            pairforge.show(limit=2, quiet=True),
        ),
        ("pairforge train dpo", pairforge.evaluate(limit=200, quiet=True)),
    ):
        console.print(Text(f"$ {command}", style="bold"))
        console.print(result)
        console.print()
    picture = Path(__file__).with_name("first-run.svg")
    picture.write_text(
        console.export_svg(title="pairforge", theme=MONOKAI, code_format=FORMAT, unique_id="run"), "utf-8"
    )


if __name__ == "__main__":
    main()
