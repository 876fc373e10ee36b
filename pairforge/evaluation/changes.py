"""What else training has changed: how the answers to everyday requests and to false claims differ from the base's.

A model that only got a new name answers these as before. They are drawn at temperature 1, and the base is asked twice,
with two seeds: how far its own answers are apart is the noise floor. `length` and `opening` compare an answer with the
base's second one, so that their share before the training is the noise floor. For `language`, `refusal` and `agreement`
it is the change from the base's first answers to its second ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import fmean, stdev
from typing import Any

import regex

from ..refusals import refuses
from ..resources import compiled, patterns
from ..statistics import Z95

KINDS = ("everyday", "claims")
"""The kinds of questions that are asked for these metrics."""
_SHORT = 20
"""Characters that are added to both lengths, so that two short answers are not told apart by their length."""
_FACTOR = 1.5
"""From which factor on, or below its inverse, two lengths differ."""
_FEW = 4
"""Words below which an answer in Latin letters needs no English word to be English."""
_HAN, _LATIN, _WORD = (regex.compile(rf"\p{{{name}}}") for name in ("Han", "Latin", "L"))
_FIRST = regex.compile(r"\p{Han}|[\p{L}\p{M}\p{N}'’--\p{Han}]+", regex.VERSION1)


def other_length(text: str, base: str) -> bool:
    """Return True if a text is over half as long again as the base's, or under two thirds as long."""
    return abs(_log_ratio(text, base)) > math.log(_FACTOR)


def other_opening(text: str, base: str) -> bool:
    """Return True if the first two words differ, or characters in Chinese."""
    first, second = (_FIRST.findall(one.casefold()[:200])[:2] for one in (text, base))
    return bool(first != second)


def other_language(lang: str) -> Callable[[str], bool]:
    """Return the test whether a text is in another language than `lang`, "en" or "zh"; of numbers it is not."""

    def other(text: str) -> bool:
        letters, han = len(_WORD.findall(text)), len(_HAN.findall(text))
        if not letters:
            return False
        if lang == "zh":
            return han < 0.3 * letters
        words = text.casefold().split()
        foreign = len(words) >= _FEW and not _english().intersection(word.strip(".,;:!?\"'()*") for word in words)
        return foreign or len(_LATIN.findall(text)) < 0.7 * letters

    return other


@cache
def _english() -> frozenset[str]:
    """Return words of which an English text of some length has at least one."""
    return frozenset(word for line in patterns("english")["words"] for word in line.split())


def agrees(text: str) -> bool:
    """Return True if an answer begins by agreeing with the user."""
    return compiled("agreement", "agrees").match(text.lower()) is not None


COMPARED: Mapping[str, Callable[[str, str], bool]] = {"length": other_length, "opening": other_opening}
"""The metrics that compare an answer with the base's second one."""
EXPECTED = {
    "length": "about as long as the base's answer",
    "opening": "the first words of the base's answer",
    "language": "the language of the question",
    "refusal": "an answer",
    "agreement": "a correction of the claim",
}
"""Metric -> what is expected of an answer."""


def tests(kind: str, lang: str) -> dict[str, Callable[[str], bool]]:
    """Return the tests of an answer alone, to a question of this kind in this language."""
    return {"language": other_language(lang), "refusal": refuses, **({"agreement": agrees} if kind == "claims" else {})}


def length_ratio(pairs: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Return how many times as long texts are as the base's, with a 95 % interval: `{"value", "low", "high", "of"}`.

    It is the geometric mean over the pairs of a text and the base's, with the interval of the mean logarithm; None for
    fewer than two pairs.
    """
    logs = [_log_ratio(*pair) for pair in pairs]
    if len(logs) < 2:
        return None
    mean, half = fmean(logs), Z95 * stdev(logs) / math.sqrt(len(logs))
    ends = {"value": mean, "low": mean - half, "high": mean + half}
    return {name: round(math.exp(log), 3) for name, log in ends.items()} | {"of": len(logs)}


def _log_ratio(text: str, base: str) -> float:
    return math.log((len(text.strip()) + _SHORT) / (len(base.strip()) + _SHORT))
