"""How results look in a notebook."""

from __future__ import annotations

import io

_WIDTH = 100  # columns
_PRE = '<pre style="line-height: normal; overflow-x: auto; font-family: monospace">{code}</pre>'


class HtmlRepr:
    """A result that a notebook shows as a terminal would print it; its class renders itself with rich."""

    def _repr_html_(self) -> str:
        from rich.console import Console

        console = Console(
            file=io.StringIO(),
            record=True,
            width=_WIDTH,
            force_terminal=True,
            force_jupyter=False,
            color_system="truecolor",
            no_color=False,
            highlight=False,
            markup=False,
            legacy_windows=False,
        )
        console.print(self)
        return console.export_html(inline_styles=True, code_format=_PRE)
