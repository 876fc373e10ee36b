"""The page in a real browser: keys, verdicts that a frozen server does not lose, 100,000 rows, hostile texts, axe."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pagedriver
import pytest
from pagedriver import Served, Visit
from support import judged_run, pair, write_jsonl

from pairforge.judges.human import HumanEvent, standing
from pairforge.store import Store
from pairforge.types import digest

from . import screenshots

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(pagedriver.missing()), reason=pagedriver.missing())]

PHONE = {"width": 360, "height": 740}
FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
PRESS_1 = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '1', bubbles: true }))"
ARABIC = "مرحبا، أنا مساعد."
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg onload=alert(3)>",
    "<iframe src='javascript:alert(4)'></iframe>",
    "<a href='javascript:alert(5)'>a</a>",
    "[link](javascript:alert(6))",
    "![image](http://evil.invalid/7.png)",
    "[link](http://evil.invalid/8)",
    "<http://evil.invalid/9>",
    "http://evil.invalid/10",
    "</div></main><script>alert(11)</script>",
    "<body onload=alert(12)>",
    "<link rel=stylesheet href=http://evil.invalid/13.css>",
    "<style>@import url(http://evil.invalid/14.css);</style>",
    "<meta http-equiv=refresh content='0;url=http://evil.invalid/15'>",
    "<base href=http://evil.invalid/16>",
    "<form action=http://evil.invalid/17><button>send</button></form>",
    "<input autofocus onfocus=alert(18)>",
    "<details open ontoggle=alert(19)>",
    "<video src=http://evil.invalid/20 onerror=alert(20)>",
    "<object data=http://evil.invalid/21></object>",
    "<embed src=http://evil.invalid/22>",
    "<math><mtext></mtext><script>alert(23)</script></math>",
    "<template><script>alert(24)</script></template>",
    "```html\n<script>alert(25)</script>\n```",
    "`<img src=x onerror=alert(26)>`",
    "| <script>alert(27)</script> | b |\n|---|---|\n| ![i](http://evil.invalid/27) | d |",
    "# <img src=x onerror=alert(28)>",
    "> <script>alert(29)</script>",
    "- [x](data:text/html,<script>alert(30)</script>)",
    "**<img src=x onerror=alert(31)>**",
    "${alert(32)} {{constructor.constructor('alert(32)')()}}",
    "\u202ealert(33)\u202c\u0000\u200b",
    "&lt;script&gt;alert(34)&lt;/script&gt;",
    '"><img src=x onerror=alert(35)>',
    "'-alert(36)-'",
    "__proto__ constructor toString",
    "[" * 3000 + "*" * 3000 + "`" * 3001 + "~" * 3000,
    "x" * 20_000,
    "> " * 500 + "- " * 500 + "deep",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pagedriver.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts with two answers, and after them such with three and with hostile ones."""
    folder = tmp_path_factory.mktemp("judged")
    asked = [
        {"prompt": f"Question {number}?", "answers": [f"Yes, {number}.", f"No, {number}."]} for number in range(24)
    ]
    asked += [
        {"prompt": f"Best of three {number}?", "answers": ["**One** good.", "Two good.", ARABIC]} for number in range(8)
    ]
    rows = [{**row, "answers": [{"text": text} for text in row["answers"]]} for row in asked]
    return write_jsonl(folder / "items.jsonl", rows)


def judging(items: Path, out: Path, port: int | None = None) -> Served:
    """Serve the items to be judged; everybody is asked all of them once."""
    once = ("--overlap", "1", "--repeat", "0", "--attention", "0")
    return Served(
        "onpolicy", "-p", items, "--replay", items, "--judge", "human", *once, "-o", out, cwd=items.parent, port=port
    )


@pytest.fixture(scope="module")
def judged(items: Path) -> Iterator[Served]:
    with judging(items, items.parent / "out") as served:
        yield served


def said(out: Path, who: str) -> list[HumanEvent]:
    """The stored verdicts of a person that are not undone, in their order."""
    with closing(Store(out)) as store:
        events = standing(map(HumanEvent.read, store.events())).values()
    return sorted((event for event in events if event.who == who), key=lambda event: event.at)


def saved(visit: Visit, done: int) -> None:
    visit.says("#saved.good", "Saved")
    visit.says("#facts", f" {done} of")


