"""HTML for reports and notebooks, in which a text from outside is only text: what is not `Markup` is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from .text import visible

_NUMBER = re.compile(r"[-+\d.,%\s–/of\[\]()]*")


def element(tag: str, *inside: object, **attributes: str) -> Markup:
    """Return an element; `class_="x"` gives the attribute `class`, `aria_label` gives `aria-label`."""
    given = (Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), Markup("").join(given), joined(inside))


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Return parts as one; control and invisible characters of a text are shown as escapes."""
    return Markup(between).join(
        part if isinstance(part, Markup) else escape(visible(str(part))) for part in parts if part is not None
    )


def paragraphs(lines: Iterable[object], **attributes: str) -> Markup:
    """Return a paragraph for each line."""
    return joined(element("p", line, **attributes) for line in lines)


def table(columns: Sequence[object], rows: Iterable[Sequence[object]], caption: str) -> Markup:
    """Return a table; the first cell of a row is its heading, and columns of numbers are right-aligned.

    `caption` says what the table is, to those who do not see it, too.
    """
    rows = [[*row] for row in rows]
    kinds = [
        "number" if rows and all(_NUMBER.fullmatch(str(row[place])) for row in rows) else "text"
        for place in range(len(columns))
    ]
    head = [
        element("th", name, scope="col", class_=kind) if name else element("td")
        for name, kind in zip(columns, kinds, strict=True)
    ]
    body = [
        element("tr", element("th", first, scope="row", class_=kinds[0], dir="auto"), *(
            element("td", cell, class_=kind, dir="auto") for cell, kind in zip(rest, kinds[1:], strict=True)
        ))
        for first, *rest in rows
    ]  # fmt: skip
    made = element(
        "table", element("caption", caption), element("thead", element("tr", *head)), element("tbody", *body)
    )
    return element("div", made, class_="scroll", role="region", tabindex="0", aria_label=caption)
