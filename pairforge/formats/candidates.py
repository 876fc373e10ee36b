"""Several answers to one prompt with ranks, scores or a verdict: which are pairs of a better and a worse one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

from ..conversation import role_of
from .columns import Row, plain
from .context import Cells, MisfitError, decoded, holds_turns, text_in

PICKS = ("all-pairs", "best-worst", "adjacent")
"""Which of several answers become pairs: each with each worse one, the best with the worst, each with the next worse."""
Score = float | None


def picked(scores: Sequence[Score], pick: str) -> list[tuple[int, int]]:
    """Return the pairs of a better and a worse answer, by their places; higher is better, and a tie is not a pair.

    An answer without a score is in none.
    """
    order = sorted((at for at, score in enumerate(scores) if score is not None), key=lambda at: -_known(scores[at]))
    pairs = combinations(order, 2) if pick == "all-pairs" else pairwise(order)
    if pick == "best-worst":
        pairs = ((one, other) for one, other in [(order[0], order[-1])] if len(order) > 1) if order else ()  # type: ignore[assignment]
    return [(one, other) for one, other in pairs if _known(scores[one]) > _known(scores[other])]


def _known(score: Score) -> float:
    return float("-inf") if score is None else score


@dataclass
class Candidates:
    """The answers in a row. `scores`: higher is better, None for an answer without one. `shown` are the columns that
    the pair gets of each, by name: `score`, `model`, `rank`.
    """

    answers: list[Any]
    scores: list[Score]
    shown: dict[str, list[Any]] = field(default_factory=dict)
    wholes: bool = False


# Lists of answers ---------------------------------------------------------------------------------------------------

LISTS = (
    "completions", "generations", "answers", "responses", "candidates", "outputs", "output", "samples", "replies",
    "choices", "summaries", "solutions", "model_answers", "model_outputs", "predictions", "texts", "options",
    "all_responses", "all_generated_responses", "generated_responses", "results",
)  # fmt: skip
_HIGHER = (
    "overall_score", "score", "scores", "rating", "ratings", "reward", "rewards", "pm_score", "quality", "overall",
    "overall_rating", "overall_scores", "avg_score", "average_score", "mean_score", "final_score", "total_score",
    "reward_score", "reward_scores", "rm_score", "rm_scores", "judge_score", "judge_scores", "preference_score",
    "upvotes", "votes", "likes", "points", "grade", "grades", "win_rate", "elo", "helpfulness", "all_rm_scores",
    "correct", "is_correct", "correctness", "correctness_math_verify", "label", "labels", "passed",
)  # fmt: skip
_LOWER = ("rank", "ranks", "ranking", "rankings", "position", "place", "order", "overall_rank")
_BEST = ("best", "best_index", "best_idx", "best_id", "choice", "winner", "preferred", "preferred_index", "selected")
_MODELS = ("model", "models", "generation_models", "generation_model", "model_name", "model_names", "source", "sources")


def number(value: Any) -> float | None:
    """Return the number that a value is, as text, too, or holds as its score; None where there is none."""
    if isinstance(value, Mapping):
        known = (number(value[key]) for key in (*_HIGHER, "Rating", "value", "mean") if key in value)
        return next((found for found in known if found is not None), None)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        found = re.match(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(?:/\s*\d+\s*)?\Z", value)
        value = float(found[1].replace(",", ".")) if found else {"true": 1.0, "false": 0.0}.get(value.strip().lower())
    return float(value) if isinstance(value, (int, float)) and value == value else None


def _list(value: Any) -> list[Any] | None:
    """Return a list, also one that is written as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, Mapping) and value and all(isinstance(cell, list) for cell in value.values()):  # of Arrow
        value = [dict(zip(value, cells, strict=False)) for cells in zip(*value.values(), strict=False)]
    return value if isinstance(value, list) and value else None


def answer_in(item: Any) -> Any:
    """Return the answer that an item of a list is or holds: a text, a message or messages; None where there is none."""
    if isinstance(item, str) or holds_turns(item):
        return item
    if isinstance(item, Mapping):
        nested = (item[key] for key in ("completion", "messages", "response", "answer", "output") if key in item)
        inner = next((value for value in nested if not isinstance(value, str) and holds_turns(value)), None)
        return text_in(item) if inner is None else inner
    return None


