"""Replaces names in text: script-aware, idempotent, many rules in one pass.

A name is found where it stands as a word of its own script: `我是Qwen模型`, `Qwen's` and `**Qwen**` hold the name Qwen;
`Qwenty`, `Qwen2.5`, `Qwen_agent`, `Qwen/Qwen2.5-0.5B`, `chat.qwen.ai` and code spans don't. What already is a new name
stays as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import regex

_PROTECTED = r"""
    ```.*?(?:```|\Z)                                                    # code block
  | `[^`\n]+`                                                           # code span
  | (?:https?|ftp)://[A-Za-z0-9\-._~:/?\#\[\]@!$&'()*+,;=%]+            # URL
  | [A-Za-z0-9._+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+               # e-mail
  | [A-Za-z0-9_.~\-]*(?:/[A-Za-z0-9_.~\-]+)+/?                          # path, repo id
  | [A-Za-z]:\\[^\s"<>|]+                                               # Windows path
  | (?<![A-Za-z0-9])(?:[A-Za-z0-9\-]+\.)+[a-z]{2,}(?![A-Za-z0-9])       # host name
"""
# Scripts that write words without spaces have no edges to look for; Hangul glues particles to the end of a name.
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]"
)
_HANGUL = regex.compile(r"\p{Script=Hangul}")
_SPACED = (
    "Latin",
    "Cyrillic",
    "Greek",
    "Armenian",
    "Georgian",
    "Hebrew",
    "Arabic",
    "Devanagari",
    "Bengali",
    "Tamil",
    "Ethiopic",
)


class Hit(NamedTuple):
    """One place where a rule applies: text[start:end] is `source` and is to become `target`."""

    start: int
    end: int
    source: str
    target: str


def rename(text: str, rules: Mapping[str, str]) -> str:
    """The text with every name in `rules` (old -> new) replaced, longest name first.

    Idempotent, except where one rule's new name is another rule's old name.
    """
    parts, at = [], 0
    for hit in hits(text, rules):
        parts += [text[at : hit.start], hit.target]
        at = hit.end
    return "".join([*parts, text[at:]])


def hits(text: str, rules: Mapping[str, str]) -> list[Hit]:
    """Where the rules apply, in order, not overlapping."""
    pattern, sources = _compile(tuple(rules), tuple(rules.values()))
    found = []
    for match in pattern.finditer(text):
        if (index := sources.get(match.lastgroup or "")) is not None:
            found.append(Hit(match.start(), match.end(), index, rules[index]))
    return found


def mentions(text: str, name: str, outside: Iterable[str] = ()) -> int:
    """How often the name stands in the text by the same edges; not within one of the longer names in `outside`."""
    rules = {name: name} | {longer: longer for longer in outside if longer != name}
    return sum(hit.source == name for hit in hits(text, rules))


@lru_cache(maxsize=256)
def _compile(sources: tuple[str, ...], targets: tuple[str, ...]) -> tuple[regex.Pattern[str], dict[str, str]]:
    """One alternation: names that look like a URL or path, what is protected, then all names, longest first.

    The groups of the sources are named; a target is matched without a name, so that it is passed over.
    """
    groups = {f"s{i}": source for i, source in enumerate(sources)}
    named = {source: f"(?P<{group}>{_word(source)})" for group, source in groups.items()}
    named |= {target: _word(target) for target in targets if target not in named}
    longest = sorted(named, key=len, reverse=True)
    looks_protected = [name for name in longest if regex.fullmatch(_PROTECTED, name, regex.X | regex.S)]
    plain = [name for name in longest if name not in looks_protected]
    parts = [*(named[name] for name in looks_protected), f"(?x:{_PROTECTED})", *(named[name] for name in plain)]
    return regex.compile("|".join(parts), regex.S), groups


def _word(name: str) -> str:
    """The pattern of a name: literal, in either Unicode normal form, any white space for a space, with its edges."""
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    literal = "|".join(r"\s+".join(map(regex.escape, form.split())) for form in sorted(forms, key=len, reverse=True))
    return f"{_left(name[0])}(?:{literal}){_right(name[-1])}"


def _left(char: str) -> str:
    if _UNSPACED.match(char):
        return ""
    return rf"(?<![{_script(char)}\p{{M}}\d_@\#\\])(?<![\p{{L}}\d]-)" if char.isalnum() else ""


def _right(char: str) -> str:
    if _UNSPACED.match(char):
        return ""
    if _HANGUL.match(char):
        return r"(?!\p{M})"
    return rf"(?![{_script(char)}\p{{M}}\d_@\\])(?!\.[\p{{Ll}}\d])(?!-[\p{{Lu}}\d])" if char.isalnum() else ""


def _script(char: str) -> str:
    for script in (*_SPACED, "Hangul"):
        if regex.match(rf"\p{{Script={script}}}", char):
            return rf"\p{{Script={script}}}"
    return ""
