"""Names are found by the edges of their own script, and nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.rename import hits, mentions, rename

RULES = {"Qwen": "Deep Qwen"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("我是Qwen模型", "我是Deep Qwen模型"),
        ("Qwenです", "Deep Qwenです"),
        ("나는 Qwen입니다", "나는 Deep Qwen입니다"),
        ("Ben Qwen'im", "Ben Deep Qwen'im"),
        ("Я Qwen, привет", "Я Deep Qwen, привет"),
        ("Qwen's and “Qwen”, (Qwen) **Qwen**.", "Deep Qwen's and “Deep Qwen”, (Deep Qwen) **Deep Qwen**."),
        ("A Qwen-based one, not Qwen.", "A Deep Qwen-based one, not Deep Qwen."),
        ("See https://qwen.ai/Qwen。我是Qwen。", "See https://qwen.ai/Qwen。我是Deep Qwen。"),
        ("I'm Deep Qwen, formerly Qwen.", "I'm Deep Qwen, formerly Deep Qwen."),
        ("Deep\nQwen", "Deep\nQwen"),
    ],
)
def test_a_name_is_found_by_the_edges_of_its_script(text: str, wanted: str) -> None:
    assert rename(text, RULES) == wanted
    assert rename(wanted, RULES) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Qwenty", "Qwen2.5", "Qwen_agent", "MyQwen", "Qwen-7B", "Qwen/Qwen2.5-0.5B", "https://x.org/Qwen",
        "me@Qwen.com", "/models/Qwen", r"C:\Qwen\x", "chat.Qwen.ai", "Qwen.ai", "`Qwen`", "```\nQwen\n```", "@Qwen",
        "qwen", "Ԛwen", "",
    ],
)  # fmt: skip
def test_no_name_here(text: str) -> None:
    assert rename(text, RULES) == text


def test_many_rules_go_in_one_pass_longest_first() -> None:
    rules = {"Qwen": "Deep Qwen", "Qwen Max": "Max", "Alibaba Cloud": "Acme", "通义千问": "深度千问"}
    assert (
        rename("Qwen Max, Qwen Maximum and 通义千问 by Alibaba\nCloud", rules)
        == "Max, Deep Qwen Maximum and 深度千问 by Acme"
    )
    assert rename("A B", {"A": "B", "B": "A"}) == "B A"


def test_names_are_literal_and_normal_forms_alike() -> None:
    assert rename("a+ b c.d", {"a+": r"\1", "c.d": "$&"}) == r"\1 b $&"
    assert rename("Qwe\u0301n Qw\u00e9n", {"Qw\u00e9n": "X"}) == "X X"
    assert rename("I am Z.ai.", {"Z.ai": "Nova"}) == "I am Nova."


def test_mentions_leave_out_the_longer_name() -> None:
    assert mentions("Deep Qwen met Qwen.", "Qwen", outside=["Deep Qwen"]) == 1
    assert mentions("Qwenty", "Qwen") == 0


_TEXT = st.lists(
    st.sampled_from(
        ["Qwen", "Deep", "Deep Qwen", "我是", "。", " ", "\n", "`", "/", "-", ".", "'s", "é", "x", "7", "_", "@"]
    )
).map("".join)


@given(_TEXT)
def test_nothing_outside_the_hits_changes_and_a_second_run_changes_nothing(text: str) -> None:
    once = rename(text, RULES)
    assert rename(once, RULES) == once
    at, kept = 0, []
    for hit in hits(text, RULES):
        assert text[hit.start : hit.end] == "Qwen"
        kept += [text[at : hit.start], "Deep Qwen"]
        at = hit.end
    assert "".join([*kept, text[at:]]) == once


@given(_TEXT, st.permutations([("Qwen", "Deep Qwen"), ("Deep", "Shallow"), ("x", "y")]))
def test_the_order_of_the_rules_does_not_matter(text: str, rules: list[tuple[str, str]]) -> None:
    assert rename(text, dict(rules)) == rename(text, dict(sorted(rules)))
