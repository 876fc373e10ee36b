"""Names are found by the edges of their own script, and nothing else changes."""

import json
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import read_jsonl

from pairforge.errors import InputError
from pairforge.rename import INSIDE, Leftover, Renamer, hits, leftovers, mentions, read_rules, rename

RULES = {"Qwen": "Deep Qwen"}
CASES = read_jsonl(Path(__file__).with_name("rename_cases.jsonl"))
DOCS = Path(__file__).resolve().parent.parent / "docs" / "rename.md"


@pytest.mark.parametrize("note", sorted({case["note"] for case in CASES}))
def test_the_table_of_cases(note: str) -> None:
    for case in CASES:
        if case["note"] == note:
            options = case.get("options", {})
            assert rename(case["text"], case["rules"], **options) == case["want"], case["text"]
            if not set(case["rules"]) & set(case["rules"].values()):
                assert rename(case["want"], case["rules"], **options) == case["want"], "a second time"


def test_the_table_is_wide() -> None:
    letters = Counter(
        unicodedata.name(char).split()[0] for case in CASES for char in set(case["text"]) if char.isalpha()
    )
    assert len(CASES) >= 400
    assert len([script for script, count in letters.items() if count >= 10]) >= 15


def test_the_tables_of_the_docs() -> None:
    """Each table stands under a comment with its rules and options, and a row says what becomes of a text."""
    tables = re.findall(r"<!-- (\{.*\}) -->\n\n((?:\|.*\n)+)", DOCS.read_text("utf-8"))
    rows = [(json.loads(setting), row) for setting, table in tables for row in table.splitlines()[2:]]
    assert len(rows) > 30
    for setting, row in rows:
        text, want = (_cell(cell) for cell in re.split(r"(?<!\\)\|", row)[1:3])
        assert rename(text, **setting) == (text if want == "the same" else want), row


def _cell(cell: str) -> str:
    """What a code span of a table's cell shows."""
    return re.sub(r"^(`+)( ?)(.*)\2\1$", r"\3", cell.strip()).replace("\\|", "|").replace("⏎", "\n")


def test_many_rules_go_in_one_pass_longest_first() -> None:
    rules = {"Qwen": "Deep Qwen", "Qwen Max": "Max", "Alibaba Cloud": "Acme", "通义千问": "深度千问"}
    text = "Qwen Max, Qwen Maximum and 通义千问 by Alibaba\nCloud"
    assert rename(text, rules) == "Max, Deep Qwen Maximum and 深度千问 by Acme"
    assert Counter(hit.source for hit in hits(text, rules)) == dict.fromkeys(rules, 1)
    assert rename("A B", {"A": "B", "B": "A"}) == "B A"
    assert rename("a Qwen", {"a": "b", "Qwen": "Athene"}, article=True) == "b Athene"
    assert rename("Qwen Max and Qwen", {**RULES, "Qwen Max": "Qwen Max"}) == "Qwen Max and Deep Qwen"


def test_new_names_are_literal() -> None:
    assert rename("a+ b c.d", {"a+": r"\1\g<0>", "c.d": "$&\n"}) == "\\1\\g<0> b $&\n"


