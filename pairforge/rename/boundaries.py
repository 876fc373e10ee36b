"""Word boundaries in every script: where a name is a word of the prose, and where it is part of something longer.

A boundary pattern matches beside a name where the name is *not* a word of its own; the group that matched is the
reason: `word`, `version`, `identifier` or `tag`. Code, URLs, e-mail addresses, paths and repo ids are not prose.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import regex

from ..resources import patterns

OPEN = r"\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Javanese}\p{Balinese}"
"""Scripts that write words without spaces: none of their letters is a boundary."""
_SPACED = rf"[\p{{L}}--[\p{{Latin}}\p{{Hangul}}\p{{Katakana}}\p{{Common}}{OPEN}]]"
# By the first or last character of a name: the letters that may not be beside it.
_LETTERS = {
    "latin": r"\p{Latin}",
    "digit": r"[\p{Latin}\d]",
    "sign": r"[\p{Latin}\d+\#]",
    "emoji": r"[\U0001f3fb-\U0001f3ff]",
    "hangul": r"\p{Hangul}",
    "katakana": r"[\p{Katakana}ー]",
    "hebrew": _SPACED,
    "arabic": _SPACED,
    "spaced": _SPACED,
}
_JOINERS = r"\u00ad\u200d\u2060"
# Thai and Lao vowels that are written before or after their consonant make one syllable with it.
_VOWELS_BEFORE, _VOWELS_AFTER = "[เแโใไເແໂໃໄ]", "[ะาำະາຳ]"
_HYPHEN = "[-‐‑]"
# A line break or a quotation mark within JSON.
_ESCAPE = r"\\[nrt\x22]"


def left_boundary(name: str, inside: frozenset[str]) -> regex.Pattern[str]:
    """Return a pattern that matches at the start of a name that is part of something longer, but not of `inside`."""
    kind = _kind(name[0])
    return _left("spaced" if kind in ("hebrew", "arabic") and len(name) < 3 else kind, inside)


def right_boundary(name: str, inside: frozenset[str]) -> regex.Pattern[str]:
    """Return a pattern that matches at the end of a name that goes on there, but not with one of `inside`."""
    return _right(
        _kind(next((char for char in reversed(name) if unicodedata.category(char)[0] != "M"), name[-1])), inside
    )


def _kind(char: str) -> str:
    if char.isdecimal():
        return "digit"
    if not char.isalpha():
        return "sign" if char.isascii() else "emoji"
    letters = {kind: _LETTERS[kind] for kind in ("latin", "hangul", "katakana")}
    letters |= {"hebrew": r"\p{Hebrew}", "arabic": r"\p{Arabic}", "open": f"[{OPEN}]"}
    return next((kind for kind, pattern in letters.items() if regex.match(pattern, char)), "spaced")


@lru_cache(maxsize=64)
def _left(kind: str, inside: frozenset[str]) -> regex.Pattern[str]:
    letters = rf"{_LETTERS[kind]}\p{{M}}*" if kind in _LETTERS else _VOWELS_BEFORE
    clitic = rf"(?<!(?<!{letters})(?:{_any(f'{kind}_clitics')}))" if kind in ("hebrew", "arabic") else ""
    digit = {"open": "(?!)", "digit": r"(?<=\d[.,]?)"}.get(kind, r"(?<=\d)")
    emphasis = r"(?<=(?<![A-Za-z\d_])_{1,3})(?=[^\n]{0,200}?[^\s_]_{1,3}(?![A-Za-z\d_]))"
    return _reasons(
        inside,
        word=rf"(?<={letters})(?<!{_ESCAPE}){clitic}|(?<=[{_JOINERS}])",
        version=rf"{digit}|(?<=\d[A-Za-z\d._]{{0,20}}(?:{_HYPHEN}[A-Za-z\d._]{{1,20}}){{0,6}}{_HYPHEN})",
        identifier=rf"(?<=_)(?!{emphasis})|(?<=[$\\]|\$\{{|::|(?:^|\s)\.)",
        tag=r"(?<=[@＠]|(?<![\#＃])[\#＃])",
    )


@lru_cache(maxsize=64)
def _right(kind: str, inside: frozenset[str]) -> regex.Pattern[str]:
    letters = _LETTERS.get(kind, _VOWELS_AFTER)
    endings = f"(?!(?:{_any('korean_particles')})+(?!\\p{{Hangul}})|(?:{_any('korean_copulas')}))"
    particle = endings if kind == "hangul" else ""
    digit = {"open": rf"\d[\d.]*+(?!{_any('counters')})", "digit": r"[.,]?\d"}.get(kind, r"\.?\d")
    emphasis = r"_{1,3}(?![A-Za-z\d_])(?<=(?<![A-Za-z\d_])_{1,3}[^\s_][^\n]{0,200})"
    return _reasons(
        inside,
        word=rf"(?={letters}){particle}|(?=[\p{{M}}{_JOINERS}])",
        version=rf"(?={digit}|{_HYPHEN}(?:[A-Za-z_]{{1,20}}{_HYPHEN}){{0,6}}[A-Za-z_]{{0,20}}\d"
        rf"|{_HYPHEN}(?i:{_any('model_variants')})(?!\p{{L}})|:(?:\d+(?:\.\d+)?[bB]|latest)\b)",
        identifier=rf"(?=_)(?!{emphasis})|(?=(?!{_ESCAPE}(?![a-z]))\\|::|\(\)|\+\+|\#|\.[a-z]|\.[A-Z]{{2,}}(?!\p{{L}}))",
        tag=r"(?=[@＠]\S)",
    )


def _any(section: str) -> str:
    """Return the pattern of a section of `data/patterns/word_boundaries.txt`, in both normal forms."""
    lines = patterns("word_boundaries")[section]
    return "|".join(sorted({unicodedata.normalize(form, line) for form in ("NFC", "NFD") for line in lines}))


def _reasons(inside: frozenset[str], **reasons: str) -> regex.Pattern[str]:
    kept = [f"(?P<{reason}>{pattern})" for reason, pattern in reasons.items() if reason not in inside]
    return regex.compile("|".join(kept) or "(?!)", regex.V1)


INSIDE = ("word", "version", "identifier", "tag", "url", "email", "path", "code")
"""The things that a name may be part of: there it is not replaced, unless asked for."""


class Replacement(NamedTuple):
    """A place where a rule applies: text[start:end] is to become `target`; `source` is the rule's old name."""

    start: int
    end: int
    source: str
    target: str