def list_of_answers(row: Row) -> tuple[str, list[Any]] | None:
    """Return the column that holds more than one answer, and what is in it; None where there is no such column."""
    for name in LISTS:
        items = _list(row.get(name))
        if items and len(items) > 1 and not holds_turns(items) and all(answer_in(item) is not None for item in items):
            return name, items
    return None


def _beside(row: Row, names: Iterable[str], many: int) -> tuple[str, list[Any]] | None:
    """Return the first of these columns that holds as many values as there are answers."""
    for name in names:
        values = _list(row.get(name))
        if values and len(values) == many and any(number(value) is not None for value in values):
            return name, values
    return None


def ranked(row: Row) -> bool:
    """Return whether a row holds answers with scores or ranks."""
    found = list_of_answers(row)
    return found is not None and _scored(row, *found) is not None


def _scored(row: Row, name: str, items: list[Any]) -> tuple[list[Score], dict[str, list[Any]], set[str]] | None:
    """Return the scores of answers, the columns to show for each, and those of the row that were used."""
    spent = {name}
    inside = [item for item in items if isinstance(item, Mapping)]
    for names, sign in ((_HIGHER, 1.0), (_LOWER, -1.0)):
        shown = "score" if sign > 0 else "rank"
        key = next((key for key in names if sum(number(item.get(key)) is not None for item in inside) > 1), None)
        values = [item.get(key) if isinstance(item, Mapping) else None for item in items] if key else None
        if key is None and (beside := _beside(row, names, len(items))):
            spent.add(beside[0])
            values = beside[1]
        if values is not None:
            numbers = [number(value) for value in values]
            return [None if one is None else sign * one for one in numbers], {shown: numbers}, spent
    best = next((key for key in _BEST if _place(row.get(key), len(items)) is not None), None)
    if best is not None:
        spent.add(best)
        return [float(at == _place(row[best], len(items))) for at in range(len(items))], {}, spent
    return None


def _place(value: Any, many: int) -> int | None:
    found = None if isinstance(value, bool) else number(value)
    return int(found) if found is not None and found == int(found) and 0 <= found < many else None


def of_list(cells: Cells) -> Candidates:
    """Return the answers in a list, with their scores or ranks; without those the first is the best."""
    found = list_of_answers(cells.row)
    if found is None:
        raise MisfitError("no list of two or more answers")
    name, items = found
    scored = _scored(cells.row, name, items)
    if scored is None:
        if name != "output":
            raise MisfitError(f"the answers in {cells.called(name)} have no score or rank")
        scored = [-float(at) for at in range(len(items))], {}, {name}
    scores, shown, spent = scored
    cells.spent |= spent
    models = next((key for key in _MODELS if len(_list(cells.row.get(key)) or ()) == len(items)), None)
    if models:
        shown["model"] = _list(cells.take(models)) or []
    inside = [item for item in items if isinstance(item, Mapping) and role_of(item) is None]
    if not models and any(isinstance(item.get("model"), str) for item in inside):
        shown["model"] = [item.get("model") if isinstance(item, Mapping) else None for item in items]
    known = {"model", *_HIGHER, *_LOWER}
    answers = [answer_in(item) for item in items]
    for item, answer in zip(items, answers, strict=True):
        if isinstance(item, Mapping) and role_of(item) is None:
            cells.lost.update(
                f"{key} of an answer" for key, held in item.items() if held and held != answer and key not in known
            )
    if None in scores:
        cells.lost.add("an answer without a score")
    return Candidates(answers, scores, shown)


# Two lists ----------------------------------------------------------------------------------------------------------


def of_two_lists(cells: Cells) -> Candidates:
    """Return the answers of a list of good and a list of bad ones."""
    good, bad = (_list(cells.take(name)) or [] for name in ("chosen", "rejected"))
    answers = [answer_in(item) for item in (*good, *bad)]
    if None in answers:
        raise MisfitError("a side is a list that holds something else than answers")
    return Candidates(answers, [1.0] * len(good) + [0.0] * len(bad))


