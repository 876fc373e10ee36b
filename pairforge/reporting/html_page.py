"""The frame of a report: one self-contained page under a policy that allows its own style and nothing else."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ..html import element, joined, paragraphs

GENERATOR = '<meta name="generator" content="pairforge report">'
"""By which a file is known to be a report, which a new one may replace."""
_PAGE = Markup(
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; "
    "base-uri 'none'; form-action 'none'\">\n{generator}\n"
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="referrer" content="no-referrer">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
)


@dataclass(frozen=True)
class Section:
    """A part of a report: its heading, and what is below it."""

    title: str
    parts: Sequence[object]

    @property
    def anchor(self) -> str:
        """The id by which the page links to it."""
        return "".join(letter if letter.isalpha() else "-" for letter in self.title.lower())

    def html(self) -> Markup:
        """Return the section; texts among its parts become paragraphs."""
        parts = (part if isinstance(part, Markup) else element("p", part) for part in self.parts if part)
        heading = element("h2", self.title, id=f"{self.anchor}-title")
        return element("section", heading, *parts, id=self.anchor, aria_labelledby=f"{self.anchor}-title")


def page(
    title: str, lead: Sequence[object], tiles: Mapping[str, object], sections: Sequence[Section], end: Sequence[object]
) -> str:
    """Return the whole page; the same parts give the same bytes."""
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    shown = (element("div", element("dt", name), element("dd", value)) for name, value in tiles.items())
    links = (element("li", element("a", one.title, href=f"#{one.anchor}")) for one in sections)
    body = [
        element("header", element("h1", title), paragraphs(lead, class_="lead"), element("dl", *shown, class_="tiles")),
        element("nav", element("ul", *links), aria_label="Sections"),
        *(one.html() for one in sections),
        element("footer", paragraphs(end, class_="note")),
    ]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _PAGE.format(
        hash=digest, generator=Markup(GENERATOR), title=title, style=Markup(style), body=joined(body, "\n")
    )
