"""The picture is a sound SVG, in which texts from outside are texts."""

from __future__ import annotations

import math
import random
from typing import Any
from xml.etree import ElementTree

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
    assert len([path for path in picture.iter(f"{SVG}path") if path.get("class") == "curve"]) == 2
    root = next(dot for dot in picture.iter(f"{SVG}circle") if dot.get("class") == "root")
    assert float(root.get("cy", "nan")) < 60, "it wins all, so it stands at the top"
    assert report.svg() == report.svg()


def test_names_are_escaped() -> None:
    report = audit(rows(300))
    object.__setattr__(report, "points", (Point(50, 0.9, True, "</text><script>\x1b\u202e&"),))
    picture = ElementTree.fromstring(report.svg())
    assert not list(picture.iter(f"{SVG}script"))
    assert any("</text><script>\\x1b\\u202e&" in (text.text or "") for text in picture.iter(f"{SVG}text"))


def test_the_curve_is_where_features_become_significant() -> None:
    report = audit(rows(300))
    for point in report.points:
        z = abs(2 * point.win_rate - 1) * math.sqrt(point.n)
        assert not point.significant or z >= report.threshold - 1e-6