def lists_on_both_sides(row: Row) -> bool:
    """Return whether both sides are lists of answers, not of messages."""
    sides = [row.get(name) for name in ("chosen", "rejected")]
    return all(
        isinstance(side, list) and side and not holds_turns(side) and all(answer_in(item) is not None for item in side)
        for side in sides
    )


# Two answers and a verdict ------------------------------------------------------------------------------------------

_BASES = (
    "response", "answer", "completion", "output", "model_output", "generation", "candidate", "conversation", "summary",
    "text", "message", "reply", "result", "option", "solution", "resp", "assistant", "model", "orig_response", "reply",
    "human_ref", "chat", "messages", "model_response", "response_text", "caption", "translation", "system_output",
    "human_answer", "assistant_response", "ai_response", "essay", "code", "explanation", "story", "review", "sample",
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
    r"|(?:individual_preferences?|annotations?|annotators?|votes|judg[e]?ments|preferences|ratings|labels)"
)
_TIE = re.compile(
    r"tie.*|.*\btie|both.*|equal.*|same|draw|neither.*|none|no[ _]?preference|similar|a=b|c|unsure|undecided|0\.5|no[ _]diff\w*|平局"
)
_SCORES = ("score", "rating", "reward", "points", "quality", "overall", "votes", "grade", "rank")


def two_answers(row: Row) -> tuple[str, str] | None:
    """Return the two columns that hold an answer each, such as `response_a` and `response_b`; None where none do."""
    spelled = {plain(key): key for key in row}
    if {"answer_a", "answer_b"} <= row.keys():
        return "answer_a", "answer_b"
    for base in _BASES:
        for one, other in _ENDS:
            for form in (f"{base}_{{}}", f"{base}{{}}", f"{{}}_{base}", f"{base}_{{}}_text"):
                names = form.format(one), form.format(other)
                if names[0] in spelled and names[1] in spelled:
                    found = spelled[names[0]], spelled[names[1]]
                    if all(_may_be_answer(row[name]) for name in found):
                        return found
    return None


def _may_be_answer(value: Any) -> bool:
    value = decoded(value)
    return isinstance(value, str) or holds_turns(value) or (isinstance(value, Mapping) and text_in(value) is not None)


def _end(name: str) -> str:
    """Return what tells the column from its sister: `a` of `response_a`."""
    name = plain(name).removesuffix("_text")
    for ends in (*_FIRST_ENDS, *_SECOND_ENDS):
        if name.endswith(ends) or name.startswith(f"{ends}_"):
            return ends
    return name


Verdict = Callable[[Row], float | None]
"""Says of a row which of two answers is better: above 0 the first, below 0 the second, 0 a tie, None for nothing."""


def verdict_of(rows: Sequence[Row]) -> tuple[Verdict, tuple[str, ...]] | None:
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


def _by_column(
    rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]] | None:
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
            if sum(read(value, row) is not None for value, row in _beside_rows(rows, key)) > len(values) / 2:
                return lambda row, key=key, read=read: read(row.get(key), row), (key,)  # type: ignore[misc]
    return None


def _beside_rows(rows: Sequence[Row], key: str) -> list[tuple[Any, Row]]:
    return [(row[key], row) for row in rows if row.get(key) is not None]


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
    elif 0.0 in numbers or numbers <= {0.0, 0.5, 1.0}:
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


def _one_hot(rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]) -> tuple[Verdict, tuple[str, ...]] | None:
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


def _by_annotators(
    rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]] | None:
    """Read several verdicts, in columns of their own or in a list: what most say."""
    columns = [key for key in keys if _ANNOTATOR.fullmatch(plain(key))]
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
        return float(count[1] - count[-1]) if count else None

    return majority, tuple(columns)


def _votes(row: Row, columns: Sequence[str]) -> list[Any]:
    votes = list[Any]()
    for column in columns:
        value = row.get(column)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                spelled = {plain(key): key for key in one}
                key = next((spelled[name] for name in (*_VERDICTS, "score", "value") if name in spelled), None)
                one = one[key] if key else None
            if one is not None:
                votes.append(one)
    return votes


def _by_scores(
    rows: Sequence[Row], pair: tuple[str, str], keys: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]] | None:
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
    return None
