"""Old names that stay as they are, and what only looks like them: for the user to see, never replaced."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

import regex

from ..text import INVISIBLE, characters
from .boundaries import OPEN, Places, left_edge, right_edge
from .renamer import renamer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .renamer import Options

LOOKS = ("case", "width", "look-alike", "zero-width")
"""How what looks like an old name differs from it."""
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
    """What stands in the text, and why it stays: what it is part of (`INSIDE`), or how it differs (`LOOKS`)."""

    form: str
    reason: str


def leftovers(text: str, rules: Mapping[str, str], **options: Unpack[Options]) -> Counter[Leftover]:
    """What `rename` leaves as it is though it holds an old name or looks like one, counted."""
    engine = renamer(rules, **options)
    found = list(engine.find(text))
    replaced = {at for hit, stays in found if stays is None for at in range(hit.start, hit.end)}
    kept = [(hit, stays) for hit, stays in found if stays and hit.start not in replaced]
    counted = Counter(_leftover(text, hit.start, hit.end, stays) for hit, stays in kept if stays != "new")
    if engine.match == "literal":
        known = replaced.union(*(range(hit.start, hit.end) for hit, _ in kept))
        counted.update(_look_alikes(text, rules, known))
    return counted


def _leftover(text: str, start: int, end: int, reason: str) -> Leftover:
    """Of a longer word the whole word is shown."""
    if reason in ("word", "version", "identifier", "tag"):
        before, after = _WORD_BEFORE.match(text, 0, start), _WORD_AFTER.match(text, end)
        start, end = before.start() if before else start, after.end() if after else end
    return Leftover(text[start:end], reason)


def _look_alikes(text: str, rules: Mapping[str, str], known: set[int]) -> Iterator[Leftover]:
    """What looks like an old name, stands as a word, and is none of what is known."""
    pattern, sources = _loose(tuple(rules), tuple(rules.values()))
    places, but = Places(text), frozenset[str]()
    for match in pattern.finditer(text):
        if match.lastgroup and known.isdisjoint(range(*match.span())):
            source, (start, end) = sources[match.lastgroup], match.span()
            edge = left_edge(source, but).match(text, start) or right_edge(source, but).match(text, end)
            reason = places.at(start, end) or (edge and edge.lastgroup) or _look(match.group(), source)
            foreign = reason == "look-alike" and set(match.group()).isdisjoint(source)
            if reason != "word" and not foreign:
                yield _leftover(text, start, end, reason)


@lru_cache(maxsize=64)
def _loose(sources: tuple[str, ...], targets: tuple[str, ...]) -> tuple[regex.Pattern[str], dict[str, str]]:
    """All names in every look; a new name has no group, so that it is passed over."""
    groups = {f"s{i}": source for i, source in enumerate(sources)}
    named = {source: f"(?P<{group}>{_looks(source)})" for group, source in groups.items()}
    named |= {target: _looks(target) for target in targets if target.strip() and target not in named}
    longest = sorted(named, key=len, reverse=True)
    letters = rf"[\p{{L}}--[\p{{Hangul}}\p{{Common}}{OPEN}]]"
    names = "|".join(named[name] for name in longest) or "(?!)"
    return regex.compile(rf"(?<!{letters}\p{{M}}*)(?:{names})(?!{letters}|\p{{M}})", regex.V1), groups


def _looks(name: str) -> str:
    """The pattern of a name in every look, with anything invisible between its letters."""
    words = unicodedata.normalize("NFKC", name).split()
    return _GAP.join(f"[{INVISIBLE}]*".join(_letter(char) for char in word) for word in words)


def _letter(char: str) -> str:
    alike = sorted({char, *_drawn_alike().get(_drawn(char), "")})
    return f"[{''.join(map(regex.escape, alike))}]" if len(alike) > 1 else regex.escape(char)


@lru_cache(maxsize=1)
def _drawn_alike() -> dict[str, str]:
    """All characters that are drawn as one is, whatever their case."""
    alike: dict[str, str] = {}
    for char in map(chr, chain(*_POOL, _STYLED)):
        alike[_drawn(char)] = alike.get(_drawn(char), "") + char
    return alike


def _drawn(char: str) -> str:
    return unicodedata.normalize("NFKC", char).translate(_DRAWN).casefold().translate(_DRAWN)


def _look(form: str, source: str) -> str:
    if not _UNSEEN.isdisjoint(form):
        return "zero-width"
    if _folded("NFC", form) == _folded("NFC", source):
        return "case"
    return "width" if _folded("NFKC", form) == _folded("NFKC", source) else "look-alike"


def _folded(form: Literal["NFC", "NFKC"], text: str) -> str:
    return " ".join(unicodedata.normalize(form, text).casefold().split())