@pytest.mark.parametrize(
    ("rules", "options", "word"),
    [
        ({" ": "x"}, {}, "empty"),
        ({"Qwen": "\ud800"}, {}, "UTF-8"),
        ({"Qwen": 5}, {}, "not a name"),
        (RULES, {"case": "loud"}, "loud"),
        (RULES, {"match": "fuzzy"}, "fuzzy"),
        (RULES, {"inside": ["dreams"]}, "dreams"),
        (RULES, {"match": "regex", "case": "smart"}, "literal"),
        ({"Q(wen": "x"}, {"match": "regex"}, "Q"),
        ({"Qwen": r"\2"}, {"match": "regex"}, "group"),
        ({"Q(wen)": r"\g<x>"}, {"match": "regex"}, "group"),
        ({"Q*": "x"}, {"match": "regex"}, "empty"),
    ],
)
def test_rules_and_options_that_cannot_be_used(rules: dict[str, str], options: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        Renamer(rules, **options)


def test_expressions() -> None:
    rules = {r"Qwen([\d.]*\d)?": r"Athene\1", r"(?i)tongyi": "Athene", "Q": "X"}
    assert rename("Qwen2.5 by TongYi, Q.", rules, match="regex") == "Athene2.5 by Athene, X."
    assert rename("Qwen Deep Qwen", {"Q(wen)": r"Deep Q\1"}, match="regex") == "Deep Qwen Deep Qwen"
    assert rename("`Qwen` Qwen", {"Qwen": "X"}, match="regex", inside=["code"]) == "`X` X"


def test_an_expression_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairforge.rename.matchers.TIMEOUT", 0.05)
    with pytest.raises(InputError, match="takes more than"):
        rename("a" * 60 + "!", {"(a|aa)+$": "x"}, match="regex")


def test_mentions_leave_out_the_longer_name() -> None:
    assert mentions("Deep Qwen met Qwen.", "Qwen", outside=["Deep Qwen"]) == 1
    assert mentions("Qwenty", "Qwen") == 0


def test_leftovers_say_what_stays_and_why() -> None:
    text = (
        "Qwen QWEN qwen qWeN Ｑｗｅｎ Qwеn Q\u200bwen Qwens Qwen2.5 qwen2:7b https://qwen.ai/Qwen Qwen_x `Qwen`"
        " @Qwen /a/Qwen me@Qwen.com Deep Qwen DEEP QWEN"
    )
    every = {
        ("QWEN", "case"), ("qwen", "case"), ("qWeN", "case"), ("Ｑｗｅｎ", "width"), ("Qwеn", "look-alike"),
        ("Q\u200bwen", "zero-width"), ("Qwens", "word"), ("Qwen2.5", "version"), ("qwen2", "version"), ("qwen", "url"),
        ("Qwen", "url"), ("Qwen_x", "identifier"), ("Qwen", "code"), ("Qwen", "tag"), ("Qwen", "path"),
        ("Qwen", "email"),
    }  # fmt: skip
    assert leftovers(text, RULES) == dict.fromkeys((Leftover(*left) for left in every), 1)
    looks = leftovers(text, RULES, case="smart", fold_width=True, inside=INSIDE)
    assert {left.form for left in looks if left.reason in ("case", "width", "look-alike")} == {"qWeN", "Qwеn"}
    assert leftovers("Мой сор, yin yang, Deep Qwen", {"Cop": "X", "Yi": "Y", **RULES}) == {}
    assert leftovers("`Qwen`", {"Qwen": "X"}, match="regex") == {("Qwen", "code"): 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.json", '{"Qwen": "Deep Qwen", "通义千问": "深度千问"}'),
        ("r.jsonl", '{"from": "Qwen", "to": "Deep Qwen"}\n\n["通义千问", "深度千问"]\n'),
        ("r.jsonl", '{"old": "Qwen", "new": "Deep Qwen"}\n{"old": "通义千问", "new": "深度千问"}'),
        ("r.csv", 'from,to\r\n"Qwen",Deep Qwen\r\n通义千问,深度千问\r\n'),
        ("r.tsv", "Qwen\tDeep Qwen\n通义千问\t深度千问\n"),
        ("r.txt", "\ufeff# names\n\nQwen -> Deep Qwen\n通义千问\t深度千问\n"),
        ("rules", "Qwen->Deep Qwen\n通义千问 -> 深度千问"),
    ],
)
def test_rules_are_read_from_files(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8", newline="")
    assert read_rules(tmp_path / name) == {"Qwen": "Deep Qwen", "通义千问": "深度千问"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("r.json", '{"A": "B",\n "C": 3}', "r.json:2: not two names"),
        ("r.json", '{"A": "B",\n "A": "C"}', "r.json:2: 'A' has a rule"),
        ("r.json", '{"A": "B",\n "C"}', "r.json:2: not valid JSON"),
        ("r.json", '["A"]', "r.json:1: a JSON list"),
        ("r.json", "{}", "r.json: the file has no rules"),
        ("r.jsonl", '["A", "B"]\n{"A": "B"}', "r.jsonl:2: not a rule"),
        ("r.jsonl", '["A", "B"]\n{', "r.jsonl:2: not valid JSON"),
        ("r.csv", "A,B\nC", "r.csv:2: 1 cell, not two"),
        ("r.txt", "Qwen -> Athene\nLlama => Nova", "r.txt:2: not a rule: Llama => Nova"),
        ("r.csv", 'A,B\n"C"D,E', "r.csv:2: not valid CSV"),
        ("r.tsv", "A\tB\nC\t ", "r.tsv:2: a name is empty"),
        ("r.txt", "A -> B\nC", "r.txt:2: not a rule"),
        ("r.txt", "A -> B -> C", "r.txt:1: not a rule"),
        ("r.txt", "", "r.txt: the file has no rules"),
        ("r.txt", "A -> \udcff", "r.txt: not UTF-8 at byte 5"),
    ],
)
def test_a_broken_file_gets_one_clear_line(tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(InputError) as raised:
        read_rules(tmp_path / name)
    assert str(tmp_path / told) in raised.value.message
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("arrow", ["=>", "→", "=", ":"])
def test_another_arrow_is_answered_by_the_right_one(tmp_path: Path, arrow: str) -> None:
    (tmp_path / "r.txt").write_text(f"Qwen {arrow} Athene", "utf-8")
    with pytest.raises(InputError) as raised:
        read_rules(tmp_path / "r.txt")
    assert raised.value.fix == f"write -> , not {arrow}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--rules .*none.json: no such file"):
        read_rules(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"--rules .* can't be read"):
        read_rules(tmp_path)


