"""The English article before a name: a or an, by the first sound of the name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import regex

from .boundaries import Hit

_ARTICLE = regex.compile(r"(?<=(?<![\w'’.\-])(?P<article>[Aa][Nn]?)\s{1,2}[\"'“‘«(\[*_]{0,4})")
# A lone capital elsewhere is a letter: Vitamin A.
_SENTENCE_BEGINS = regex.compile(r"(?<=(?:^|[.!?:;…\n])[\s\"'“‘«(\[*_\#>\-]*)")
_CAPITALS_AROUND = regex.compile(r"(?<=\b\p{Lu}{2,}\W+)|(?=\W+\p{Lu}{2,}\b)")
_FIRST_WORD = regex.compile(r"[^\p{L}\d]*(\d+|[\p{Latin}\p{M}]+)")
_SPELLED = regex.compile(r"\p{Lu}{1,3}|[\p{Lu}--[AEIOU]]+|\p{Ll}\p{Lu}.*", regex.V1)
# By sound, not by letter: a one, a unit, a European; an hour, an Nvidia.
_CONSONANT = regex.compile(r"one(?!i)|once|eu|ewe|uni(?!n|m)|us[aeu]|ubi|uk|ura|ut[eio]")
_VOWEL = regex.compile(r"[aeiou]|hour|hono|heir|nvidia|y[^aeiou]")


def with_articles(text: str, hits: Iterable[Hit]) -> Iterator[Hit]:
    """The hits, each together with the article before it, where that is to change and is no hit itself."""
    end = 0
    for hit in hits:
        longer = _with_article(text, hit)
        yield longer if longer.start >= end else hit
        end = hit.end


def _with_article(text: str, hit: Hit) -> Hit:
    found = _ARTICLE.match(text, hit.start)
    vowel = starts_with_vowel(hit.target)
    if found is None or vowel is None:
        return hit
    start, end = found.span("article")
    article = text[start:end]
    shouted = _CAPITALS_AROUND.match(text, start) or _CAPITALS_AROUND.match(text, hit.end)
    if vowel == (len(article) == 2) or (article == "A" and not shouted and not _SENTENCE_BEGINS.match(text, start)):
        return hit
    put_right = article[0] + ("" if not vowel else "N" if article == "A" and shouted else "n")
    return hit._replace(start=start, target=put_right + text[end : hit.start] + hit.target)


def starts_with_vowel(name: str) -> bool | None:
    """Whether a name begins with the sound of a vowel; None where it is not written in Latin letters."""
    found = _FIRST_WORD.match(name)
    if found is None:
        return None
    word = "".join(char for char in unicodedata.normalize("NFD", found[1]) if not unicodedata.combining(char))
    if word.isdecimal():
        return word.startswith("8") or word in ("11", "18")
    if _SPELLED.fullmatch(word):
        return word[0].lower() in "aefhilmnorsx"
    return _CONSONANT.match(word.lower()) is None and _VOWEL.match(word.lower()) is not None
