"""The plot is a sound SVG, in which texts from outside are texts."""

from __future__ import annotations

import math
import random
from typing import Any
from xml.etree import ElementTree

import pytest
from support import pair

from pairforge.checks.shortcuts import audit
from pairforge.checks.shortcuts.plot import Point

WORDS = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in "mnrst"]
SVG = "{http://www.w3.org/2000/svg}"


def rows(count: int) -> list[dict[str, Any]]:
    """A third of the chosen answers hold a word of their own."""
    rng = random.Random(0)
    made = []
    for number in range(count):
        texts = [" ".join(rng.choices(WORDS, k=12)) for _ in range(2)]
        texts[0] += " zephyr now" if rng.random() < 0.3 else ""
        made.append(pair(*texts, f"Question {number}"))
    return made


def test_findings_are_named_and_the_curve_is_drawn() -> None:
    report = audit(rows(300))
    picture = ElementTree.fromstring(report.svg())
    texts = [element.text for element in picture.iter(f"{SVG}text")]
    assert report.cues[0].feature in texts
    groups = {group.get("id") or "": group for group in picture.iter(f"{SVG}g")}
    assert {"significance-upper", "significance-lower"} <= set(groups)
    place = {name: float(next(groups[name].iter(f"{SVG}use")).get("y", "nan")) for name in ("finding-0", "ytick_6")}
    assert place["finding-0"] == pytest.approx(place["ytick_6"]), "it wins all, so it is at 100 %"
    assert report.svg() == report.svg()


def test_names_are_escaped() -> None:
    report = audit(rows(300))
    object.__setattr__(report, "points", (Point(50, 0.9, True, "</text><script>\x1b\u202e& $x^2$"),))
    picture = ElementTree.fromstring(report.svg())
    assert not list(picture.iter(f"{SVG}script"))
    assert any("</text><script>\\x1b\\u202e& $x^2$" in (text.text or "") for text in picture.iter(f"{SVG}text"))


def test_the_curve_is_where_features_become_significant() -> None:
    report = audit(rows(300))
    for point in report.points:
        z = abs(2 * point.win_rate - 1) * math.sqrt(point.n)
        assert not point.significant or z >= report.threshold - 1e-6