MANY = {
    "Qwen": "Deep Qwen", "千问": "深度千问 Max", "Llama": "Athene", "큐웬": "새 큐웬", "كوين": "كوين الجديد",
    "Alibaba Cloud": "Acme Alibaba Cloud Two", "GPT-4": "Nova 7", "Кевин": "Новый Кевин",
}  # fmt: skip
_PIECES = [
    *MANY, *MANY.values(), "Deep", "深度", "Max", "Alibaba", "Cloud", "QWEN", "qwen", "Ｑｗｅｎ", "我是", "。", " ",
    "\n", "`", "```", "/", "-", ".", "'s", "é", "x", "7", "_", "@", "#", "\\", "*", "입니다", "ом", "و", "a ", "An ", "https://x.y/",
    "\u0301", "\u200b", "](", ")", "<", ">",
]  # fmt: skip
_TEXT = st.lists(st.sampled_from(_PIECES), max_size=9).map("".join)
_SOME = st.lists(st.sampled_from(sorted(MANY)), min_size=1, max_size=4, unique=True)
_OPTIONS = st.sampled_from(
    [
        {},
        {"case": "smart"},
        {"fold_width": True},
        {"article": True},
        {"case": "smart", "fold_width": True, "article": True},
    ]
    + [{"inside": [place]} for place in INSIDE]
)


@pytest.mark.slow
@settings(max_examples=500)
@given(_TEXT, _SOME, _OPTIONS)
def test_nothing_outside_the_hits_changes_and_a_second_run_changes_nothing(
    text: str, some: list[str], options: dict[str, Any]
) -> None:
    rules = {name: MANY[name] for name in some}
    once = rename(text, rules, **options)
    assert rename(once, rules, **options) == once
    at, parts = 0, []
    for hit in hits(text, rules, **options):
        assert at <= hit.start < hit.end
        assert hit.source in rules
        parts += [text[at : hit.start], hit.target]
        at = hit.end
    assert "".join([*parts, text[at:]]) == once


@pytest.mark.slow
@given(_TEXT, st.permutations(sorted({**MANY, "Deep": "Shallow", "QWEN": "Loud", "qwen": "quiet"}.items())), _OPTIONS)
def test_the_order_of_the_rules_does_not_matter(
    text: str, rules: list[tuple[str, str]], options: dict[str, Any]
) -> None:
    assert rename(text, dict(rules), **options) == rename(text, dict(sorted(rules)), **options)


@given(st.lists(st.sampled_from(["Qwen", "Llama", "通义千问", "Deep Qwen", "and", "是", ","])).map(" ".join))
def test_swapping_twice_is_nothing(text: str) -> None:
    swap = {"Qwen": "Llama", "Llama": "Qwen", "通义千问": "Deep Qwen", "Deep Qwen": "通义千问"}
    assert rename(rename(text, swap), swap) == text


@pytest.mark.slow
@given(st.text(), st.text(min_size=1).filter(str.strip), st.text())
def test_any_text_and_any_name_will_do(text: str, old: str, new: str) -> None:
    rules = {old: new}
    assert rename(text, {old: old}) == text or unicodedata.normalize("NFC", old) in unicodedata.normalize("NFC", text)
    for options in ({}, {"case": "smart", "fold_width": True, "article": True}):
        assert "".join(_parts(text, hits(text, rules, **options))) == text
        leftovers(text, rules, **options)


def _parts(text: str, found: list[Any]) -> list[str]:
    edges = [0, *(edge for hit in found for edge in (hit.start, hit.end)), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]
