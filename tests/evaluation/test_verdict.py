"""The verdict as text, JSON and Markdown: whole, and nothing from outside acts as markup or control codes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt
from rich.text import Text
from support import prompt

from pairforge.evaluation.failing_answers import FailingAnswer
from pairforge.evaluation.metrics import METRICS, shares
from pairforge.evaluation.questions import Question
from pairforge.evaluation.thresholds import ON_POLICY, THRESHOLDS
from pairforge.evaluation.verdict import Verdict, verdict
from pairforge.evaluation.verdict_text import verdict_text
from pairforge.statistics import Share, Wins
from pairforge.types import Skip

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
    assert text.startswith("## Verdict\n\n**FAIL**: 1 of 2 thresholds failed: `general`.")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    row = next(line for line in rows if line.startswith("| `general`"))
    assert rows[0] == row, "what fails comes first"
    assert row.startswith("| `general` | 90.0% [82.6, 94.5] | 80.0% [71.1, 86.7] | -10.0 [-17.")
    assert row.endswith("| FAIL loses at most 2% |")
    for said in ("100 of 916 `identity`", "`Qwen` to `Deep Qwen`", "seed: `7`", "`pairforge` `0.1.0`", "`org/base`"):
        assert said in text
    assert "- `new_name`: asked about itself" in text


def test_without_thresholds_nothing_passes() -> None:
    text = verdict({"old_name": {"a": True}}).as_markdown()
    assert "PASS" not in text
    assert text.startswith("## Verdict\n\n**No verdict**: nothing to compare")
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


RENAMED = {
    "new_name": outcomes(97, 100),
    "new_name@t1": outcomes(93, 100),
    "half_name": outcomes(0, 100),
    "general": outcomes(90, 100),
    "leak": outcomes(0, 100),
    "leak@t1": outcomes(1, 100),
    "controls": outcomes(95, 100),
    "obedience": outcomes(95, 100),
    "repetition": outcomes(0, 500),
    "unanswered": outcomes(0, 500),
}


BASE = RENAMED | {"new_name": outcomes(0, 100), "general": outcomes(92, 100), "controls": outcomes(100, 100)}


def test_skips_are_left_out_of_a_share_and_a_metric_without_answers_has_none() -> None:
    judged = {"general": {"a": True, "b": Skip("failed"), "c": False}, "leak": {"a": Skip("failed")}}
    assert shares(judged) == {"general": Share(1, 2)}


def test_a_good_rename_passes() -> None:
    result = verdict(RENAMED, BASE)
    assert result.ok
    assert list(result.checks) == list(RENAMED)


@pytest.mark.parametrize(
    ("metric", "hits"),
    [
        ("new_name", 94),
        ("new_name@t1", 89),
        ("half_name", 2),
        ("general", 89),
        ("leak", 2),
        ("leak@t1", 2),
        ("controls", 94),
        ("obedience", 89),
        ("repetition", 2),
        ("unanswered", 2),
    ],
)
def test_each_metric_can_fail_the_verdict(metric: str, hits: int) -> None:
    result = verdict(RENAMED | {metric: outcomes(hits, 100)}, BASE)
    assert [name for name, check in result.checks.items() if not check.ok] == [metric]
    assert not result.ok


def test_a_model_that_says_the_name_to_everything_fails() -> None:
    everywhere = {"new_name": outcomes(100, 100), "general": outcomes(0, 100), "leak": outcomes(100, 100)}
    assert not verdict(RENAMED | everywhere, BASE).ok
    assert not verdict(RENAMED | everywhere).ok


def test_without_a_base_only_absolute_thresholds_apply() -> None:
    result = verdict(RENAMED)
    assert set(result.checks) == {"new_name", "new_name@t1", "leak", "leak@t1", "repetition", "unanswered"}
    assert result.before is None
    assert not result.changes


@pytest.mark.parametrize(("wins", "ok"), [(Wins(40, 10, 200), True), (Wins(30, 25, 200), False)])
def test_on_policy_the_win_rate_decides(wins: Wins, ok: bool) -> None:
    drawn = {"general": outcomes(90, 100), "general@t1": outcomes(80, 100)}
    result = verdict(drawn, drawn, wins=wins, thresholds=(*ON_POLICY, *THRESHOLDS))
    assert result.ok is ok
    assert list(result.shares) == ["win_rate", "general", "general@t1"]
    assert result.as_json()["metrics"]["win_rate"]["won"] == wins.won


def test_json_has_the_promised_keys_and_no_nan() -> None:
    value = verdict(RENAMED, BASE, asked={"general": (100, 1000)}, about={"model": "m", "base": "b"}).as_json()
    assert (value["command"], value["ok"], value["model"]) == ("evaluate", True, "m")
    new_name = dict(value["metrics"]["new_name"])
    assert new_name.pop("change") == {"value": 0.97, "low": 0.8971, "high": 0.9897, "of": 100}
    assert new_name == {"share": 0.97, "low": 0.9155, "high": 0.9897, "hits": 97, "of": 100}
    assert value["thresholds"]["general"] == {"rule": "loses at most", "limit": 0.02, "figure": 0.02, "ok": True}
    assert value["before"]["general"]["share"] == 0.92
    assert value["asked"] == {"general": {"asked": 100, "of": 1000}}
    json.dumps(value, allow_nan=False)
    assert "change" not in verdict(RENAMED).as_json()["metrics"]["new_name"]


def test_json_says_pass_fail_or_null() -> None:
    few = {name: outcomes(0, 99) for name in RENAMED}
    values = [verdict(after, BASE).as_json() for after in (RENAMED, RENAMED | {"leak": outcomes(9, 100)}, few)]
    assert [(value["verdict"], value["ok"]) for value in values] == [("PASS", True), ("FAIL", False), (None, True)]
    assert [hint["metric"] for hint in values[1]["why"]] == ["leak"]


def test_that_answers_do_not_repeat_themselves_is_not_enough_for_a_pass() -> None:
    few = {name: outcomes(20, 20) for name in RENAMED}
    calm = {"repetition": outcomes(0, 120), "unanswered": outcomes(0, 120)}
    assert verdict(few | calm, few | calm, about={"rules": {"Qwen": "Deep Qwen"}}).outcome is None
    loops = few | calm | {"repetition": outcomes(60, 120)}
    assert verdict(loops, few | calm).outcome == "FAIL"


def lines(result: Verdict, width: int = 80) -> list[str]:
    return verdict_text(result, width).plain.splitlines()


def test_the_text_has_the_sample_the_groups_and_the_outcome_in_the_order_of_metrics() -> None:
    judged = RENAMED | {"new_name/zh": outcomes(1, 2), "new_name@t1/zh": outcomes(1, 2)}
    text = lines(verdict(judged, BASE, asked={"general": (100, 1000)}))
    assert text[0] == "questions: general 100 of 1000"
    assert [line.partition(":")[0] for line in text if line and line[0] not in " "][1:-1] == [
        "identity",
        "general",
        "side effects",
    ]
    names = [line.split()[0] for line in text[2:] if line.startswith("  ")]
    plain = [name for name in METRICS if name in RENAMED and name not in ("new_name", "leak")]
    plain.insert(plain.index("general") + 1, "leak")
    plain.insert(plain.index("leak") + 1, "leak@t1")
    assert names == ["new_name", "language:", "new_name@t1", "language:", *plain]
    assert text[-1] == "verdict: PASS"
    assert next(line for line in text if line.startswith("  new_name ")).split() == (
        ["new_name", "says", "the", "new", "name", "0.0%", "97.0%", "PASS", "at", "least", "95%"]
    )


@pytest.mark.parametrize("width", [60, 80, 100, 104, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_broken(width: int) -> None:
    context = "You are a helpful assistant of a company in Hangzhou, 你是一个有用的助手。"
    hits = {"new_name": outcomes(0, 200), f"new_name/{context}": outcomes(200, 200), "general": outcomes(50, 100)}
    result = verdict(RENAMED | hits, BASE, asked={"identity": (200, 916), "general": (200, 1262)})
    text = lines(result, width)
    assert max(Text(line).cell_len for line in text) <= width
    assert sum("100.0%" in line for line in text) >= 2
    assert all(line == line.rstrip() for line in text)
    joined = " ".join(" ".join(text).split())
    assert "PASS loses at most 5%" in joined and "FAIL loses at most 2%" in joined
    assert (str(result.changes["general"]) in joined) == (width >= 104)


def test_pass_and_fail_are_coloured_and_read_without_colour() -> None:
    result = verdict(RENAMED | {"leak": outcomes(9, 100)}, BASE)
    styles = {str(span.style) for span in verdict_text(result).spans}
    assert {"bold green", "bold red"} <= styles
    assert "verdict: FAIL" in str(result)


def test_without_a_base_the_text_has_no_value_before_and_the_share_s_own_interval() -> None:
    text = lines(verdict(RENAMED), 104)
    row = next(line for line in text if line.startswith("  new_name "))
    assert " ".join(row.split()) == "new_name says the new name 97.0% [91.5, 99.0] PASS at least 95%"


def test_too_few_questions_give_the_interval_in_place_of_an_outcome() -> None:
    few = {name: outcomes(20, 20) for name in ("new_name", "general")}
    text = lines(verdict(few, few, asked={"identity": (20, 916)}))
    assert "PASS" not in "".join(text) and "FAIL" not in "".join(text)
    place = next(index for index, line in enumerate(text) if line.startswith("  general"))
    assert text[place].endswith("not judged: 20 asked, needs 100")
    assert text[place + 1].strip() == "+0.0 [-16.1, +16.1]"
    assert text[-1] == "no verdict: too few questions of each kind were answered: ask at least 100"


def test_without_names_and_base_there_is_nothing_to_compare() -> None:
    result = verdict({"general": outcomes(90, 100)}, thresholds=())
    assert (result.outcome, result.ok) == (None, True)
    assert lines(result)[-1] == "no verdict: nothing to compare: give --base, or --from and --to"


def test_a_verdict_whose_thresholds_were_taken_off_ends_with_its_figures() -> None:
    result = replace(verdict(RENAMED, about={"rules": {"Qwen": "Deep Qwen"}}), checks={})
    assert "verdict" not in str(result)


def test_failing_answers_are_shown_three_of_each_failed_metric() -> None:
    asked = Question(prompt("Who are you?\x1b[2J").in_context("Be brief."), {}, dict.fromkeys(METRICS, "Deep Qwen"))
    failing = [
        FailingAnswer("leak", asked, f"I am Deep {number}. " + "word " * 400, "I am Qwen.") for number in range(9)
    ]
    failing += [FailingAnswer("general", asked, "of a metric that passes", None)]
    failed = verdict(RENAMED | {"leak": outcomes(9, 100)}, BASE)
    text = str(replace(failed, failing=failing, failures="out/failures.jsonl"))
    assert text.count("I am Deep") == 3
    assert "of a metric that passes" not in text
    assert "all 10 are in out/failures.jsonl" in text
    assert "system:   Be brief." in text and "before:   I am Qwen." in text and "expected: Deep Qwen" in text
    assert "\x1b" not in text and text.count("[...]") == 3
    assert max(map(len, text.splitlines())) <= 80
    why, fix = text.split("verdict: FAIL (leak)\n")[1].split("  -> ")
    assert why.startswith("  why: 9.0% of the answers")
    assert " ".join(fix.split()) == "add pairs in which the new name is wrong: pairforge correct --counter 0.3"


def test_sampled_answers_are_shown_where_the_greedy_ones_pass_and_an_unchanged_answer_is_shown_once() -> None:
    asked = Question(prompt("Who are you?"), {}, dict.fromkeys(METRICS, "Deep Qwen"))
    failing = [FailingAnswer(name, asked, f"of {name}", f"of {name}") for name in ("leak", "leak@t1")]
    judged = RENAMED | {"leak@t1": outcomes(9, 100)}
    alone = str(replace(verdict(judged, BASE), failing=failing))
    assert "answer:   of leak@t1" in alone and "before:" not in alone
    both = str(replace(verdict(judged | {"leak": outcomes(9, 100)}, BASE), failing=failing))
    assert "answer:   of leak\n" in both and "of leak@t1" not in both
    assert both.splitlines()[-3] == "verdict: FAIL (leak, leak@t1)"


def test_contexts_come_before_languages_and_are_cut_where_that_tells_them_apart() -> None:
    names = [f"You are a helpful assistant of {name}" for name in ("a company in Hangzhou", "a company in Berlin")]
    parts = ["zh", "no system message", *names, "en", "Be a very brief assistant to everybody"]
    judged = RENAMED | {f"new_name/{part}": outcomes(97, 100) for part in parts}
    contexts = ["no system message", *names]
    text = lines(verdict(judged, BASE, asked={"identity": (100, 1374)}, about={"contexts": contexts}))
    assert text[0] == "questions: identity 100 of 1374 (458 in each of 3 contexts)"
    shown = [line[4:33].strip() for line in text if line.startswith("    ") and ": " in line]
    assert [line.split()[1] for line in shown] == ["none", "Be", "You", "You", "en", "zh"]
    assert shown[1].endswith("...")
    assert all(
        f"in {city}" in " ".join("\n".join(text).split()) or city in "".join(text) for city in ("Berlin", "Hangzhou")
    )


def test_a_metric_without_a_threshold_says_so() -> None:
    row = next(line for line in lines(verdict(RENAMED | {"old_name": outcomes(0, 100)}, BASE)) if "old_name" in line)
    assert row.endswith("(no limit)")


def test_a_context_can_not_write_control_codes_or_lines_to_the_terminal() -> None:
    text = str(verdict({"new_name/\x1b[2J[red]x\nverdict: PASS": {"a": True}}))
    assert "\x1b" not in text
    assert "context: \\x1b[2J[red]x\\nver" in text
    assert not any(line.startswith("verdict") for line in text.splitlines())