def test_each_key_is_the_verdict_that_it_says(browser: Any, judged: Served, items: Path) -> None:
    visit = Visit(browser, f"{judged.address}?who=keys")
    visit.says(".ask", "Which answer is better?")
    second = visit.texts(".card .text")[1]
    visit.press("2 t x s")
    saved(visit, 4)
    events = said(items.parent / "out", "keys")
    assert [event.choice for event in events] == ["picked", "tie", "all_bad", "skip"]
    assert events[0].best == digest(second), "what was shown under the key, whatever its place in the run"

    visit.press("u u")
    saved(visit, 2)
    assert [event.choice for event in said(items.parent / "out", "keys")] == ["picked", "tie"]

    visit.press("e 1")
    visit.page.locator("textarea").fill("Better.")
    visit.press("Control+Enter")
    saved(visit, 3)
    assert said(items.parent / "out", "keys")[-1].edit == "Better."
    visit.press("d m ?")
    visit.says("dialog h2", "Keys")
    visit.press("Escape d")
    assert visit.page.locator(".card ins").count() == 0, "d was pressed twice"
    visit.press("d")
    visit.page.locator(".card ins").first.wait_for()
    visit.close()


def test_of_three_answers_the_best_and_the_worst_are_chosen(browser: Any, judged: Served, items: Path) -> None:
    visit = Visit(browser, f"{judged.address}?who=three")
    visit.says(".ask", "Which answer is better?")
    for _ in range(24):
        visit.press("s")
        visit.page.locator(".card").first.wait_for()
    visit.says(".ask", "Which answer is best?")
    texts = visit.texts(".card .text")
    visit.press("3")
    visit.says(".ask", "And which is worst?")
    visit.press("u 3 3 3 1")
    saved(visit, 25)
    event = said(items.parent / "out", "three")[-1]
    plain = {"One good.": "**One** good."}
    assert [event.best, event.worst] == [digest(plain.get(text, text)) for text in (texts[2], texts[0])]
    visit.close()


def test_five_keys_at_once_are_five_verdicts_and_another_person_starts_afresh(
    browser: Any, judged: Served, items: Path
) -> None:
    visit = Visit(browser, f"{judged.address}?who=burst")
    visit.says(".ask", "Which answer is better?")
    visit.page.evaluate(f"for (let n = 0; n < 5; n += 1) {PRESS_1}")
    saved(visit, 5)
    events = said(items.parent / "out", "burst")
    assert len({event.item for event in events}) == len(events) == 5

    other = Visit(browser, f"{judged.address}?who=other")
    other.says("#facts", "0 of 32")
    other.press("1")
    saved(other, 1)
    other.page.reload()
    other.says("#facts", "1 of 32")
    other.press("u")
    saved(other, 0)
    for one in (visit, other):
        one.close()


def test_a_frozen_server_loses_nothing(browser: Any, judged: Served, items: Path) -> None:
    visit = Visit(browser, f"{judged.address}?who=frozen", broken=True, viewport=PHONE)
    visit.says(".ask", "Which answer is better?")
    judged.signal(signal.SIGSTOP)
    try:
        visit.press("1 2 1 t 1")
        visit.says("#saved", "Saving")
        visit.says("#saved.bad", "Not saved yet: the server does not answer. 5 verdicts kept in this browser.")
        assert visit.page.locator("#top").evaluate("top => top.scrollHeight <= top.clientHeight"), "all of it is seen"
    finally:
        judged.signal(signal.SIGCONT)
    saved(visit, 5)
    choices = [event.choice for event in said(items.parent / "out", "frozen")]
    assert choices == ["picked", "picked", "picked", "tie", "picked"]
    visit.close()


def test_what_a_killed_server_did_not_store_is_sent_to_the_next_one(browser: Any, items: Path, tmp_path: Path) -> None:
    with judging(items, tmp_path / "out") as served:
        port = served.port
        visit = Visit(browser, f"{served.address}?who=me", broken=True)
        visit.says(".ask", "Which answer is better?")
        visit.press("1")
        saved(visit, 1)
        served.signal(signal.SIGKILL)
        served.process.wait()
        visit.press("1 1 u 2")
        visit.says("#saved.bad", "4 verdicts kept in this browser")
        asked = visit.texts(".context .text")
        visit.page.close()
    with judging(items, tmp_path / "out", port) as served:
        visit.open(f"{served.address}?who=me")
        saved(visit, 3)
        assert visit.texts(".context .text") == asked, "it goes on where it was left"
    events = said(tmp_path / "out", "me")
    assert len({event.item for event in events}) == len(events) == 3
    visit.close()


