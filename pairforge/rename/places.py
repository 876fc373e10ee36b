"""Places where a name is no word of the prose: code, URLs, e-mail addresses, paths and repo ids."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import regex

from .edges import OPEN

_SEGMENT = r"[\p{Latin}\p{M}\d_.~@\-]*[\p{Latin}\p{M}\d_~]"
_ASCII_URL = r"A-Za-z0-9\-._~:/?\#@!$&'*+,;=%|"
_PLACES = regex.compile(
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
_ODD = regex.compile(r"[/@\\<{]|--|\]\(|\.[A-Za-z]")
# Words of prose with a slash between them: capitalised or in capitals, and no two alike, as in Qwen/Llama.
_WORDS = regex.compile(r"(?:\p{Lu}\p{Ll}+|\p{Lu}{2,})(?:/(?:\p{Lu}\p{Ll}+|\p{Lu}{2,}))+")
_SPACE_BEFORE, _SPACE_AFTER = regex.compile(r"(?r)\s"), regex.compile(r"\s")
_BLOCK = regex.compile(
    r"""
    ^[ \t>]*+(?:[\-*+]|\d+[.)])?[ \t]*+(?:(`{3,})[^`\n]*|(~{3,})[^\n]*)\n(?s:.*?)(?:^[ \t>]*(?:\1`*|\2~*)[ \t]*$|\Z)
  | <(?i:(code|pre|script|style))\b[^<>]*>(?s:.*?)</(?i:\3)>
    """,
    regex.X | regex.M,
)
_TICKS = regex.compile(r"`+|\n[ \t]*\n")


class Places:
    """The places of one text, looked for only where names stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._code = sorted(_code(text))
        self._run, self._found = (0, -1), list[tuple[int, int, str]]()

    def at(self, start: int, end: int, but: frozenset[str] = frozenset()) -> str | None:
        """Which kind of place text[start:end] stands in, of all `but` some; one that lies within it is part of it."""
        index = bisect_right(self._code, (end, -1)) - 1
        if index >= 0 and start < self._code[index][1] and "code" not in but:
            return "code"
        for left, right, kind in self._around(start, end):
            if left < end and start < right and (left < start or end < right) and kind not in but:
                return kind
        return None

    def _around(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """The places between the white space before text[start:end] and that after it."""
        left, right = self._run
        if start < left or right < end:
            before, after = _SPACE_BEFORE.search(self.text, 0, start), _SPACE_AFTER.search(self.text, end)
            self._run = left, right = before.end() if before else 0, after.start() if after else len(self.text)
            self._found = list(_places(self.text, left, right)) if _ODD.search(self.text, left, right) else []
        return self._found


def _places(text: str, left: int, right: int) -> Iterator[tuple[int, int, str]]:
    for match in _PLACES.finditer(text, left, right):
        kind = match.lastgroup or ""
        if kind != "path" or not _is_prose(match.group()):
            yield match.start(), match.end(), "url" if kind == "host" else kind


def _is_prose(path: str) -> bool:
    words = path.split("/")
    return _WORDS.fullmatch(path) is not None and len({word.casefold() for word in words}) == len(words)


def _code(text: str) -> Iterator[tuple[int, int]]:
    """Code blocks, code spans and the elements of HTML that hold code, none within another."""
    blocks = [match.span() for match in _BLOCK.finditer(text)] if "```" in text or "~~~" in text or "</" in text else []
    yield from blocks
    if "`" in text:
        starts, ends = [0, *(right for _, right in blocks)], [*(left for left, _ in blocks), len(text)]
        for start, end in zip(starts, ends, strict=True):
            matches = list(_TICKS.finditer(text, start, end))
            yield from _spans([match.group() for match in matches], [match.start() for match in matches])


def _spans(ticks: list[str], places: list[int]) -> Iterator[tuple[int, int]]:
    """From each run of backticks to the next one as long; a run of less than three closes in its paragraph."""
    at = 0
    while at < len(ticks):
        closes = _close(ticks, at)
        if closes is not None:
            yield places[at], places[closes] + len(ticks[closes])
            at = closes
        at += 1


def _close(ticks: list[str], at: int) -> int | None:
    for closes in range(at + 1, len(ticks) if ticks[at][0] == "`" else 0):
        if ticks[closes] == ticks[at]:
            return closes
        if ticks[closes][0] == "\n" and len(ticks[at]) < 3:
            return None
    return None
