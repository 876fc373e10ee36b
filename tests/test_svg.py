"""Figures are the same for the same input, whatever the user's matplotlib is set to, and leave its settings alone."""

from __future__ import annotations

import sys
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest

from pairforge.errors import InputError
from pairforge.svg import ALARM, figure_svg, inline, require_matplotlib


def test_figures_do_not_depend_on_settings_of_the_user() -> None:
    plain = figure_svg("A $title$", [lambda axes: axes.plot([1, 2], [3, 4])])
    assert plain.startswith("<svg") and "<dc:date>" not in plain and "A $title$" in plain
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.grid": False}):
        assert figure_svg("A $title$", [lambda axes: axes.plot([1, 2], [3, 4])]) == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_a_missing_matplotlib_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    require_matplotlib("--svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="--svg needs matplotlib, which is not installed") as error:
        require_matplotlib("--svg")
    assert error.value.fix == 'pip install "pairforge[plot]"'


def test_a_figure_in_a_page_has_no_style_of_its_own_and_ids_that_no_other_has() -> None:
    def panel(axes: Any) -> None:
        axes.plot([1, 2], [3, 4], color=ALARM)
        axes.set_title('<b>style="fill: red"</b>', weight="bold")

    svg = figure_svg("One", [panel], columns=1, headed=False)
    one, other = (ElementTree.fromstring(inline(svg, name)) for name in ("f1", "f2"))
    assert one.get("role") == "img" and one.findtext("title") == "One"
    ids, others = ({part.get("id") for part in made.iter() if part.get("id")} for made in (one, other))
    assert ids and not ids & others
    used = {part.get("href", "") for part in one.iter("use")} | {part.get("clip-path", "") for part in one.iter()}
    assert {name.strip("url()#") for name in used if name} <= ids
    assert not [part for part in one.iter() if part.get("style") or part.tag in ("style", "metadata")]
    assert "var(--alarm)" in {part.get("stroke") for part in one.iter()}
    [title] = [text for text in one.iter("text") if "style" in (text.text or "")]
    assert title.text == '<b>style="fill: red"</b>' and title.get("font-weight") and title.get("font-size")


def test_the_font_of_an_older_matplotlib_is_read() -> None:
    text = '<svg viewBox="0 0 1 1"><text style="font: 700 9px &apos;DejaVu Sans&apos;; text-anchor: end">a</text></svg>'
    [shown] = ElementTree.fromstring(inline(text, "f")).iter("text")
    assert shown.attrib == {"font-size": "9px", "font-weight": "700", "text-anchor": "end"}
