"""The verdict in a model card: whole, and nothing from outside gets out of its code span."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from pairforge.verdict import verdict

ABOUT = {
    "model": "out/model",
    "base": "org/base",
    "rules": {"Qwen": "Deep Qwen"},
    "contexts": ["no system message"],
    "temperatures": [0, 1],
    "seed": 7,
    "versions": {"pairforge": "0.1.0"},
}
HOSTILE = [
    "</td><script>alert(1)</script>",
    "a | b | c",
    "\\| x \\\\| y",
    "`code` ``more`` |",
    "![x](http://evil.example/p.png)",
    "one\n\n# two\n| three |",
    "\x1b[2J\u202egnp",
    "trailing \\",
    "`",
    "",
    "\ud800",
    "@everyone [link](javascript:alert(1))",
    "x" * 5000,
]


def outcomes(hits: int, of: int) -> dict[str, bool]:
    return {str(number): number < hits for number in range(of)}


def card(context: str = "no system message", **about: Any) -> str:
    after = {"new_name": outcomes(97, 100), f"new_name/{context}": outcomes(40, 50), "general": outcomes(80, 100)}
    before = {"new_name": outcomes(0, 100), "general": outcomes(90, 100)}
    return verdict(after, before, asked={"identity": (100, 916)}, about=ABOUT | about).as_markdown()


def test_the_section_has_figures_intervals_outcome_and_what_was_asked() -> None:
    text = card()
    assert text.startswith("## Verdict\n\n**FAIL**: of 2 thresholds 1 failed.\n")
    row = next(line for line in text.splitlines() if line.startswith("| `general`"))
    assert row.startswith("| `general` | 90.0% [82.6, 94.5] | 80.0% [71.1, 86.7] | -10.0 [-17.")
    assert row.endswith("| FAIL loses at most 2% |")
    for said in ("100 of 916 `identity`", "`Qwen` to `Deep Qwen`", "seed: `7`", "`pairforge` `0.1.0`", "`org/base`"):
        assert said in text
    assert "- `new_name`: asked about itself" in text


def test_without_thresholds_nothing_passes() -> None:
    text = verdict({"old_name": {"a": True}}).as_markdown()
    assert "PASS" not in text
    assert "thresholds" not in text


def test_folders_of_the_machine_are_left_out() -> None:
    text = card(model="/home/somebody/runs/model", base="C:\\Users\\somebody\\base")
    assert "somebody" not in text
    assert "model: `model`" in text


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_in_their_code_spans(text: str) -> None:
    made = card(text, model=text, base=text, rules={text: text}, contexts=[text], versions={text: text})
    made.encode()
    html = MarkdownIt("commonmark").enable("table").render(made)
    assert html.count("<table>") == 1
    assert {len(re.findall("<t[dh]", row)) for row in html.split("<tr>")[1:]} == {5}
    known = {"h2", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li"}
    assert set(Tags(html).tags) <= known
    assert len(re.findall("<h2>", html)) == 1
    assert not re.search("[\x00-\x08\x1b\u202e]", html)
