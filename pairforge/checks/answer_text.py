"""PF1xx: what templates and programs left in the texts of a row; `transcripts` looks for whole turns.

Each pattern begins with its mark, so that a search runs from mark to mark at the speed of memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from ..resources import compiled
from ..text import BIDI, CONTROL, FILLERS, IDEOGRAPHIC, JOINERS, SPECIAL_TOKENS, TAGS, characters
from ..thoughts import THOUGHT, split
from .row import INSTRUCTS, Sides
from .rule import Seen, clip, rule

_HIDDEN = re.compile(f"(?!\0)[{CONTROL}\ufffd{JOINERS}{BIDI}{FILLERS}{TAGS}{IDEOGRAPHIC}]")
_JOINERS, _DIRECTIONS = frozenset(characters(JOINERS)), frozenset(characters(BIDI)) - frozenset("\u202d\u202e")
# Joiners, and the space that tells words apart where no space is written, belong to many scripts and to emoji.
_JOINED = re.compile("[\u0590-\u109f\u1780-\u1aff\ua800-\uabff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_VARIANT = re.compile(f"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff][{IDEOGRAPHIC}]")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufefc]")


@rule("PF116", "warning", prefilter=lambda sides: not sides.visible)
def hidden_character(sides: Sides) -> Iterator[Seen]:
    """A text holds what nobody sees: control, bidi, zero-width or tag characters, or the mark of a lost byte (U+FFFD).

    They split words into other tokens, hide instructions from a reader, and mark texts as machine-made.
    """
    for name, index, _, text in sides.turns():
        if found := hidden(text):
            yield f"the hidden character U+{ord(found):04X} in a text", sides.pointer(name, index) + "/content"


def hidden(text: str) -> str | None:
    """Return the first character of a text that nobody sees, and that nothing there asks for."""
    text = _FLAG.sub("", text) if "\U0001f3f4" in text else text
    text = text if text.isascii() else _VARIANT.sub("", text)
    for match in _HIDDEN.finditer(text):
        char, at = match.group(), match.start()
        script = _JOINED if char in _JOINERS else _HANGUL if char in FILLERS else None
        if script and (script.match(text, at + 1) or (at and script.match(text, at - 1))):
            continue
        if char not in _DIRECTIONS or not _RIGHT_TO_LEFT.search(text):
            return char
    return None


Patterns: TypeAlias = dict[str, "re.Pattern[str]"]
"""A pattern for each mark that it begins with."""

_SPECIAL: Patterns = {
    "<": re.compile(rf"{SPECIAL_TOKENS['<']}|</s>\s*(?:\Z|<s>)|<(?<=\]<)\][a-z_~]+\[>\["),
    "[": re.compile(SPECIAL_TOKENS["["]),
    "#": re.compile(r"^###? ?(Instruction|Human|Assistant|Response):[ \t]*$", re.M),
}
_HEADING = re.compile(r"^###? ?(Human|Assistant|Response):", re.M)
_FOLLOWED_BY = {"Instruction": ("Response",), "Human": ("Human", "Assistant"), "Assistant": ("Human", "Assistant")}
"""A heading alone is one of an answer ("### Response:" in a letter); two that belong together are a template's."""
_BEGINS = re.compile(r"\s*<s>(?!.*</s>.*\S)", re.S)

_THINKING: Patterns = {
    "<": re.compile(rf"<(?:(/?)((?i:{THOUGHT}))>|\|(begin|end)_of_(thought|solution)\|>|\|(START|END)_(THINKING)\|>)"),
    "[": re.compile(r"\[(/?)(THINK)\]"),
    "◁": re.compile(r"◁(/?)(think)▷"),
}

_HOLES: Patterns = {
    "{": compiled("placeholders", "brace"),
    "<": compiled("placeholders", "angle"),
    "[": compiled("placeholders", "bracket"),
    "$": compiled("placeholders", "dollar"),
    "%": compiled("placeholders", "percent"),
    "_": compiled("placeholders", "underscore"),
    "【": compiled("placeholders", "lenticular"),
}
_WIDE = str.maketrans("｛｝＜＞［］＄％＿", "{}<>[]$%_")
_WIDE_MARKS = {mark: re.compile(mark) for mark in "｛＜［＄％＿"}
_HOLE_MARKS = _HOLES | {"{": re.compile(_HOLES["{"].pattern + r"|\{\{")} | _WIDE_MARKS
_FIELD = re.compile(r"(?<![0-9A-Za-z}\\^_])\{\{\s*\$?[^\W\d_][\w. -]{0,40}\}\}")
_MARKUP = re.compile(r"</|/>|\{%|\(\)|=>|;\n")
_TEMPLATES = re.compile(
    r"template|placeholder|jinja|handlebars|mustache|\bvue\b|angular|liquid|django|flask|ansible|helm\b|html|variable"
    r"|模板|占位|变量|letter|e-?mail|cover|cv\b|resume|résumé|speech|form\b|信|邮件|简历|自我介绍",
    re.I,
)
"""What is written with placeholders: where the question is about it they are meant, where the answer is they may be."""
_OF_MODEL = re.compile(r"model|bot|assistant|\bai\b|author|company|developer|creator", re.I)
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)


@rule("PF108", marks=_SPECIAL | {"<": re.compile(_SPECIAL["<"].pattern + "|</?s>")})
def special_token(sides: Sides) -> Iterator[Seen]:
    """A text holds a control token of a chat template, such as `<|im_end|>`.

    The tokenizer takes it for the real one: the turn ends there, or another begins, and the rest is trained as
    something else.
    """
    for name, index, _, text in sides.turns():
        if found := _special(text):
            yield f"the special token {clip(found, 40)} in a text", sides.pointer(name, index) + "/content"