def test_two_tabs_make_no_double(browser: Any, judged: Served, items: Path) -> None:
    first = Visit(browser, f"{judged.address}?who=tabs")
    second = Visit(browser, f"{judged.address}?who=tabs", within=first)
    elsewhere = Visit(browser, f"{judged.address}?who=tabs", broken=True)
    for visit in (first, second, elsewhere):
        visit.says(".context", "Question 0?")
    first.press("1")
    saved(first, 1)
    second.says(".context", "Question 1?")
    elsewhere.press("2")
    elsewhere.says("#toast", "already judged in another tab")
    saved(elsewhere, 1)
    assert len(said(items.parent / "out", "tabs")) == 1
    for visit in (second, first, elsewhere):
        visit.page.close()
    assert first.wrong + second.wrong + elsewhere.wrong == []


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs with every hostile text in every place, then a long conversation in another direction of writing."""
    made: list[dict[str, Any]] = []
    for number, text in enumerate(HOSTILE):
        row = pair(f"{text} chosen", f"{text} rejected", text, system=text, id=text[:80], judge=text[:60], note=text)
        made.append(row | {"chosen_score": 1.0, "rejected_score": number / 100})
    history = [{"role": role, "content": f"{role} {number}"} for number in range(4) for role in ("user", "assistant")]
    row = pair("## مرحبا\n\n- أنا **مساعد**\n- `code`", ARABIC, "من أنت؟")
    made.append({side: [*history, *turns] for side, turns in row.items()})
    return write_jsonl(tmp_path_factory.mktemp("viewed") / "rows.jsonl", made)


@pytest.fixture(scope="module")
def viewed(rows: Path) -> Iterator[Served]:
    with Served("view", rows, "--save", rows.parent / "kept.jsonl", cwd=rows.parent) as served:
        yield served


def test_hostile_texts_are_texts(browser: Any, viewed: Served) -> None:
    visit = Visit(browser, f"{viewed.address}#/row/0")
    elements = "script, img, svg, iframe, object, embed, form, link, style, video, base, meta, a:not([href^='#/'])"
    handlers = "[onerror], [onload], [onfocus], [ontoggle], [style*=url]"
    for number, text in enumerate(HOSTILE):
        visit.page.evaluate(f"location.hash = '#/row/{number}'")
        visit.says("#pane h2", f"Row {number}")
        visit.press("d m")
        assert visit.page.locator(f"#app :is({elements}, {handlers})").count() == 0
        visit.press("m")
        assert visit.page.locator(".side.chosen .text").text_content() == f"{text} chosen"
    visit.page.locator("summary", has_text="Columns").click()
    visit.close()


def test_keys_marks_links_and_the_way_back(browser: Any, viewed: Served, rows: Path) -> None:
    visit = Visit(browser, viewed.address)
    visit.says("#rows .line", "0")
    visit.press("j j j k")
    visit.says("#pane h2", "Row 1")
    visit.press("x")
    visit.says("#rows [aria-current] .mark", "drop")
    visit.page.locator("button", has_text="Save rows").click()
    visit.says("#toast", f"{len(HOSTILE)} rows saved")
    assert len((rows.parent / "kept.jsonl").read_text("utf-8").splitlines()) == len(HOSTILE)
    visit.press("x")
    visit.says("#toast", "no mark any more")

    visit.press("d")
    visit.page.locator(".sides").wait_for(state="detached")
    visit.press("d")
    visit.press("/")
    visit.page.keyboard.type("proto")
    visit.says("#total", "1 of 41 rows")
    visit.press("Enter")
    visit.says("#pane h2", "Row 36")
    assert visit.page.evaluate("location.hash").startswith("#/row/36")
    visit.page.go_back()
    visit.page.wait_for_function("!location.hash.includes('row')")

    visit.page.goto(f"{viewed.address}#/row/40")
    visit.says("#pane h2", "Row 40")
    visit.says("#pane summary", "earlier turns")
    assert visit.page.locator(".side.chosen .text").evaluate("node => getComputedStyle(node).direction") == "rtl"
    visit.press("k")
    visit.says("#pane h2", "Row 39")
    visit.page.locator("nav .entry", has_text="PF").first.click()
    visit.says("#chips", "finding")
    visit.close()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two runs on which models were trained, with hostile texts in all that they left."""
    folder = tmp_path_factory.mktemp("compared")
    one, other = (judged_run(folder / "out", HOSTILE[number:30], name=HOSTILE[number]) for number in range(2))
    for run, last in ((one, 1e308), (other, float("nan"))):
        file = run.path / "model" / "history.json"
        history = json.loads(file.read_text())
        history["log"].append({"step": 9, "loss": last})
        history["guard"]["alarm"] = {"step": HOSTILE[0], "message": HOSTILE[1]}
        file.write_text(json.dumps(history | {"training": {text: text for text in HOSTILE}}))
    with Served("view", one.path, other.path, cwd=folder) as served:
        yield served


REPORTS = ("about", "shortcuts", "training", "verdict")


