"""Leftovers: old names that are not replaced, and what only looks like them. They are reported to the user."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import regex

from ..text import INVISIBLE, characters, folded
from .boundaries import OPEN, NonProseSpans, left_boundary, right_boundary
from .renamer import Renamer, renamer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .renamer import Options

# Letters that common typefaces draw like a Latin one: Cyrillic, Greek, Armenian, Latin.
_DRAWN = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԚԜҮԌавгԁеһіјкмнопрстухԛѕԝѵӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορτυχՕՏՍօսզıɑɡ",
    "ABESIJKMHOPCTYXQWYGabrdehijkmhonpctyxqswvlABEZHIKMNOPTYXayikvoptuxOSUouqiag",
)
# Where letters that are drawn alike or differ in width, case or style are to be found.
_POOL = (range(0x21, 0x590), range(0x10D0, 0x1100), range(0x2100, 0x2190), range(0x2460, 0x2500), range(0xFF01, 0xFFEF))
_STYLED = range(0x1D400, 0x1D800)
_UNSEEN = frozenset(characters(INVISIBLE))
_GAP = rf"[\s{INVISIBLE}]+"
_WORD_BEFORE = regex.compile(rf"(?r)(?:[\p{{L}}--[\p{{Hangul}}{OPEN}]]|[\p{{M}}\d_.\-]){{0,40}}", regex.V1)
_WORD_AFTER = regex.compile(rf"(?:[\p{{L}}--{OPEN}]|[\p{{M}}\d_\-]|\.(?=\w)){{0,40}}", regex.V1)


class Leftover(NamedTuple):
    """A form in the text, and why it is kept: what it is part of (`INSIDE`), or how it differs from an old name.

    It differs in `case` or `width`, is a `look-alike`, or holds a `zero-width` character.
    """

    form: str
    reason: str


def leftovers(text: str, rules: Mapping[str, str], **options: Unpack[Options]) -> Counter[Leftover]:
    """Count what `rename` does not replace though it is an old name or looks like one."""
    return leftovers_of(renamer(rules, **options), text)


def leftovers_of(renamer: Renamer, text: str) -> Counter[Leftover]:
    """Count what a renamer does not replace though it is an old name or looks like one."""
    found = [(replacement.start, replacement.end, kept) for replacement, kept in renamer.find(text)]
    replaced = {at for start, end, kept in found if kept is None for at in range(start, end)}
    stayed = [(start, end, kept) for start, end, kept in found if kept and start not in replaced]
    left = [_leftover(text, start, end, kept) for start, end, kept in stayed if kept != "new"]
    if renamer.match == "literal":
        known = replaced.union(*(range(start, end) for start, end, _ in stayed))
        left += _look_alikes(text, renamer.rules, known)
    return Counter(left)


def _leftover(text: str, start: int, end: int, reason: str) -> Leftover:
    """Return the leftover; of a longer word the whole word is shown."""
    if reason in ("word", "version", "identifier", "tag"):
        before, after = _WORD_BEFORE.match(text, 0, start), _WORD_AFTER.match(text, end)
        start, end = before.start() if before else start, after.end() if after else end
    return Leftover(text[start:end], reason)


def _look_alikes(text: str, rules: Mapping[str, str], known: set[int]) -> Iterator[Leftover]:
    """Yield what looks like an old name, is a word and does not overlap the characters at `known`."""
    pattern, sources = _loose_pattern(tuple(rules), tuple(rules.values()))
    spans, none = None, frozenset[str]()
    for match in pattern.finditer(text):
        if match.lastgroup and known.isdisjoint(range(*match.span())):
            spans = spans or NonProseSpans(text)
            source, (start, end) = sources[match.lastgroup], match.span()
            boundary = left_boundary(source, none).match(text, start) or right_boundary(source, none).match(text, end)
            reason = spans.kind_at(start, end) or (boundary and boundary.lastgroup) or _look(match.group(), source)
            foreign = reason == "look-alike" and set(match.group()).isdisjoint(source)
            if reason != "word" and not foreign:
                yield _leftover(text, start, end, reason)


@lru_cache(maxsize=64)
def _loose_pattern(sources: tuple[str, ...], targets: tuple[str, ...]) -> tuple[regex.Pattern[str], dict[str, str]]:
    """Return the pattern of all names in every look, and its groups; a new name has none, so that it is skipped."""
    groups = {f"s{i}": source for i, source in enumerate(sources)}
    named = {source: f"(?P<{group}>{_looks(source)})" for group, source in groups.items()}
    named |= {target: _looks(target) for target in targets if target.strip() and target not in named}
    longest = sorted(named, key=len, reverse=True)
    letters = rf"[\p{{L}}--[\p{{Hangul}}\p{{Common}}{OPEN}]]"
    names = "|".join(named[name] for name in longest) or "(?!)"
    return regex.compile(rf"(?<!{letters}\p{{M}}*)(?:{names})(?!{letters}|\p{{M}})", regex.V1), groups


def _looks(name: str) -> str:
    """Return the pattern of a name in every look, with anything invisible between its letters."""
    words = unicodedata.normalize("NFKC", name).split()
    alike = {char: regex.escape("".join({char, *_drawn_alike().get(_drawn(char), "")})) for char in "".join(words)}
    return _GAP.join(f"[{INVISIBLE}]*".join(f"[{alike[char]}]" for char in word) for word in words)


@lru_cache(maxsize=1)
def _drawn_alike() -> dict[str, str]:
    """Return all characters that are drawn like a character, whatever their case."""
    alike: dict[str, str] = {}
    for char in map(chr, chain(*_POOL, _STYLED)):
        alike[_drawn(char)] = alike.get(_drawn(char), "") + char
    return alike


def _drawn(char: str) -> str:
    return unicodedata.normalize("NFKC", char).translate(_DRAWN).casefold().translate(_DRAWN)


def _look(form: str, source: str) -> str:
    if not _UNSEEN.isdisjoint(form):
        return "zero-width"
    if folded(form, "NFC") == folded(source, "NFC"):
        return "case"
    return "width" if folded(form) == folded(source) else "look-alike"
