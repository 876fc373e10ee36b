"""Turns within texts, and texts that were decoded wrongly; and what only looks like them."""

from __future__ import annotations

import pytest
from support import pair

from pairforge.api.validate import validate


def codes(question: str, chosen: str = "Hello there.", rejected: str = "No way.") -> set[str]:
    return {one.code for one in validate([pair(chosen, rejected, question)], quiet=True)}


@pytest.mark.parametrize(
    "question",
    [
        "User: Hi\nAssistant: Hello\nUser: Bye\nAssistant:", "USER: What?\nASSISTANT:",
        "[User]: Hi\n[Assistant]: Let me",
        "A conversation.\nUser: What is 12*3?\nAssistant: Let me think.", "### User:\nHi\n### Assistant:\n",
        "**User**: Hi\n**Assistant**: Well", "用户：你好\n助手：",
        "A chat. USER: Hi ASSISTANT:", "Benutzer: Hallo\nAssistent:",
        "Пользователь: Привет\nАссистент:", "System: be brief\nUser: Hi\nAI:",
    ],
)  # fmt: skip
def test_questions_that_are_transcripts(question: str) -> None:
    assert "PF126" in codes(question)


@pytest.mark.parametrize(
    "question",
    [
        "Q: Name a fruit.\nA:", "Ann: Hi!\nBob: Hello.\nWho is polite?", "What is an AI: a program?",
        "Rewrite:\nUser: a person who uses it.\nAdmin: who runs it.", "Assistant: what does the word mean?",
        "Introduce yourself as an assistant:", "Finish: I am a helpful AI:",
        "User: Hi\nAssistant: Hello\nUser: What did the user say?",
    ],
)  # fmt: skip
def test_questions_that_are_none(question: str) -> None:
    assert "PF126" not in codes(question)


def test_answers_that_go_on() -> None:
    assert "PF126" in codes("Name a fruit.", "Pear.\nUser: And another?\nAssistant: Apple.")
    assert "PF126" not in codes("Write a dialogue.", "User: Hi!\nAssistant: Hello!")
    assert "PF126" not in codes("How is it written?", "```\nUser: Hi!\nAssistant: Hello!\n```")


def misread(text: str, encoding: str = "cp1252") -> str:
    """Return a text in UTF-8 as it looks where it is read as another encoding."""
    bare = {byte: chr(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D, 0x98)}
    made = ""
    for byte in text.encode():
        try:
            made += bytes([byte]).decode(encoding)
        except UnicodeDecodeError:
            made += bare[byte]
    return made


@pytest.mark.parametrize(
    "text",
    ["c’est très gentil", "über", "café", "São Paulo", "“Hello”", "5 €", "Спасибо", "Ελληνικά", "שלום לך", "العربية",
     "中文测试", "こんにちは", "안녕하세요", "¿Qué tal?", "garçon", "20 °C", "😊"],
)  # fmt: skip
def test_wrongly_decoded_texts(text: str) -> None:
    assert "PF128" in codes("Say it.", misread(text))
    assert "PF128" not in codes("Say it.", text)


def test_cyrillic_read_as_another_code_page() -> None:
    assert "PF128" in codes("Say it.", misread("Привет, мир", "cp1251"))
    assert "PF128" not in codes("Say it.", "РОССИЯ И США, Сербия, Россия")


@pytest.mark.parametrize(
    "text",
    ["Spaß“ und „Größe“ – «ça»", "une crème brûlée à la carte…” dit-il", "AMANHÃ”, NÃO, MÃE", "3×½", "âge, pâte",
     "Đà Nẵng", "Ångström, Æsir, Ðorðe", "là «à côté»", "100 £, ½ l, © 2020"],
)  # fmt: skip
def test_letters_that_only_look_like_it(text: str) -> None:
    assert "PF128" not in codes("Say it.", text)
