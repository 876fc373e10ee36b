"""The figures of a page: in its colours, each with a title and ids of its own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from pairforge.evaluation.verdict_html import Estimate, Measure
from pairforge.reporting.charts import Bar, Charts


def test_figures_have_titles_ids_of_their_own_and_the_colours_of_the_page() -> None:
    charts = Charts()
    measures = [
        Measure("<a>", Estimate(0.5, 0.4, 0.6), ok=False, before=Estimate(0.1, 0.0, 0.2)),
        Measure("b", Estimate(1, 1, 1)),
    ]
    made = [
        charts.bars("Bars <of> it", [Bar("<script>" * 20, 3), Bar("none", 0)]),
        charts.histogram("One value", {"margin": [2.0, 2.0]}, "margin"),
        charts.histogram("Two", {"chosen": [1, 2, 900], "rejected": [3, 4, 5]}, "characters"),
        charts.intervals("Shares", measures),
    ]
    page = ElementTree.fromstring(f"<main>{''.join(made)}</main>")
    ids = [one.get("id") for one in page.iter() if one.get("id")]
    assert len(ids) == len({*ids}) and not charts.left_out
    titles = [one.findtext("title") for one in page.iter("svg")]
    assert titles == ["Bars <of> it", "One value", "Two", "Shares"]
    assert all(one.get("role") == "img" and one.get("aria-labelledby") in ids for one in page.iter("svg"))
    assert not [one for one in page.iter() if one.get("style")], "the page allows no style but its own"
    used = {one.get(name) for one in page.iter() for name in ("fill", "stroke")}
    assert not {color for color in used if color and re.match("#", color)}, "each follows light and dark"
    assert any("<script>" in (text.text or "") for text in page.iter("text"))
