"""Habits of style, each a number per text; the side with more of it counts as holding the feature.

`STYLE` looks at whole texts. `LEXICON` looks at single tokens, whose values are known once and summed over texts. All
are listed in `data/patterns/style.txt`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import eq
from typing import Any, TypeAlias

from ...refusals import refuses
from ...resources import patterns
from ...text import CONTROL, INVISIBLE, LEFTOVER_TOKEN
from ...thoughts import THOUGHT

StyleMeasure: TypeAlias = Callable[[str], float]
"""How much of a habit a text holds; for the lexicon, a token."""

_SECTIONS = patterns("style")
_NAMED = {name: "|".join(lines) for name, lines in _SECTIONS.items()}
_NAMED |= {"control": CONTROL, "invisible": INVISIBLE, "leftover_token": LEFTOVER_TOKEN, "thought": THOUGHT}


def _matches(value: str) -> StyleMeasure:
    """Count the matches of a pattern, which is not searched where a text has none of the strings before it."""
    required, end = json.JSONDecoder().raw_decode(value)
    find = re.compile(value[end:].lstrip()).findall
    return lambda text: len(find(text)) if not required or any(part in text for part in required) else 0


_KINDS: dict[str, tuple[Callable[[str], Any], Callable[[Any, str], float]]] = {
    "substrings": (json.loads, lambda parts, text: sum(map(text.count, parts))),
    "phrases": (lambda value: value.split("|"), lambda parts, text: sum(map(text.lower().count, parts))),
    "matches": (_matches, lambda count, text: count(text)),
    "lines": (lambda value: re.compile(value).match, lambda match, text: sum(map(bool, map(match, text.split("\n"))))),
    "begins": (lambda value: re.compile(value).match, lambda match, text: match(text) is not None),
    "ends": (frozenset, lambda marks, text: text.rstrip()[-1:] in marks),
    "words": (lambda value: frozenset(value.split()), lambda words, token: token.lower() in words),
    "marks": (frozenset, lambda marks, token: token in marks),
    "like": (lambda value: re.compile(value, re.I).fullmatch, lambda match, token: match(token) is not None),
    "characters": (lambda value: re.compile(value).findall, lambda find, token: len(find(token))),
}
"""How the value of each kind of habit is prepared, and how a text is measured by it."""


def _sentences(text: str) -> int:
    text = text.strip()
    return text.count(". ") + text.count("? ") + text.count("! ") + text.count("\n") + text.count("。") + 1


def _repeated_sentences(text: str) -> float:
    found = [line for line in text.replace("\n", ". ").replace("。", ". ").split(". ") if len(line) > 12]
    return len(found) - len(set(found))


_SHORTEST = 5  # letters of a word that may be misspelt


def _misspelt() -> frozenset[str]:
    """Return common words with two letters exchanged, one doubled or an inner one left out, and well-known errors.

    Those that are words themselves are left out.
    """
    common, real, typos = (
        set(" ".join(_SECTIONS[name]).split()) for name in ("common_words", "words_by_error", "well_known_errors")
    )
    for word in common:
        for at in range(len(word) - 1 if len(word) >= _SHORTEST else 0):
            before, one, other, after = word[:at], word[at], word[at + 1], word[at + 2 :]
            swapped, doubled, dropped = before + other + one + after, before + one + word[at:], before + other + after
            typos |= {swapped, doubled} | ({dropped} if at and len(dropped) >= _SHORTEST else set())
    return frozenset(typos - common - real)


_MISSPELT = _misspelt()
_beside_chinese = re.compile(r"(?<=[\u4e00-\u9fff]) (?=\w)|(?<=\w) (?=[\u4e00-\u9fff])").findall
_COMPUTED: dict[str, StyleMeasure] = {
    "sentences": _sentences,
    "spaces beside Chinese": lambda text: 0 if text.isascii() else len(_beside_chinese(text)),
    "apologies and refusals": lambda text: sum(map(text.lower().count, _SECTIONS["apologies"])) + refuses(text),
    "doubled words": lambda text: sum(map(eq, (found := text.lower().split()), found[1:])),
    "repeated sentences": _repeated_sentences,
    "variety of words": lambda text: len(set(found)) / len(found) if len(found := text.split()) > 9 else 0.0,
    "letters a word": lambda text: sum(map(len, found := text.split())) / max(1, len(found)),
    "words a sentence": lambda text: len(text.split()) / _sentences(text),
    "spaces at the end": lambda text: text[-1:].isspace() and text[-1:] != "\n",
    "line breaks at the end": lambda text: "\n" in text[len(text.rstrip()) :],
    "endings without a mark": lambda text: text.rstrip()[-1:].isalnum(),
    "digits": lambda token: len(token) if token.isdigit() else 0,
    "numbers": str.isdigit,
    "capital letters": lambda token: sum(map(str.isupper, token)),
    "words in capitals": lambda token: len(token) > 1 and token.isupper(),
    "capitalised words": lambda token: len(token) > 1 and token.istitle(),
    "long words": lambda token: len(token) > 9 and token.isalpha(),
    "non-ASCII characters": lambda token: 0 if token.isascii() else sum(not one.isascii() for one in token),
    "Latin words": lambda token: token.isascii() and token.isalpha(),
    "misspelt words": lambda token: token.lower() in _MISSPELT,
    "contractions": lambda token: len(token) > 1 and ("'" in token or "’" in token),
}


def _measures(section: str) -> Iterator[tuple[str, StyleMeasure]]:
    """Yield the habits of a section with their measures."""
    for line in _SECTIONS[section]:
        name, _, measured = line.partition(" = ")
        kind, _, value = measured.partition(" ")
        if kind == "computed":
            yield name, _COMPUTED[name]
        else:
            prepare, measure = _KINDS[kind]
            yield name, partial(measure, prepare(re.sub(r"\{([a-z_]+)\}", lambda found: _NAMED[found[1]], value)))


STYLE, LEXICON = dict(_measures("texts")), dict(_measures("tokens"))
"""The measure of each habit by its name."""

EDGES = frozenset(line.partition(" = ")[0] for line in _SECTIONS["texts"] if re.search(" = (begins|ends) ", line))
"""Habits that a text has or not: how it begins or ends."""

DERIVED = frozenset(_SECTIONS["derived"])
"""Habits that change with nearly every edit of a text, above all with its length: another equal feature says more."""

LENGTH: dict[str, Callable[[str, Sequence[object]], float]] = {
    "characters": lambda text, words: len(text),
    "words": lambda text, words: len(words),
}