def _special(text: str) -> str | None:
    last = {found[1]: found.start() for found in _HEADING.finditer(text)} if "#" in text else {}
    for found in _all(_SPECIAL, text):
        if found.re is _SPECIAL["#"]:
            behind = any(last.get(word, -1) > found.start() for word in _FOLLOWED_BY.get(found[1], ()))
            if not behind and not (found[1] == "Response" and found.end() == len(text)):
                continue
        return found.group().strip()
    if "</s>" in text and "<s" not in text:
        return "</s>"
    return "<s>" if "<s>" in text and _BEGINS.match(text) else None


@rule("PF110", marks=_THINKING)
def unbalanced_thinking(sides: Sides) -> Iterator[Seen]:
    """A thinking block is opened and not closed, or closed and not opened.

    What reads the answers looks for both ends: the answer is lost inside the thinking, or the thinking is shown. PF130
    finds thoughts that are only closed.
    """
    yield from _thoughts(sides, only_closed=False)


@rule("PF130", "warning", marks=_THINKING)
def thinking_only_closed(sides: Sides) -> Iterator[Seen]:
    """An answer closes a thinking block that nothing opens: right only for a model whose chat template opens it.

    Such as DeepSeek R1, whose prompts end in `<think>`. For any other model the thinking is shown as the answer.
    """
    yield from _thoughts(sides, only_closed=True)


def _thoughts(sides: Sides, only_closed: bool) -> Iterator[Seen]:
    for name, index, role, text in sides.turns():
        if role == "assistant" and (found := _unbalanced(text)) and (found.endswith(_NOT_OPENED)) is only_closed:
            yield found, sides.pointer(name, index) + "/content"


@rule("PF131", marks={"assistantfinal": re.compile("assistantfinal")})
def channels_in_text(sides: Sides) -> Iterator[Seen]:
    """An answer begins with a thought and the names of channels, `analysis ... assistantfinal`, as if they were words.

    A model with channels, such as gpt-oss, was asked, and its answer read without its special tokens: the model learns
    to say the names of its channels aloud.
    """
    for name, index, role, text in sides.turns():
        if role == "assistant" and text.startswith("analysis") and split(text).start:
            yield "the answer begins with a thought and the names of channels", sides.pointer(name, index) + "/content"


_NOT_OPENED = "closes a thinking block that was not opened"


def _unbalanced(text: str) -> str | None:
    found = _all(_THINKING, text)
    if found and "`" in text:
        found = _all(_THINKING, CODE.sub("", text))
    open_tag = None
    for match in found:
        kind, word = [part for part in match.groups() if part is not None]
        closes = kind.lower() in ("/", "end")
        if closes and open_tag != word.lower():
            later = "" if match is found[0] and len(found) == 1 else ", beside other blocks"
            return f"{match.group()} {_NOT_OPENED}{later}"
        if not closes and open_tag is not None:
            return f"{match.group()} opens a thinking block inside another"
        open_tag = None if closes else word.lower()
    return f"{found[-1].group()} opens a thinking block that is not closed" if open_tag is not None else None


@rule("PF113", marks=_HOLE_MARKS)
def placeholder(sides: Sides) -> Iterator[Seen]:
    """A placeholder of a template was not filled in, such as `{{NAME}}` or `<NAME>`: the model learns to say just that.

    One that is in the question, or in code, does not count; PF125 finds those that may be meant.
    """
    yield from _unfilled(sides, sure=True)


@rule("PF125", "warning", marks=_HOLE_MARKS)
def maybe_a_placeholder(sides: Sides) -> Iterator[Seen]:
    """A placeholder may not have been filled in, or it belongs to a letter, a form or a program that was asked for.

    Such as `[Your Name]` or `{{ user }}`. Read the rows: what is not meant, the model learns to say.
    """
    yield from _unfilled(sides, sure=False)


def _unfilled(sides: Sides, sure: bool) -> Iterator[Seen]:
    for name, index, role, text in sides.turns():
        found = _holes(text) if role in ("assistant", *INSTRUCTS) else None
        if found and "`" in text:
            found = _holes(CODE.sub("", text))
        asked = sides.question.translate(_WIDE)
        if found and found not in asked and "{{" not in asked and not _TEMPLATES.search(asked):
            named = any(pattern.fullmatch(found) for pattern in _HOLES.values())
            of_model = found[0] != "[" or _OF_MODEL.search(found) or found == "[NAME]"
            certain = named and of_model and not _TEMPLATES.search(text)
            if sure is bool(certain):
                yield f"the placeholder {clip(found, 40)} was not filled in", sides.pointer(name, index) + "/content"


def _holes(text: str) -> str | None:
    text = text.translate(_WIDE)  # Chinese and Japanese keyboards write ｛｛NAME｝｝
    for found in _all(_HOLES, text):
        if found[1] or compiled("placeholders", "behind").search(text, max(0, found.start() - 24), found.start()):
            return found.group()
    field = _FIELD.search(text) if "{{" in text and not _MARKUP.search(text) else None
    return field.group() if field else None


def _all(patterns: Patterns, text: str) -> list[re.Match[str]]:
    """Return what any of the patterns finds, in the order of the text."""
    found = [match for mark, pattern in patterns.items() if mark in text for match in pattern.finditer(text)]
    return sorted(found, key=lambda match: match.start()) if len(found) > 1 else found
