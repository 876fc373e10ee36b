"""How results look in a notebook, and how they become data frames."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import InputError

_WIDTH = 100  # columns
_PRE = '<pre style="line-height: normal; overflow-x: auto; font-family: monospace">{code}</pre>'
_STYLE = """<style>
.pairforge-result table { border-collapse: collapse; margin: .5em 0 }
.pairforge-result caption { caption-side: top; text-align: left; opacity: .75 }
.pairforge-result th, .pairforge-result td { padding: .2em .8em .2em 0; text-align: left; vertical-align: top }
.pairforge-result thead th { border-bottom: 1px solid }
.pairforge-result tbody th { font-weight: normal }
.pairforge-result .number { text-align: right }
.pairforge-result .turn { white-space: pre-wrap; margin: .2em 0 }
.pairforge-result .pass, .pairforge-result ins { color: #1a7f37; font-weight: bold }
.pairforge-result .fail, .pairforge-result del { color: #c0392b }
.pairforge-result .fail { font-weight: bold }
</style>"""


class HtmlRepr:
    """A result that a notebook shows: its `as_html`, else what a terminal would print, which rich renders."""

    def as_html(self) -> str:
        """Return the result as HTML, without styles."""
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

    def _repr_html_(self) -> str:
        shown = self.as_html()
        own = type(self).as_html is not HtmlRepr.as_html
        return f'{_STYLE}<div class="pairforge-result">{shown}</div>' if own else shown


def data_frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a `pandas.DataFrame`. Raises InputError where pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise InputError("to_pandas needs pandas, which is not installed", fix="pip install pandas") from None
    return pandas.DataFrame([*rows])
