"""The languages of prompts, named where they are sure: by the script, or by frequent words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from random import Random

from ..resources import patterns

_KANA, _HANGUL, _HAN = re.compile("[\u3041-\u30ff]"), re.compile("[\uac00-\ud7a3]"), re.compile("[\u4e00-\u9fff]")
_WORD = re.compile(r"[^\W\d_]+")
_SHARE = 0.05
"""A language of fewer of the texts is not named: a few words of it prove little."""
_TEXTS = 2000
_MOST = 400
"""Characters of a text that are looked at."""


@cache
def _frequent() -> dict[str, list[str]]:
    """Return the languages that have a word among their frequent ones."""
    found: dict[str, list[str]] = {}
    for language, words in patterns("languages").items():
        for word in words:
            found.setdefault(word, []).append(language)
    return found


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of the language of a text; None where it isn't sure."""
    text = text[:_MOST]
    if not text.isascii():
        for language, script in (("ja", _KANA), ("ko", _HANGUL), ("zh", _HAN)):
            if len(script.findall(text)) * 5 > len(text):
                return language
    words = _WORD.findall(text.lower())
    hits = Counter(language for word in words for language in _frequent().get(word, ()))
    ranked = hits.most_common(2)
    if not ranked or ranked[0][1] * 8 < len(words) or (len(ranked) > 1 and ranked[1][1] * 2 > ranked[0][1]):
        return None
    return ranked[0][0]


class LanguageCounter:
    """Counts the languages of texts: of all, or of a random sample of 2,000, always the same one."""

    def __init__(self) -> None:
        self._sample: list[str] = []
        self._count, self._random = 0, Random(0)

    def add(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._count += 1
            if len(self._sample) < _TEXTS:
                self._sample.append(text[:_MOST])
            elif (place := self._random.randrange(self._count)) < _TEXTS:
                self._sample[place] = text[:_MOST]

    def languages(self) -> tuple[str, ...]:
        """Return the languages of at least a twentieth of the texts, where half of all are sure."""
        found, total = Counter(map(language_of, self._sample)), len(self._sample)
        if found[None] * 2 > total:
            return ()
        return tuple(sorted(one for one, count in found.items() if one and count >= _SHARE * total))
