"""The report: whole, the same bytes each time, without places of this machine, and nothing in it acts."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support import judged_run, prompt, write_jsonl

import pairforge
from pairforge import InputError
from pairforge.page.annotation import Annotation
from pairforge.store import Store
from pairforge.types import AnswerGroup

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "</style><script>alert(1)",
    "</title><script>alert(1)</script>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)'>a</a>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<object data='javascript:alert(1)'>",
    "<embed src='//evil.example/x'>",
    "<link rel=stylesheet href='//evil.example/x'>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href='//evil.example/'>",
    "<form action='//evil.example'><button>",
    "<video src=x onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<template><script>alert(1)</script></template>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<style>@import '//evil.example/x'</style>",
    "<p style='background:url(//evil.example/x)'>",
    '" onmouseover=alert(1) x="',
    "' onmouseover=alert(1) x='",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\x3cscript\\x3ealert(1)\\x3c/script\\x3e",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "![x](//evil.example/x.png) [y](javascript:alert(1))",
    "\u202e<script>alert(1)</script>",
    "\x00<script>alert(1)</script>",
    "<ScRiPt\n>alert(1)</sCrIpT\t>",
    "<svg><use href='//evil.example/x#y'/></svg>",
    "<img srcset='//evil.example/x 1x'>",
    "$\\alpha$ % #{x}",
]


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAIRFORGE_OUT", str(tmp_path / "home" / "ann"))
    return tmp_path / "home" / "ann"


def test_a_report_has_all_parts_and_the_same_bytes_each_time(out: Path) -> None:
    run = judged_run(out, ["Paris", "Berlin", "巴黎", "مرحبا", "Rome"])
    made = pairforge.report(run.path, quiet=True)
    assert made.path == run.path / "report.html" and made.as_json()["figures"]
    text = made.path.read_text("utf-8")
    elements = Elements(text).found
    headings = text.split("<h2")[1:]
    assert [one.partition(">")[2].partition("<")[0] for one in headings] == [
        "From prompts to pairs", "Lengths", "Scores and margins", "The judge", "Shortcuts", "Checks", "Example pairs",
        "Training", "Verdict",
    ]  # fmt: skip
    anchors = {attrs["id"] for tag, attrs in elements if tag == "section"}
    assert {f"#{anchor}" for anchor in anchors} == {attrs["href"] for tag, attrs in elements if tag == "a"}
    assert all(words in text for words in ("skipped: identical", "widest margin", "FAIL", "Answers before and after"))
    ids = [attrs["id"] for _, attrs in elements if "id" in attrs]
    assert len(ids) == len({*ids})
    assert all(attrs.get("aria-labelledby") in ids for tag, attrs in elements if tag == "svg")
    assert pairforge.report(run.path, quiet=True).path.read_text("utf-8") == text
    shutil.copytree(run.path, moved := out.parent / "elsewhere" / run.path.name)
    assert pairforge.report(moved, quiet=True).path.read_text("utf-8") == text


def test_the_judges_stand_beside_each_other_beside_labels_and_beside_people(out: Path) -> None:
    questions, answers = [f"Question {number}?" for number in range(6)], ["a", "bbb", "cc"]
    file = write_jsonl(out.parent.parent / "answers.jsonl", [{"prompt": one, "answers": answers} for one in questions])
    options = {"prompts": questions, "replay": str(file), "n": 3, "quiet": True}
    run = pairforge.onpolicy(**options, judge=["length", "regex:b"]).run
    assert "<h3>Agreement</h3>" in (before := pairforge.report(run.path, quiet=True).path.read_text("utf-8"))
    assert "length and regex:b" in before and "people" not in before
    pairforge.judge(judge="regex:b", gold=run.path, quiet=True)
    with closing(Store(out)) as store:
        annotation = Annotation(lambda: [AnswerGroup(prompt(one), answers) for one in questions], store)
        annotation.fill()
        for who, item in ((who, item) for who in ("ann", "bob") for item in annotation.items):
            keys = {text: place for place, text in enumerate(annotation.answers(who, item.key), 1)}
            said = {"choice": "picked", "best": keys["a"], "worst": keys["bbb"], "seconds": 1}
            annotation.add({"uuid": f"{who}-{item.key}", "who": who, "item": item.key, **said})
    text = pairforge.report(run.path, quiet=True).path.read_text("utf-8")
    found = dict(re.findall(r">([^<>]+)</th><td[^>]*>([^<]+)", text[text.index("<h3>Agreement") :]))
    assert found["regex:b and the labels of pairs.jsonl"].startswith("100.0%")
    assert found["two people on the same answers"].startswith("100.0%")
    assert found["regex:b and people"].startswith("0.0%") and found["length and people"].startswith("0.0%")


def test_no_place_and_no_key_of_this_machine_is_in_a_report(out: Path) -> None:
    key = "hf_" + "aB3" * 12
    longest = f"My key is {key}, and this is by far the longest of all answers"
    run = judged_run(
        out, ["Paris", longest, "ann@gmail.com", "Rome"], name=f"{out}/model", judge=f"{out}/reward.py:score"
    )
    run.add_count("diagnostics", {"agree": {f"{out}/reward.py:score and {out}/other.py:score": {"alike": 3, "of": 4}}})
    text = pairforge.report(run.path, quiet=True).path.read_text("utf-8")
    assert str(out) not in text and "/home/ann" not in text and key not in text
    assert "ann@gmail.com" not in text.partition("Example pairs</h2>")[2].partition("<h2")[0]
    assert "prompts.csv" in text and ">reward.py:score and other.py:score<" in text
    assert text.count("what looks like a key") == 1, "the part with the measures, of which one has the key in its name"


def test_no_text_in_a_report_acts(out: Path) -> None:
    run = judged_run(out, HOSTILE, name=HOSTILE[0], judge=HOSTILE[1])
    (run.path / "model").rename(run.path / "model-<img src=x onerror=alert(1)>")
    text = pairforge.report(run.path, quiet=True).path.read_text("utf-8")
    allowed = {"a", "div", "p", "table", "svg", "section", "style", "meta", "title", "article", "del", "ins"}
    found = Elements(text).found
    assert allowed <= {tag for tag, _ in found}
    active = {
        "script",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "input",
        "img",
        "video",
        "audio",
        "template",
    }
    assert not active & {tag for tag, _ in found}
    assert sum(tag == "style" for tag, _ in found) == 1 and sum(tag == "title" for tag, _ in found) > 1
    for tag, attrs in found:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "srcset", "style", "action")]
        assert all((attrs.get(name) or "#").startswith("#") for name in ("href", "xlink:href")), (tag, attrs)
        assert attrs.get("http-equiv") in (None, "Content-Security-Policy")
    assert "unsafe" not in text.partition("</head>")[0] and "default-src 'none'" in text
    assert f"pairforge balance {run.path.name}" in text and str(run.path) not in text


def test_where_there_is_nothing_a_part_says_what_would_make_it(out: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{n}?", "chosen": f"yes {n}", "rejected": f"no, {n}"} for n in range(8)]
    file = write_jsonl(tmp_path / "pairs.jsonl", rows)
    with pytest.raises(InputError, match="no_such_run"):
        pairforge.report("no_such_run", quiet=True)
    with pytest.raises(InputError, match="no folder of a run") as error:
        pairforge.report(file, quiet=True)
    assert "--html" in str(error.value.fix)
    made = pairforge.report(file, html=str(tmp_path / "r.html"), quiet=True)
    text = made.path.read_text("utf-8")
    assert "a file and no run" in text and "The pairs have no scores." in text and "pairforge train dpo" in text
    (tmp_path / "mine.html").write_text("<p>mine")
    with pytest.raises(InputError, match="exists"):
        pairforge.report(file, html=str(tmp_path / "mine.html"), quiet=True)


def test_without_matplotlib_tables_stand_alone(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = judged_run(out, ["Paris", "Rome", "Oslo"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    made = pairforge.report(run.path, quiet=True)
    text = made.path.read_text("utf-8")
    assert "<svg" not in text and "skipped: tie" in text
    assert text.count("matplotlib is not installed") == 1 and made.without_figures


@pytest.mark.parametrize(
    "damage", ["[]", "{", '{"metrics": {"x": 3}, "thresholds": [], "why": [1], "answers": [2]}', '{"log": 1}']
)
def test_files_that_somebody_gave_may_be_anything(out: Path, damage: str) -> None:
    run = judged_run(out, ["Paris", "Rome"])
    for name in ("verdict.json", "history.json", "failures.jsonl"):
        (run.path / "model" / name).write_text(damage)
    assert "Verdict" in pairforge.report(run.path, quiet=True).path.read_text("utf-8")


def test_a_push_has_the_report_where_it_is_asked_for(out: Path) -> None:
    run = judged_run(out, ["Paris", "Rome", "Oslo"])
    without = pairforge.push(run.path, quiet=True)
    assert without.folder and not [*without.folder.rglob("*.html")]
    made = pairforge.push(run.path, report=True, quiet=True)
    assert made.folder and "data/report.html" in {file.path for file in made.files}
    page = made.folder / "data" / "report.html"
    assert page.read_text("utf-8") == pairforge.report(run.path, quiet=True).path.read_text("utf-8")
    assert "[data/report.html](data/report.html)" in (made.folder / "README.md").read_text("utf-8")
    page.write_text("another")
    assert pairforge.push(run.path, report=True, quiet=True).files == made.files


@pytest.fixture
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs chromium: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.mark.slow
def test_a_browser_opens_it_from_disk_and_nothing_happens(out: Path, browser: Any) -> None:
    run = judged_run(out, HOSTILE, name=HOSTILE[0], judge=HOSTILE[1])
    file = pairforge.report(run.path, quiet=True).path
    said: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda message: said.append(f"{message.type} {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    page.mouse.move(200, 400)
    page.keyboard.press("Tab")
    assert said == [file.as_uri()]
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390, "nothing is cut off on a phone"
    assert page.evaluate("getComputedStyle(document.querySelector('.tiles')).display") == "grid", "the style is allowed"
