"""Figures as SVG text, drawn by matplotlib, which is an optional extra: `pip install "pairforge[plot]"`."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from xml.etree import ElementTree

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


CHOSEN, REJECTED, ALARM, OTHER = "#2b6cb0", "#e08e45", "#c0392b", "#8899aa"
"""The colours of the two sides of a pair, of what is wrong or marked, and of all else."""
_OF_PAGE = {
    "#ffffff": "none", "#000000": "currentColor", "#eeeeee": "var(--line)", "#999999": "var(--faint)",
    CHOSEN: "var(--chosen)", REJECTED: "var(--rejected)", ALARM: "var(--alarm)", OTHER: "var(--faint)",
}  # fmt: skip
_FONT = re.compile(r"(?:(?P<weight>bold|\d{3}) )?(?P<size>[\d.]+px) ")


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def require_matplotlib(purpose: str) -> None:
    """Raise InputError with the command that installs matplotlib, where it is missing."""
    if not can_draw():
        raise InputError(f"{purpose} needs matplotlib, which is not installed", fix='pip install "pairforge[plot]"')


def figure_svg(
    title: str,
    panels: Sequence[Callable[[Any], None]],
    columns: int = 3,
    size: tuple[float, float] = (3.0, 2.2),
    *,
    headed: bool = True,
) -> str:
    """Return a figure of small panels as a self-contained SVG; the same input gives the same bytes.

    Args:
        title: Shown above the panels, and the accessible name of the SVG.
        panels: One function a panel; each draws on the matplotlib `Axes` that it is given.
        columns: Panels in a row.
        size: Width and height of a panel, in inches.
        headed: Show the title above the panels.

    Raises:
        InputError: matplotlib is not installed.
    """
    require_matplotlib("drawing a figure")
    import matplotlib
    from matplotlib.figure import Figure

    heading = _HEADING if headed else 0.0
    file, width, height = io.StringIO(), columns * size[0], -(-len(panels) // columns) * size[1] + heading
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update(_STYLE)
        # matplotlib measures texts by its own font; the viewer's fonts, which draw them, hold more.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(width, height), dpi=72)
        if headed:
            figure.text(_LEFT / width, 1 - _HEADING / 2 / height, title, size=10, weight="bold", va="center")
        for number, panel in enumerate(panels):
            row, column = divmod(number, columns)
            bottom = height - heading - (row + 1) * size[1] + _BOTTOM
            inner = (size[0] - _LEFT - _RIGHT) / width, (size[1] - _TOP - _BOTTOM) / height
            panel(figure.add_axes(((column * size[0] + _LEFT) / width, bottom / height, *inner)))
        unset = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata={"Title": title, **unset})
    text = file.getvalue()
    return text[text.index("<svg") :]


def inline(svg: str, name: str) -> str:
    """Return a figure of `figure_svg` as a part of an HTML page.

    It has no style of its own: colours are those of the page (the variables --chosen, --rejected, --alarm, --line and
    --faint), so that they follow light and dark. `name` begins its ids, which are unique in the page then.
    """
    root = ElementTree.fromstring(svg)
    for parent in [*root.iter()]:
        for child in [*parent]:
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
        given = {key.rpartition("}")[2]: value for key, value in one.attrib.items()}
        for key, value in _properties(given.pop("style", "")):
            given[key] = _OF_PAGE.get(value, value)
        one.text, one.tail = ((text if text and text.strip() else None) for text in (one.text, one.tail))
        if (own := given.pop("id", "")) and one.tag != "g":  # nothing refers to a group
            given["id"] = f"{name}-{own}"
        if given.get("href", "").startswith("#"):
            given["href"] = f"#{name}-{given['href'][1:]}"
        if "clip-path" in given:
            given["clip-path"] = given["clip-path"].replace("url(#", f"url(#{name}-")
        one.attrib.clear()
        one.attrib.update(given)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update(viewBox=box, role="img", fill="currentColor")
    if (title := root.find("title")) is not None:
        title.set("id", f"{name}-title")
        root.set("aria-labelledby", f"{name}-title")
    root.set("stroke-linejoin", "round")
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _properties(style: str) -> Iterator[tuple[str, str]]:
    """Yield the properties of a style attribute as attributes of an element; fonts are those of the page."""
    for key, _, value in (part.strip().partition(": ") for part in style.split(";")):
        if key == "font" and (font := _FONT.match(value)):  # of an older matplotlib
            yield "font-size", font["size"]
            yield from [("font-weight", font["weight"])] if font["weight"] else []
        elif key and key not in ("font", "font-family"):
            yield key, value
