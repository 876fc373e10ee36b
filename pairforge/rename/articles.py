"""The English article before a name: a or an, by the first sound of the name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import regex

from .boundaries import Replacement

_ARTICLE = regex.compile(r"(?<=(?<![\w'’.\-])(?P<article>[Aa][Nn]?)\s{1,2}[\"'“‘«(\[*_]{0,4})")
# A lone capital elsewhere is a letter: Vitamin A.
_SENTENCE_BEGINS = regex.compile(r"(?<=(?:^|[.!?:;…\n])[\s\"'“‘«(\[*_\#>\-]*)")
_CAPITALS_AROUND = regex.compile(r"(?<=\b\p{Lu}{2,}\W+)|(?=\W+\p{Lu}{2,}\b)")
_FIRST_WORD = regex.compile(r"[^\p{L}\d]*(\d+|[\p{Latin}\p{M}]+)")
_SPELLED = regex.compile(r"\p{Lu}{1,3}|[\p{Lu}--[AEIOU]]+|\p{Ll}\p{Lu}.*", regex.V1)
# By sound, not by letter: a one, a unit, a European; an hour, an Nvidia.
_CONSONANT = regex.compile(r"one(?!i)|once|eu|ewe|uni(?!n|m)|us[aeu]|ubi|uk|ura|ut[eio]")
_VOWEL = regex.compile(r"[aeiou]|hour|hono|heir|nvidia|y[^aeiou]")


def with_articles(text: str, replacements: Iterable[Replacement]) -> Iterator[Replacement]:
    """Yield the replacements, extended to the article before the name where that changes and is no name itself."""
    end = 0
    for replacement in replacements:
        longer = _with_article(text, replacement)
        yield longer if longer.start >= end else replacement
        end = replacement.end


def _with_article(text: str, name: Replacement) -> Replacement:
    found = _ARTICLE.match(text, name.start)
    vowel = starts_with_vowel(name.target)
    if found is None or vowel is None:
        return name
    start, end = found.span("article")
    article = text[start:end]
    capitals = _CAPITALS_AROUND.match(text, start) or _CAPITALS_AROUND.match(text, name.end)
    if vowel == (len(article) == 2) or (article == "A" and not capitals and not _SENTENCE_BEGINS.match(text, start)):
        return name
    corrected = article[0] + ("" if not vowel else "N" if article == "A" and capitals else "n")
    return name._replace(start=start, target=corrected + text[end : name.start] + name.target)


def starts_with_vowel(name: str) -> bool | None:
    """Return True if a name begins with the sound of a vowel; None if it is not written in Latin letters."""
    found = _FIRST_WORD.match(name)
    if found is None:
        return None
    word = "".join(char for char in unicodedata.normalize("NFD", found[1]) if not unicodedata.combining(char))
    if word.isdecimal():
        return word.startswith("8") or word in ("11", "18")
    if _SPELLED.fullmatch(word):
        return word[0].lower() in "aefhilmnorsx"
    return _CONSONANT.match(word.lower()) is None and _VOWEL.match(word.lower()) is not None
