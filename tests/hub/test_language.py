"""The languages of prompts: named where they are sure, else left out."""

from __future__ import annotations

import json

import pytest

from pairforge.hub.language import LanguageCounter, language_of
from pairforge.resources import resource


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France?", "en"),
        ("¿Cuál es la capital de Francia?", "es"),
        ("Wer bist du, und wie heißt du?", "de"),
        ("Quelle est la capitale de la France ?", "fr"),
        ("Кто ты такой, и что это?", "ru"),
        ("日本の首都はどこですか", "ja"),
        ("서울은 어디에 있습니까?", "ko"),
        ("法国的首都是哪里？用 Python 写。", "zh"),
        ("2 + 2 = ?", None),
        ("print(sum(range(10)))", None),
        ("", None),
    ],
)
def test_a_language_is_known_by_its_script_or_its_words(text: str, language: str | None) -> None:
    assert language_of(text) == language


def counted(*texts: str) -> tuple[str, ...]:
    counter = LanguageCounter()
    counter.add(texts)
    return counter.languages()


def test_a_set_has_those_that_are_sure_and_not_rare() -> None:
    english, chinese = "What is the capital of France?", "法国的首都是哪里？"
    assert counted(english, chinese) == ("en", "zh")
    assert counted(*[english] * 30, chinese) == ("en",)
    assert counted(english, "2 + 2", "3 + 3") == ()
    assert counted() == ()
    assert counted(*[chinese] * 4000, *[english] * 4000) == ("en", "zh")


def test_the_bundled_prompts_are_of_their_languages() -> None:
    for name in ("identity.train", "controls.train", "general.train"):
        lines = resource("data", "prompts", f"{name}.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert counted(*(row["prompt"] for row in rows)) == ("en", "zh")
        wrong = [row for row in rows if language_of(row["prompt"]) not in (row["lang"], None)]
        assert len(wrong) < len(rows) / 100