def test_several_runs_are_compared(browser: Any, compared: Served) -> None:
    visit = Visit(browser, f"{compared.address}#/about")
    visit.says("#pane h3", "Compared")
    assert len(visit.texts("#pane thead th")) == 2 and "modelorg/" in visit.texts("#pane tbody")[0].replace(" ", "")
    visit.page.locator("nav a", has_text="Training").click()
    visit.says("#pane h2", "Training")
    assert visit.page.locator(".curve").first.locator("polyline").count() == 2
    visit.page.locator("nav a", has_text="Verdict").click()
    visit.says("#pane h3", "Answers, before and now")
    assert len(visit.texts("#pane table")) == 2
    visit.page.locator("nav .entry", has_text="onpolicy").first.click()
    visit.says("#total", "30 of 59 rows")
    visit.close()


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": PHONE}], ids=str)
def test_reports_can_be_read_by_everybody_and_run_nothing(browser: Any, compared: Served, options: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    for name in REPORTS:
        visit = Visit(browser, f"{compared.address}#/{name}", **options)
        visit.page.locator("nav .hint").wait_for(state="detached")
        visit.page.locator("#pane h3").first.wait_for()
        found = axe.run(visit.page)
        assert found.violations_count == 0, found.generate_report()
        pane = visit.page.locator("#pane")
        assert pane.evaluate("pane => pane.scrollWidth <= pane.clientWidth"), name
        assert pane.locator("script, img, iframe, form, a:not([href^='#/'])").count() == 0
        visit.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, viewed: Served, judged: Served, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    viewing = Visit(browser, f"{viewed.address}#/row/40", color_scheme=scheme)
    judging = Visit(browser, f"{judged.address}?who=axe", color_scheme=scheme)
    viewing.says("#pane h2", "Row 40")
    viewing.page.wait_for_function("document.querySelectorAll('nav .entry').length > 4")
    judging.says(".ask", "Which answer is better?")
    states = [
        (viewing, ""),
        (viewing, "m"),
        (viewing, "?"),
        (viewing, "Escape Escape"),
        (judging, ""),
        (judging, "d e 1"),
        (judging, "Escape a"),
    ]
    for visit, keys in states:
        visit.press(keys)
        found = axe.run(visit.page)
        assert found.violations_count == 0, found.generate_report()
    viewing.page.goto(f"{viewed.address}#/shortcuts")
    viewing.says("#pane h2", "Shortcuts")
    assert axe.run(viewing.page).violations_count == 0
    for visit in (viewing, judging):
        visit.close()


def test_a_phone_is_wide_enough(browser: Any, viewed: Served, judged: Served) -> None:
    wide = "document.documentElement.scrollWidth"
    for address, selector in [
        (viewed.address, "#rows .line a"),
        (f"{viewed.address}#/row/38", "#pane .side"),
        (f"{viewed.address}#/row/26", "#pane .side"),
        (f"{viewed.address}#/shortcuts", "#pane h2"),
        (f"{judged.address}?who=phone", ".card"),
    ]:
        visit = Visit(browser, address, viewport=PHONE)
        visit.page.locator(selector).first.wait_for()
        assert visit.page.evaluate(wide) <= PHONE["width"], address
        visit.close()
    visit = Visit(browser, viewed.address, viewport=PHONE)
    visit.page.locator("#rows .line a").first.click()
    visit.says("#pane h2", "Row 0")
    assert not visit.page.locator("#rows").is_visible()
    visit.page.locator(".back").click()
    visit.page.locator("#rows .line a").first.wait_for()
    visit.close()


def test_100_000_rows_are_filtered_and_sorted(browser: Any, tmp_path: Path) -> None:
    count = 100_000
    with (tmp_path / "many.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            row = pair(f"It is {number}." + " Sure." * (number == 77_777), "No.", f"Q {number}?", id=str(number))
            file.write(json.dumps(row) + "\n")
    with Served("view", tmp_path / "many.jsonl", cwd=tmp_path) as served:
        visit = Visit(browser, served.address)
        visit.page.locator("#total", has_text="100,000 rows").wait_for(timeout=300_000)
        visit.page.evaluate("document.querySelector('#rows').scrollTop = 1e9")
        visit.says("#rows .line", f"It is {count - 1}.")
        assert visit.page.locator("#rows .line").count() < 60, "only what is in sight is drawn"
        visit.page.goto(f"{served.address}#/?sort=length&order=desc")
        visit.says("#rows .line[aria-posinset='1']", "It is 77777. Sure.")
        visit.press("/")
        visit.page.keyboard.type("q 99999?")
        visit.says("#total", "1 of 100,000 rows")
        visit.page.goto(f"{served.address}#/row/50000")
        visit.says("#pane .side.chosen", "It is 50000.")
        visit.says("#rows [aria-current]", "It is 50000.")
        visit.press("Escape j")  # out of the field, then on
        visit.says("#pane .side.chosen", "It is 50001.")
        visit.close()


def test_the_pictures_of_the_documentation_are_small(
    browser: Any, viewed: Served, judged: Served, tmp_path: Path
) -> None:
    pictures = screenshots.take(browser, viewed.address, judged.address, tmp_path)
    for picture in (*pictures, *FIGURES.glob("page-*.png")):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 120_000, picture
    assert {picture.name for picture in pictures} == {picture.name for picture in FIGURES.glob("page-*.png")}
