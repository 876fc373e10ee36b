"""Where a word begins and ends, in every script: what stands beside a name and makes it part of something longer.

An edge is a pattern that matches beside a name, before or after it, where the name does *not* stand by itself; the
group that matched says why: `word`, `version`, `identifier` or `tag`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

OPEN = r"\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Javanese}\p{Balinese}"
"""Scripts that write words without spaces: no letter of theirs is an edge."""
_SPACED = rf"[\p{{L}}--[\p{{Latin}}\p{{Hangul}}\p{{Katakana}}\p{{Common}}{OPEN}]]"
# By what a name begins or ends with: the letters that may not stand there as well.
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
# Words of one letter, written as one with the name that follows. Hebrew mem is none of them: it begins participles too,
# and what looks like "from" before a name is often a word of its own.
_CLITICS = {"hebrew": "ו?(?:כ?ש)?[הבלכ]|ו?כ?ש|ו", "arabic": "[وف]?(?:[بك]?ال|لل|[بكل])|[وف]"}
# Thai and Lao vowels that are written before or after their consonant make one syllable with it.
_VOWELS_BEFORE, _VOWELS_AFTER = "[เแโใไເແໂໃໄ]", "[ะาำະາຳ]"
_PARTICLES = (
    "은 는 이 가 을 를 의 에 에게 에서 께 께서 와 과 도 만 로 으로 서 써 한테 하고 랑 이랑 처럼 같이 보다 부터"
    " 까지 마다 조차 마저 밖에 뿐 들 님 씨 측 나 이나 든지 이든지 야 아 이야 여 이여 란 이란 인 일 임 요 이요 만큼"
    " 대로 커녕 치고 더러 자 이자 며 이며 고 이고 라 이라 죠 이죠 네 이네 다 이다"
)
_COPULAS = (
    "입니 이에 예요 에요 이었 였 이라 라고 라는 라서 라면 라도 인데 이지 지만 이니 니까 이신"
    " 군요 이군 거든 이거든 랍니 이랍"
)
# Sizes and kinds of models, which name another one: Qwen-Max, GPT-4-turbo.
_VARIANTS = (
    "vl|max|plus|turbo|pro|ultra|mini|nano|lite|flash|chat|instruct|coder|math|audio|omni|vision|preview|base|large|small"
    "|long|embedding"
)
_HYPHEN = "[-‐‑]"
# A line break or a quotation mark within JSON.
_ESCAPE = r"\\[nrt\x22]"
_COUNTERS = "[年月日号个款种位名次人岁万亿届]"


def left_edge(name: str, inside: frozenset[str]) -> regex.Pattern[str]:
    """Matches at the start of a name after which it is part of something longer, but for the reasons in `inside`."""
    kind = _kind(name[0])
    return _left("spaced" if kind in _CLITICS and len(name) < 3 else kind, inside)


def right_edge(name: str, inside: frozenset[str]) -> regex.Pattern[str]:
    """Matches at the end of a name that goes on there as part of something longer."""
    return _right(_kind(next((char for char in reversed(name) if not _is_mark(char)), name[-1])), inside)


def _kind(char: str) -> str:
    if char.isdecimal():
        return "digit"
    if not char.isalpha():
        return "sign" if char.isascii() else "emoji"
    letters = {kind: _LETTERS[kind] for kind in ("latin", "hangul", "katakana")}
    letters |= {"hebrew": r"\p{Hebrew}", "arabic": r"\p{Arabic}", "open": f"[{OPEN}]"}
    return next((kind for kind, pattern in letters.items() if regex.match(pattern, char)), "spaced")


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


@lru_cache(maxsize=64)
def _left(kind: str, inside: frozenset[str]) -> regex.Pattern[str]:
    letters = rf"{_LETTERS[kind]}\p{{M}}*" if kind in _LETTERS else _VOWELS_BEFORE
    clitic = rf"(?<!(?<!{letters})(?:{_CLITICS[kind]}))" if kind in _CLITICS else ""
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
    particle = f"(?!{_particle()})" if kind == "hangul" else ""
    digit = {"open": rf"\d[\d.]*+(?!{_COUNTERS})", "digit": r"[.,]?\d"}.get(kind, r"\.?\d")
    emphasis = r"_{1,3}(?![A-Za-z\d_])(?<=(?<![A-Za-z\d_])_{1,3}[^\s_][^\n]{0,200})"
    return _reasons(
        inside,
        word=rf"(?={letters}){particle}|(?=[\p{{M}}{_JOINERS}])",
        version=rf"(?={digit}|{_HYPHEN}(?:[A-Za-z_]{{1,20}}{_HYPHEN}){{0,6}}[A-Za-z_]{{0,20}}\d"
        rf"|{_HYPHEN}(?i:{_VARIANTS})(?!\p{{L}})|:(?:\d+(?:\.\d+)?[bB]|latest)\b)",
        identifier=rf"(?=_)(?!{emphasis})|(?=(?!{_ESCAPE}(?![a-z]))\\|::|\(\)|\+\+|\#|\.[a-z]|\.[A-Z]{{2,}}(?!\p{{L}}))",
        tag=r"(?=[@＠]\S)",
    )


@lru_cache(maxsize=1)
def _particle() -> str:
    """What Korean glues to the end of a name: whole chains of particles, or the beginning of a copula."""

    def either(words: str) -> str:
        forms = {unicodedata.normalize(form, word) for form in ("NFC", "NFD") for word in words.split()}
        return "|".join(sorted(forms))

    return rf"(?:{either(_PARTICLES)})+(?!\p{{Hangul}})|(?:{either(_COPULAS)})"


def _reasons(inside: frozenset[str], **patterns: str) -> regex.Pattern[str]:
    kept = [f"(?P<{reason}>{pattern})" for reason, pattern in patterns.items() if reason not in inside]
    return regex.compile("|".join(kept) or "(?!)", regex.V1)
