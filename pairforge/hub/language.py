"""The languages of prompts, named where they are sure: by the script, or by frequent words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from ..resources import patterns

_KANA, _HANGUL, _HAN = re.compile("[\u3041-\u30ff]"), re.compile("[\uac00-\ud7a3]"), re.compile("[\u4e00-\u9fff]")
_WORD = re.compile(r"[^\W\d_]+")
_SHARE = 0.05
"""A language of fewer of the texts is not named: a few words of it prove little."""
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
    """Counts the languages of texts."""

    def __init__(self) -> None:
        self._found: Counter[str | None] = Counter()

    def add(self, texts: Iterable[str]) -> None:
        self._found.update(map(language_of, texts))

    def languages(self) -> tuple[str, ...]:
        """Return the languages of at least a twentieth of the texts, where half of all are sure."""
        total = self._found.total()
        if self._found[None] * 2 > total:
            return ()
        return tuple(sorted(one for one, count in self._found.items() if one and count >= _SHARE * total))
