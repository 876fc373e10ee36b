"""Figures as SVG text, drawn by matplotlib, which is an optional extra: `pip install "pairforge[plot]"`."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from .errors import InputError

_STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "#999",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#eee",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",  # texts stay texts
    "svg.hashsalt": "pairforge",  # the same figure gets the same ids
    "text.parse_math": False,  # a "$" in a name is a "$"
}
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEADING = 0.6, 0.15, 0.3, 0.45, 0.35  # margins of a panel, and the title, in inches


def require_matplotlib(purpose: str) -> None:
    """Raise InputError with the command that installs matplotlib, where it is missing."""
    if find_spec("matplotlib") is None:
        raise InputError(f"{purpose} needs matplotlib, which is not installed", fix='pip install "pairforge[plot]"')


def figure_svg(
    title: str,
    panels: Sequence[Callable[[Any], None]],
    columns: int = 3,
    size: tuple[float, float] = (3.0, 2.2),
) -> str:
    """Return a figure of small panels as a self-contained SVG; the same input gives the same bytes.

    Args:
        title: Shown above the panels, and the accessible name of the SVG.
        panels: One function a panel; each draws on the matplotlib `Axes` that it is given.
        columns: Panels in a row.
        size: Width and height of a panel, in inches.

    Raises:
        InputError: matplotlib is not installed.
    """
    require_matplotlib("drawing a figure")
    import matplotlib
    from matplotlib.figure import Figure

    file, width, height = io.StringIO(), columns * size[0], -(-len(panels) // columns) * size[1] + _HEADING
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update(_STYLE)
        # matplotlib measures texts by its own font; the viewer's fonts, which draw them, hold more.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(width, height), dpi=72)
        figure.text(_LEFT / width, 1 - _HEADING / 2 / height, title, size=10, weight="bold", va="center")
        for number, panel in enumerate(panels):
            row, column = divmod(number, columns)
            bottom = height - _HEADING - (row + 1) * size[1] + _BOTTOM
            inner = (size[0] - _LEFT - _RIGHT) / width, (size[1] - _TOP - _BOTTOM) / height
            panel(figure.add_axes(((column * size[0] + _LEFT) / width, bottom / height, *inner)))
        unset = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata={"Title": title, **unset})
    text = file.getvalue()
    return text[text.index("<svg") :]