class Occurrence(NamedTuple):
    """An old name in a text, and why it is kept: part of one of `INSIDE` or of a "new" name; None if it is replaced."""

    replacement: Replacement
    kept: str | None


_SEGMENT = r"[\p{Latin}\p{M}\d_.~@\-]*[\p{Latin}\p{M}\d_~]"
_ASCII_URL = r"A-Za-z0-9\-._~:/?\#@!$&'*+,;=%|"
_NOT_PROSE = regex.compile(
    rf"""
    (?P<code> (?<!<)</?[A-Za-z][\w.:\-]*(?=[^<>]*>) | <\|[^|\s]+\|> | (?<![^\s("'])--[A-Za-z][\w\-]*(?:=\S*)?
      | \{{\{{[^{{}}\s]*\}}\}} )
  | (?P<url> (?<![A-Za-z])(?i:[a-z][a-z\d+.\-]{{0,30}}://|www\.|mailto:)
        (?: [{_ASCII_URL}] | \([{_ASCII_URL}]*\) | [\p{{L}}\p{{M}}--[\p{{Hangul}}{OPEN}]]
          | (?<=[/=_\-])(?<=/[^\s/]+/\S+)[\p{{Hangul}}{OPEN}]+ )+
      | (?<=\])\([^()\s]*\) )
  | (?P<email> (?<![A-Za-z\d._+\-])[A-Za-z\d._+\-]+@[A-Za-z\d\-]+(?:\.[A-Za-z\d\-]+)+ )
  | (?P<path> (?<![\w/.<])(?:~|\.{{1,2}})?(?:/[\p{{L}}\p{{M}}\d_.~%+@\-]*[\p{{L}}\p{{M}}\d_~%+])+/?
      | (?<=<)/[A-Za-z][\w.:\-]*
      | (?<![\p{{Latin}}\p{{M}}\d_.~@\-'’]){_SEGMENT}(?:(?:/{_SEGMENT})+(?:/|[?\#]\S*)?|/(?!\S))
      | (?<![A-Za-z\d])[A-Za-z]:\\[^\s"<>|]+ | \\\\[\w.\-]+\\[^\s"<>|]+ )
  | (?P<host> (?<![\p{{Latin}}\d\-]|[\p{{Latin}}\d]\.)
        (?:[A-Za-z\d](?:[A-Za-z\d\-]*[A-Za-z\d])?\.)+[a-z]{{2,}}(?![A-Za-z\d]) )
    """,
    regex.X | regex.V1,
)
_MAY_NOT_BE_PROSE = regex.compile(r"[/@\\<{]|--|\]\(|\.[A-Za-z]")
# Words of prose with a slash between them: capitalised or in capitals, and no two equal, as in Qwen/Llama.
_CAPITALIZED = regex.compile(r"(?:\p{Lu}\p{Ll}+|\p{Lu}{2,})(?:/(?:\p{Lu}\p{Ll}+|\p{Lu}{2,}))+")
_SPACE_BEFORE, _SPACE_AFTER = regex.compile(r"(?r)\s"), regex.compile(r"\s")
_BLOCK = regex.compile(
    r"""
    ^[ \t>]*+(?:[\-*+]|\d+[.)])?[ \t]*+(?:(`{3,})[^`\n]*|(~{3,})[^\n]*)\n(?s:.*?)(?:^[ \t>]*(?:\1`*|\2~*)[ \t]*$|\Z)
  | <(?i:(code|pre|script|style))\b[^<>]*>(?s:.*?)</(?i:\3)>
    """,
    regex.X | regex.M,
)
_TICKS = regex.compile(r"`+|\n[ \t]*\n")


