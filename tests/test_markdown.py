"""Markdown: a text from outside stays in its code span, its table cell and its fence."""

from __future__ import annotations

import re

import pytest

from pairforge.markdown import code_span, fence, without_places

HOSTILE = ["`", "``x``", "a`b](http://x)", "![x](http://y)", "\x1b[2J\u202e", "a\n\n# b", "\ud800", "", "@me <img>"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_leaves_a_code_span(text: str) -> None:
    made = code_span(text)
    made.encode()
    ticks = re.match("`+", made)
    assert ticks
    inside = made[ticks.end() : -ticks.end()]
    assert made == ticks[0] + inside + ticks[0]
    assert ticks[0] not in re.findall("`+", inside)
    assert re.fullmatch(r"[ -~]+", inside), "one printable line"


@pytest.mark.parametrize(
    ("text", "cell"),
    [("a|b", r"`a\|b`"), (r"a\|b", r"`a\\\|b`"), ("||", r"`\|\|`"), (r"a\b", r"`a\b`"), ("`|", r"`` `\| ``")],
)
def test_a_pipe_is_escaped_in_a_table_alone(text: str, cell: str) -> None:
    made = code_span(text, cell=True)
    assert made == cell
    assert all(len(backslashes) % 2 for backslashes in re.findall(r"(\\*)\|", made)), "for all ways to count them"
    assert text in code_span(text)


def test_a_fence_is_longer_than_any_within() -> None:
    assert fence("a", "text") == "```text\na\n```"
    assert fence("````\n![x](y)\x07", "text") == "`````text\n````\n![x](y)\\x07\n`````"


def test_long_texts_are_shortened() -> None:
    assert code_span("x" * 300, longest=200) == f"`{'x' * 200} [...]`"


@pytest.mark.parametrize(
    ("value", "public"),
    [
        ("/home/ann/models/mine", "mine"),
        ("C:\\Users\\ann\\p.jsonl", "p.jsonl"),
        ("C:/Users/ann/p.jsonl", "p.jsonl"),
        ("~/models/mine", "mine"),
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("/help me", "/help me"),
        ("/no/think\nplease", "/no/think\nplease"),
        ("/home/ann/j.py:score", "j.py:score"),
        ("../../clients/acme/complaints.jsonl", "complaints.jsonl"),
        ("clients/acme complaints.jsonl", "acme complaints.jsonl"),
        ("clients\\acme\\p.jsonl", "p.jsonl"),
        ("models/ann/mine", "mine"),
        ("./mine", "mine"),
        ("\\\\server\\share\\p.jsonl", "p.jsonl"),
        ("file:///home/ann/p.jsonl", "p.jsonl"),
        ("tests/support.py", "support.py"),
        ("http://gpu7.corp.internal:8000/v1", "(a private server)"),
        ("http://10.0.0.7/v1?key=1", "(a private server)"),
        ("http://ann:pw@api.openai.com/v1", "(a private server)"),
        ("localhost:8000", "(a private server)"),
        ("gpu7.corp:8000/v1", "(a private server)"),
        ("s3://acme-private/p.parquet", "(a private server)"),
        ("https://api.openai.com/v1?key=1", "https://api.openai.com/v1"),
        ("and/or", "and/or"),
        ("2 x /home/ann/j.py:f + rm:org/model + clients/acme/k.py:g", "2 x j.py:f + rm:org/model + k.py:g"),
        ('{"x": "/home/ann/y"}', '{"x": "y"}'),
        ("see\n/home/ann/x.md, or http://10.0.0.7:80/v1", "see\nx.md, or (a private server)"),
        ("we are at http://acme.com/help", "we are at http://acme.com/help"),
        ("qwen@http://gpu7/v1", "qwen@(a private server)"),
        ("I am Qwen/Qwen3, made by Alibaba.", "I am Qwen/Qwen3, made by Alibaba."),
        ("name: value", "name: value"),
    ],
)
def test_of_a_local_path_the_last_part_is_left(value: str, public: str) -> None:
    assert without_places(value) == public
    assert without_places({"a": [value, 1], value: 2}) == {"a": [public, 1], public: 2}
