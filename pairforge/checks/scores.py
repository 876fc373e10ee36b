"""PF1xx: do the scores beside a pair say what the pair says?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from ..types import NUMBER_COLUMNS
from .row import Sides
from .rule import Seen, clip, rule

_WORDS = frozenset(
    "score scores rating ratings reward rewards grade quality points overall elo upvotes".split()  # noqa: SIM905
)
"""What a column is called in which more is better: a rank or a loss is none of these."""
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_MARGIN = re.compile(r"(?:score|reward|rating)?[_ -]?margin|(?:score|reward|rating)[_ -]?(?:diff|difference|gap)", re.I)


ScoreColumns: TypeAlias = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]


@lru_cache(1024)
def _columns(names: tuple[str, ...]) -> ScoreColumns:
    """Return the columns that score the sides (`chosen_score` with `rejected_score`), and those of margins."""
    by_parts = {tuple(part.lower() for part in _PART.findall(str(name))): name for name in names}
    found = []
    for parts, name in by_parts.items():
        if "chosen" in parts and not _WORDS.isdisjoint(parts):
            other = tuple("rejected" if part == "chosen" else part for part in parts)
            if other in by_parts:
                found.append((name, by_parts[other]))
    return tuple(found), tuple(name for name in names if _MARGIN.fullmatch(str(name)))


def doubtful(sides: Sides) -> bool:
    """Return False only if no rule of this file finds anything: chosen is scored above rejected, in numbers."""
    scored, margins = _columns(tuple(sides.row))
    for better, worse in scored:
        high, low = sides.row[better], sides.row[worse]
        if type(high) not in (int, float) or type(low) not in (int, float) or not high > low:
            return True
    return bool(margins)


def scores(row: Mapping[str, Any]) -> Iterator[tuple[str, str, float, float]]:
    """Yield the columns that score the sides, with both scores; a number that is written as a text counts as one."""
    for better, worse in _columns(tuple(row))[0]:
        high, low = _number(row[better]), _number(row[worse])
        if high is not None and low is not None:
            yield better, worse, high, low


def _number(value: Any) -> float | None:
    if isinstance(value, str) and len(value) < 40:
        try:
            value = float(value.partition("/")[0].strip().replace(",", "."))
        except ValueError:
            return None
    return value if type(value) in (int, float) and math.isfinite(value) else None


@rule("PF114", prefilter=doubtful)
def scored_the_other_way(sides: Sides) -> Iterator[Seen]:
    """chosen is scored below rejected: the columns were swapped, or the score is one where less is better.

    The model is trained towards the answer that the judge found worse.
    """
    for better, worse, high, low in scores(sides.row):
        if high < low:
            yield f"{better} {high:g} is below {worse} {low:g}", f"/{better}"


@rule("PF118", "warning", prefilter=doubtful)
def scored_alike(sides: Sides) -> Iterator[Seen]:
    """Both answers have the same score: the judge saw a tie, and the preference between them is chance.

    Where another score tells them apart, that is the reason of the preference, and nothing is wrong.
    """
    found = [*scores(sides.row)]
    if found and all(high == low for _, _, high, low in found):
        better, worse, score, _ = found[0]
        yield f"{better} and {worse} are both {score:g}: a tie", f"/{better}"


@rule("PF119", "warning", prefilter=doubtful)
def negative_margin(sides: Sides) -> Iterator[Seen]:
    """A margin is below 0, so the rejected answer was the better one: the sides were swapped.

    A margin of 0 is a tie. Where it is not chosen minus rejected, but another difference, nothing is wrong.
    """
    for name in _columns(tuple(sides.row))[1]:
        if (margin := _number(sides.row[name])) is not None and margin <= 0:
            yield f"{name} is {margin:g}: {'the rejected answer is the better one' if margin else 'a tie'}", f"/{name}"


@rule("PF120", "warning", prefilter=doubtful)
def score_as_text(sides: Sides) -> Iterator[Seen]:
    """A score is a text. Texts are compared letter by letter, so that "10" is below "9".

    A filter or a sort by such a column, or a trainer's margin, is wrong, or fails.
    """
    for name in (name for pair in _columns(tuple(sides.row))[0] for name in pair):
        if isinstance(sides.row[name], str) and name not in NUMBER_COLUMNS and _number(sides.row[name]) is not None:
            yield f"{name} is the text {clip(sides.row[name], 30)}, not a number", f"/{name}"
            return