class NonProseSpans:
    """The code, URLs, e-mail addresses and paths of one text, looked for only around names."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._code = sorted(_code_spans(text))
        self._searched, self._spans = (0, -1), list[tuple[int, int, str]]()

    def kind_at(self, start: int, end: int, allowed: frozenset[str] = frozenset()) -> str | None:
        """Return what text[start:end] is part of, unless that is `allowed`: the kind of a larger span, or None."""
        index = bisect_right(self._code, (end, -1)) - 1
        if index >= 0 and start < self._code[index][1] and "code" not in allowed:
            return "code"
        for left, right, kind in self._around(start, end):
            if left < end and start < right and (left < start or end < right) and kind not in allowed:
                return kind
        return None

    def _around(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """Return the spans between the white space before text[start:end] and that after it."""
        left, right = self._searched
        if start < left or right < end:
            before, after = _SPACE_BEFORE.search(self.text, 0, start), _SPACE_AFTER.search(self.text, end)
            self._searched = left, right = before.end() if before else 0, after.start() if after else len(self.text)
            self._spans = []
            if _MAY_NOT_BE_PROSE.search(self.text, left, right):
                for match in _NOT_PROSE.finditer(self.text, left, right):
                    kind, words = match.lastgroup or "", match.group().split("/")
                    distinct = len({word.casefold() for word in words}) == len(words)
                    if kind != "path" or not distinct or not _CAPITALIZED.fullmatch(match.group()):
                        self._spans.append((*match.span(), "url" if kind == "host" else kind))
        return self._spans


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield code blocks, code spans and the HTML elements that hold code, none within another."""
    blocks = [match.span() for match in _BLOCK.finditer(text)] if "```" in text or "~~~" in text or "</" in text else []
    yield from blocks
    if "`" not in text:
        return
    starts, ends = [0, *(right for _, right in blocks)], [*(left for left, _ in blocks), len(text)]
    for start, end in zip(starts, ends, strict=True):
        # From each run of backticks to the next one as long; a run of less than three closes in its paragraph.
        runs, at = list(_TICKS.finditer(text, start, end)), 0
        while at < len(runs):
            closing = _closing(runs, at)
            if closing is not None:
                yield runs[at].start(), runs[closing].end()
                at = closing
            at += 1


def _closing(runs: list[regex.Match[str]], at: int) -> int | None:
    ticks: str = runs[at].group()
    for index in range(at + 1, len(runs) if ticks[0] == "`" else 0):
        if runs[index].group() == ticks:
            return index
        if runs[index].group()[0] == "\n" and len(ticks) < 3:
            return None
    return None
