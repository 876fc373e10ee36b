"""Two answers, and a verdict on which is better: a column, columns of annotators, one column for each, or scores."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..types import Row
from .candidates import number
from .columns import plain
from .context import decoded, holds_turns, text_in

_BASES = (
    "response", "answer", "completion", "output", "model_output", "generation", "candidate", "conversation", "conv",
    "messages", "summary", "text", "message", "reply", "result", "option", "solution", "resp", "assistant",
    "orig_response", "human_ref", "chat", "model_response", "response_text", "caption", "translation", "system_output",
    "human_answer", "assistant_response", "ai_response", "essay", "code", "explanation", "story", "review", "sample",
    "model",
)  # fmt: skip
_ENDS = (("0", "1"), ("1", "2"), ("a", "b"), ("left", "right"), ("first", "second"), ("x", "y"), ("one", "two"))
_FIRST_ENDS, _SECOND_ENDS = (frozenset(end[at] for end in _ENDS) for at in (0, 1))
_VERDICTS = (
    "winner", "overall_preference", "preference", "preferred", "preference_strength", "better_response_id",
    "better_response", "better", "better_id", "preferred_response", "preferred_answer", "verdict", "label", "labels",
    "choice", "best", "best_response", "vote", "judgment", "judgement", "human_preference", "gpt4_preference",
    "orig_preference", "chosen", "selected", "decision", "result", "outcome", "human_label", "majority", "annotation",
)  # fmt: skip
_VERDICT = re.compile(r"prefer|winner|better|verdict|vote|judg|choice|label|favou?r|pick|best")
_ANNOTATOR = re.compile(
    r"(?:annotat\w*|rater|labell?er|worker|judge|vote|human|expert|reviewer|label|pref\w*|crowd)_?(?:id_?)?\d+(?:_\w+)?"
    r"|(?:(?:individual_)?preferences?|preference_labels|annotations?|annotators?|votes|judg[e]?ments|preferences|ratings|labels)"
)
_TIE = re.compile(
    r"tie.*|.*\btie|both.*|equal.*|same|draw|neither.*|none|no[ _]?preference|similar|a=b|c|unsure|undecided|0\.5"
    r"|no[ _]diff\w*|平局"
)
_SCORES = ("score", "rating", "reward", "points", "quality", "overall", "votes", "grade", "rank")


def two_answers(row: Row) -> tuple[str, str] | None:
    """Return the two columns that hold an answer each, such as `response_a` and `response_b`; None where none do."""
    spelled = {plain(key): key for key in row}
    if {"answer_a", "answer_b"} <= row.keys():
        return "answer_a", "answer_b"
    for base in _BASES:
        for one, other in _ENDS:
            for form in (f"{base}_{{}}", f"{base}{{}}", f"{{}}_{base}", f"{base}_{{}}_text", f"{base}{{}}_body"):
                names = form.format(one), form.format(other)
                if names[0] in spelled and names[1] in spelled:
                    found = spelled[names[0]], spelled[names[1]]
                    if all(_may_be_answer(row[name]) for name in found):
                        return found
    sides = spelled.get("left", ""), spelled.get("right", "")
    return sides if all(sides) and all(_may_be_answer(row[name]) for name in sides) else None


def sisters(name: str) -> list[str]:
    """Return the columns that may hold the other answer beside `name`: `response_b` for `response_a`."""
    others = [(one, other) for ends in _ENDS for one, other in (ends, ends[::-1])]
    found = [(name[: -len(one)] + other) for one, other in others if plain(name).endswith(one)]
    return found + [other + name[len(one) :] for one, other in others if plain(name).startswith(one)]


def _may_be_answer(value: Any) -> bool:
    value = decoded(value)
    return isinstance(value, str) or holds_turns(value) or (isinstance(value, Mapping) and text_in(value) is not None)


def _end(name: str) -> str:
    """Return what tells the column from its sister: `a` of `response_a`."""
    name = plain(name).removesuffix("_text").removesuffix("_body")
    for ends in (*_FIRST_ENDS, *_SECOND_ENDS):
        if name.endswith(ends) or name.startswith(f"{ends}_"):
            return ends
    return name


VerdictReader: TypeAlias = Callable[[Row], "float | None"]
"""Says of a row which of two answers is better: above 0 the first, below 0 the second, 0 a tie, None for nothing."""
Found: TypeAlias = "tuple[VerdictReader, tuple[str, ...]]"
"""How the verdict is read, and the columns that hold it."""


def verdict_of(rows: Sequence[Row]) -> Found | None:
    """Return how the verdict of such rows is read, and the columns that hold it; None where there is none."""
    rows = [row for row in rows if two_answers(row)]
    if not rows:
        return None
    pair = two_answers(rows[0]) or ("", "")
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in pair]
    for find in (_one_hot, _by_column, _by_annotators, _by_scores):
        if found := find(rows, pair, keys):
            return found
    return None


def _by_column(rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]) -> Found | None:
    spelled = {plain(key): key for key in keys}
    likely = [spelled[name] for name in _VERDICTS if name in spelled]
    likely += [
        key
        for key in keys
        if key not in likely and _VERDICT.search(plain(key)) and not _ANNOTATOR.fullmatch(plain(key))
    ]
    for key in likely:
        values = [row[key] for row in rows if row.get(key) is not None]
        if values and not isinstance(values[0], (list, Mapping)):
            read = _reader(values, pair, key, rows)
            if sum(read(row.get(key), row) is not None for row in rows) >= len(values) / 2:
                return lambda row, key=key, read=read: read(row.get(key), row), (key,)
    return None


def _reader(
    values: Sequence[Any], pair: tuple[str, str], key: str, rows: Sequence[Row]
) -> Callable[[Any, Row], float | None]:
    """Return what reads a value of a verdict column: as a word, a place, or a number with a sign."""
    numbers = {found for value in values if not isinstance(value, bool) and (found := number(value)) is not None}
    ends = [_end(name) for name in pair]
    by_end = {float(end): sign for end, sign in zip(ends, (1.0, -1.0), strict=True) if end.isdigit()}
    if plain(pair[0]).startswith("human_ref"):  # SHP: 1 where A is preferred
        scale: dict[float, float] | None = {1.0: 1.0, 0.0: -1.0}
    elif any(found < 0 for found in numbers) or "strength" in plain(key) or "overall_preference" in plain(key):
        scale = None  # below 0 the first is better
    elif (
        by_end
        and not any(found not in by_end for found in numbers - {0.0, 2.0, 3.0, 0.5})
        and not (
            0.0 in numbers and {*by_end} == {1.0, 2.0} and (2.0 not in numbers or plain(key) in ("label", "labels"))
        )
    ):
        others = {0.0, 2.0, 3.0, 0.5, 1.5} - {*by_end}
        scale = by_end | dict.fromkeys(others, 0.0)
    elif 0.0 in numbers or numbers <= {0.0, 0.5, 1.0} or (plain(key) in ("label", "labels") and not by_end):
        scale = {0.0: 1.0, 1.0: -1.0, 2.0: 0.0, 0.5: 0.0}
    else:
        scale = {1.0: 1.0, 2.0: -1.0, 3.0: 0.0, 0.0: 0.0, 1.5: 0.0}

    def read(value: Any, row: Row) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool):
            return _of_flag(key, value)
        found = number(value)
        if found is not None:
            return -found if scale is None else scale.get(found)
        return _of_word(value, pair, row) if isinstance(value, str) else None

    return read


def _of_flag(key: str, value: bool) -> float | None:
    """Return what a column such as `a_is_better` says."""
    parts = plain(key).split("_")
    first, second = (any(part in ends for part in parts) for ends in (_FIRST_ENDS - {"1"}, _SECOND_ENDS - {"1"}))
    if "1" in parts and not second:
        first = True
    return None if first == second else (1.0 if value else -1.0) * (1.0 if first else -1.0)


def _of_word(value: str, pair: tuple[str, str], row: Row) -> float | None:
    word = plain(value).strip("[]()\"'.")
    signs = {"a>b": 1.0, "a>>b": 1.0, "b<a": 1.0, "b>a": -1.0, "b>>a": -1.0, "a<b": -1.0, "a<<b": -1.0, "a=b": 0.0}
    if word in signs:
        return signs[word]
    for name, sign in zip(pair, (1.0, -1.0), strict=True):
        if word == plain(name) or value.strip() == row.get(name):
            return sign
        if any(str(row.get(f"{base}_{_end(name)}", "")) == value for base in ("model", "model_name", "source", "id")):
            return sign
    if _TIE.fullmatch(word):
        return 0.0
    words = [part for part in re.split(r"[^a-z0-9]+", word) if part]
    for part in reversed(words):
        if part in _FIRST_ENDS - {"1"} or (part == "1" and _end(pair[0]) != "0"):
            return 1.0
        if part in _SECOND_ENDS or part == "1":
            return -1.0
    if (
        word[-1:] in ("a", "b", "1", "2")
        and len(words) == 1
        and re.fullmatch(r"(model|response|answer|assistant|option|resp)[ab12]", word)
    ):
        return 1.0 if word[-1] in "a1" else -1.0
    return None


def _one_hot(rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]) -> Found | None:
    """Read columns such as `winner_model_a`, `winner_model_b`, `winner_tie`, of which one is 1."""
    ends = [_end(name) for name in pair]
    found = [
        [key for key in keys if re.fullmatch(rf"(?:winner|wins?|prefer\w*|better)_.*{end}", plain(key))] for end in ends
    ]
    if not all(found) or any(number(rows[0].get(one[0])) not in (0.0, 1.0) for one in found):
        return None
    first, second = found[0][0], found[1][0]
    ties = [
        key for key in keys if re.fullmatch(r"(?:winner|wins?|prefer\w*|better)_(?:tie|both|draw|none).*", plain(key))
    ]
    return lambda row: (number(row.get(first)) or 0.0) - (number(row.get(second)) or 0.0), (first, second, *ties)


def _by_annotators(rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]) -> Found | None:
    """Read several verdicts, in columns of their own or in a list: what most say."""
    columns = [
        key
        for key in keys
        if _ANNOTATOR.fullmatch(plain(key))
        or (_VERDICT.search(plain(key)) and any(isinstance(row.get(key), (list, Mapping)) for row in rows))
    ]
    held = [_votes(row, columns) for row in rows]
    values = [vote for votes in held for vote in votes]
    if not values:
        return None
    read = _reader(values, pair, "vote", rows)
    if sum(read(value, rows[0]) is not None for value in values) <= len(values) / 2:
        return None

    def majority(row: Row) -> float | None:
        said = [read(vote, row) for vote in _votes(row, columns)]
        count = Counter((one > 0) - (one < 0) for one in said if one is not None)
        if not count:
            return None
        return 0.0 if count[0] > max(count[1], count[-1]) else float(count[1] - count[-1])

    return majority, tuple(columns)


def _votes(row: Row, columns: Sequence[str]) -> list[Any]:
    return [vote for column in columns for vote in _votes_in(row.get(column))]


def _votes_in(value: Any, depth: int = 0) -> list[Any]:
    """Return the votes in a value: itself, those of a list, what an object holds as its verdict, or for each judge."""
    if depth > _DEEPEST or value is None:
        return []
    if isinstance(value, Mapping):
        spelled = {plain(key): key for key in value}
        key = next((spelled[name] for name in (*_VERDICTS, "score", "value") if name in spelled), None)
        value = [value[key]] if key else [] if depth and len(value) > 1 else [*value.values()]
    return [vote for one in value for vote in _votes_in(one, depth + 1)] if isinstance(value, list) else [value]


_DEEPEST = 6


def _by_scores(rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]) -> Found | None:
    """Read a score of each answer, such as `score_a` and `score_b`."""
    spelled, ends = {plain(key): key for key in keys}, [_end(name) for name in pair]
    for base in _SCORES:
        for form in (
            f"{base}_{{}}",
            f"{base}{{}}",
            f"{{}}_{base}",
            *(f"{plain(pair[0])[: -len(ends[0])]}{{}}_{base}",),
        ):
            names = [spelled.get(form.format(end)) for end in ends]
            if all(names) and all(number(rows[0].get(str(name))) is not None for name in names):
                first, second = map(str, names)
                sign = -1.0 if base == "rank" else 1.0

                def better(row: Row, first: str = first, second: str = second, sign: float = sign) -> float | None:
                    one, other = number(row.get(first)), number(row.get(second))
                    return None if one is None or other is None else sign * (one - other)

                return better, (first, second)
    for key in (key for base in _SCORES for key in (spelled.get(base), spelled.get(f"{base}s")) if key):
        if all(_two_numbers(row.get(key)) for row in rows):
            return lambda row, key=key: _difference(row.get(key)), (key,)
    return None


def _two_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and None not in map(number, value)


def _difference(value: Any) -> float | None:
    return (number(value[0]) or 0.0) - (number(value[1]) or 0.0) if _two_numbers(value) else None
