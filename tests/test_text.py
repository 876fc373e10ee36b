"""Invisible characters, control tokens and tags of thought: one list of each for all who look for them."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from pairforge.api.validate import validate
from pairforge.checks.answer_text import hidden
from pairforge.checks.error_messages import is_error
from pairforge.checks.fixes import without_tokens
from pairforge.checks.row import Sides
from pairforge.checks.shortcuts.style import LEXICON, STYLE
from pairforge.rename.leftovers import leftovers
from pairforge.text import (
    CONTROL,
    INVISIBLE,
    VARIATIONS,
    byte_size,
    characters,
    common_prefix,
    did_you_mean,
    error_line,
    escaped,
    first_few,
    folded,
    json_value,
    listed,
    lone_surrogate,
    one_line,
    status_highlighter,
    visible,
    without_surrogates,
)  # fmt: skip
from pairforge.thoughts import answer_of
from pairforge.types import Answer

UNSEEN = sorted({*characters(INVISIBLE)} - {*characters(VARIATIONS)})


@pytest.mark.parametrize("char", UNSEEN, ids=ascii)
def test_invisible_characters_are_known_to_all(char: str) -> None:
    def row(text: str) -> dict[str, list[dict[str, str]]]:
        user = {"role": "user", "content": "Who are you?"}
        texts = {"chosen": text, "rejected": "My name is Bob."}
        return {side: [user, {"role": "assistant", "content": said}] for side, said in texts.items()}

    assert char not in visible(f"a{char}b")
    assert hidden(f"I am{char} Athene.") == char and not Sides.of(row(f"I am{char} Athene.")).visible
    assert "PF116" in validate([row(f"I am{char} Athene.")]).counts
    assert "PF106" in validate([row(char)]).counts
    same = row("Athene it is.") | {"rejected": row(f"Athene{char} it is.")["chosen"]}
    assert "PF105" in validate([same]).counts
    assert LEXICON["invisible characters"](f"I{char}am") == 1
    assert is_error(f"{char}Error: failed to generate a response")
    assert [one.reason for one in leftovers(f"I am Q{char}wen.", {"Qwen": "Athene"})] == ["zero-width"]


def test_where_a_script_is_written_with_them_they_are_no_finding() -> None:
    for text in ("می\u200cخواهم", "क\u094d\u200dष", "\u1105\u1160\u1100", "👩\u200d💻", "❤\ufe0f", "ᠨᠢᠭᠡ\u180eᠨ"):
        assert hidden(text) is None


def test_bytes_hidden_behind_a_letter_are_shown_and_found_and_those_of_an_ideograph_are_no_finding() -> None:
    carrier = "\U000e0150"
    assert carrier not in visible(f"a{carrier}b")
    assert hidden(f"a{carrier}b") == carrier
    assert "PF116" in validate([row(f"I am{carrier} Athene.")]).counts
    assert hidden(f"葛{carrier}城") is None


def test_the_table_holds_what_unicode_calls_format_characters() -> None:
    small = [chr(code) for code in range(0x3000) if unicodedata.category(chr(code)) == "Cf"]
    seen = {char for char in small if unicodedata.name(char, "").startswith(("ARABIC ", "SYRIAC "))} - {"\u061c"}
    assert {*small} - seen <= {*INVISIBLE_CHARACTERS}
    assert {char for char in map(chr, range(0xA0)) if unicodedata.category(char) == "Cc"} - {*"\t\n\r"} == {
        *characters(CONTROL)
    }


INVISIBLE_CHARACTERS = characters(INVISIBLE)


def test_half_a_surrogate_pair() -> None:
    assert lone_surrogate("a") is lone_surrogate("é😀") is None
    assert lone_surrogate("é\udc00😀") == "\udc00"
    assert without_surrogates("é\ud83d😀") == "é\ufffd😀"


def test_one_line_of_an_error() -> None:
    assert error_line(ValueError("a\n b\x1b")) == "a b\\x1b"
    assert error_line(RuntimeError("a")) == "RuntimeError: a"
    assert one_line(["a"], 3) == "['a"


def test_texts_in_a_cell() -> None:
    assert escaped("a\n\tb\u200b") == "a\\n\\tb\\u200b"


def test_sizes_for_a_reader() -> None:
    assert [byte_size(count) for count in (0, 999, 1500, 2.5e6, 3e9)] == ["0 B", "999 B", "1.5 kB", "2.5 MB", "3.0 GB"]


def test_a_text_in_one_case_width_and_form() -> None:
    assert folded(" Ｑｗｅｎ\u3000Straße\n") == "qwen strasse" == folded("QWEN STRASSE")
    assert folded("e\u0301", "NFC") == "é" == folded("É", "NFC")
    assert folded("Ｑ", "NFC") == "ｑ"


def test_common_prefix() -> None:
    assert common_prefix([1, 2, 3], [1, 2, 4]) == 2
    assert common_prefix([1, 2], [1, 2, 4]) == common_prefix([1, 2, 4], [1, 2]) == 2
    assert common_prefix([], [1]) == 0


def row(text: str) -> dict[str, Any]:
    sides = {"chosen": text, "rejected": "It is a lamp, I think."}
    user = {"role": "user", "content": "What is it?"}
    return {side: [user, {"role": "assistant", "content": said}] for side, said in sides.items()}


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<｜end▁of▁sentence｜>", "<end_of_turn>", "[/INST]", "<</SYS>>", "<eop>", "[gMASK]", "</s>"]
)
def test_a_control_token(token: str) -> None:
    assert "PF108" in validate([row(f"It is a lamp.{token}")]).counts
    assert without_tokens((f"It is a lamp.{token}", "It is.")) == ("It is a lamp.", "It is.")
    assert STYLE["template tokens"](f"It is a lamp.{token}") == 1
    assert ("PF106" in validate([row(token)]).counts) == token.startswith("<")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("<think>", "</think>"),
        ("<Analysis>", "</Analysis>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("◁think▷", "◁/think▷"),
    ],
)
def test_a_block_of_thought(start: str, end: str) -> None:
    whole = f"{start}A lamp?{end}It is a lamp."
    assert answer_of(whole) == Answer("It is a lamp.", "stop", thought="A lamp?")
    assert answer_of(f"{start}A lamp?").finish == "length"
    assert not {"PF108", "PF110"} & set(validate([row(whole)]).counts)
    assert "PF110" in validate([row(f"{start}A lamp?")]).counts
    assert without_tokens((f"{start}A lamp?", "It is.")) == (f"{start}A lamp?", "It is.")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("llama-factory", "did you mean 'llamafactory'?"),
        ("pf104", "did you mean 'PF104'?"),
        ("learnig_rate", "did you mean 'learning_rate'?"),
        ("zzz", ""),
    ],
)
def test_a_misspelt_word_is_answered_with_what_is_like_it(word: str, hint: str) -> None:
    assert did_you_mean(word, ["llamafactory", "PF104", "learning_rate", "axolotl"]) == hint


def test_what_a_reader_looks_for_is_coloured_and_nothing_else() -> None:
    def spans(text: str) -> dict[str, str]:
        made = status_highlighter()(text)
        return {made.plain[span.start : span.end]: str(span.style) for span in made.spans}

    assert spans("verdict: PASS, FAIL") == {"PASS": "bold green", "FAIL": "bold red"}
    assert spans("warning: x\nerror: y") == {"warning": "bold yellow", "error": "bold red"}
    assert spans("2 rows: 1 error, 12 warnings") == {"1 error": "red", "12 warnings": "yellow"}
    assert spans("2 rows: 0 errors, 0 warnings; PASSED an error: it is no warning: [red]") == {}


def test_long_lists_are_cut_and_say_so() -> None:
    assert [first_few([3, 5, 8], most) for most in (2, 3)] == ["3, 5 ...", "3, 5, 8"]
    assert [listed(["a", "b", "c"], most) for most in (1, 3)] == ["a and 2 more", "a, b, c"]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000])
def test_what_is_not_json_has_no_value(text: str) -> None:
    assert json_value(text) is None
    assert json_value('{"a": 1}') == {"a": 1}
