"""Several answers to one prompt, with ranks or scores: which are pairs of a better and a worse one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

from ..conversation import objects_in, role_of
from ..options.pairs import Pick
from ..text import json_value
from ..types import SIDES, Row
from .context import Cells, MisfitError, decoded, holds_turns, text_in

Score = float | None


def picked(scores: Sequence[Score], pick: Pick) -> list[tuple[int, int]]:
    """Return the pairs of a better and a worse answer, by their places; higher is better, and a tie is not a pair.

    `pick`: each and each worse one, the best and the worst, or each and the next worse. An answer without a score is in
    none.
    """
    order = sorted((at for at, score in enumerate(scores) if score is not None), key=lambda at: -_known(scores[at]))
    if pick == "best-worst":
        pairs: Iterable[tuple[int, int]] = [(order[0], order[-1])] if order else []
    else:
        pairs = combinations(order, 2) if pick == "all-pairs" else pairwise(order)
    return [(one, other) for one, other in pairs if _known(scores[one]) > _known(scores[other])]


def _known(score: Score) -> float:
    return float("-inf") if score is None else score


@dataclass
class Candidates:
    """The answers in a row. `scores`: higher is better, None for an answer without one. `shown` are the columns that
    the pair gets of each, by name: `score`, `model`, `rank`.
    """

    answers: list[Any]
    scores: Sequence[Score]
    shown: dict[str, list[Any]] = field(default_factory=dict)


LISTS = (
    "completions", "generations", "answers", "responses", "candidates", "outputs", "output", "samples", "replies",
    "choices", "summaries", "solutions", "model_answers", "model_outputs", "predictions", "texts", "options",
    "all_responses", "all_generated_responses", "generated_responses", "results",
    "responses_and_scores", "candidates_completions", "response",
)  # fmt: skip
_HIGHER = (
    "overall_score", "fine-grained_score", "score", "scores", "rating", "ratings", "reward", "rewards", "pm_score",
    "quality", "overall",
    "overall_rating", "overall_scores", "avg_score", "average_score", "mean_score", "final_score", "total_score",
    "reward_score", "reward_scores", "rm_score", "rm_scores", "judge_score", "judge_scores", "preference_score",
    "upvotes", "votes", "likes", "points", "grade", "grades", "win_rate", "elo", "helpfulness", "all_rm_scores",
    "correct", "is_correct", "correctness", "correctness_math_verify", "label", "labels", "passed",
    "annotations", "sort",
)  # fmt: skip
_LOWER = ("rank", "ranks", "ranking", "rankings", "position", "place", "order", "overall_rank")
_BEST = ("best", "best_index", "best_idx", "best_id", "choice", "winner", "preferred", "preferred_index", "selected")
_MODELS = ("model", "models", "generation_models", "generation_model", "model_name", "model_names", "source", "sources")


def number(value: Any) -> float | None:
    """Return the number that a value is, as text, too, or holds as its score; None where there is none."""
    if isinstance(value, Mapping):
        known = (number(value[key]) for key in (*_HIGHER, "Rating", "value", "mean") if key in value)
        score = next((found for found in known if found is not None), None)
        if score is None and value and all(map(_aspect, value.values())):
            aspects = [number(held) for held in value.values()]
            score = sum(one for one in aspects if one is not None) / len(aspects) if None not in aspects else None
        return score
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        found = re.match(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(?:/\s*\d+\s*)?\Z", value)
        value = float(found[1].replace(",", ".")) if found else {"true": 1.0, "false": 0.0}.get(value.strip().lower())
    try:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
    except OverflowError:  # of an integer
        return None


def _aspect(held: Any) -> bool:
    """Return whether an object may be the rating of one aspect, such as {"Rating": "4", "Rationale": "..."}."""
    return isinstance(held, Mapping) and not all(isinstance(value, Mapping) for value in held.values())


def _list(value: Any) -> list[Any] | None:
    """Return a list, also one that is written as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json_value(value)
    if isinstance(value, Mapping) and value and all(isinstance(cell, list) for cell in value.values()):  # of Arrow
        value = objects_in(value)
    return value if isinstance(value, list) and value else None


def answer_in(item: Any) -> Any:
    """Return the answer that an item of a list is or holds: a text, a message or messages; None where there is none."""
    if isinstance(item, str) or holds_turns(item):
        return item
    if isinstance(item, list) and len(item) == 1 and isinstance(item[0], str):
        return item[0]
    if isinstance(item, Mapping):
        nested = (
            item[key] for key in ("completion", "messages", "response", "answer", "output", "message") if key in item
        )
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
    if found is None or (found[0] == "completions" and "labels" in row):  # steps of one answer
        return False
    return _scored(row, *found) is not None


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


def of_two_lists(cells: Cells) -> Candidates:
    """Return the answers of two sides of which one or both are lists of answers."""
    good, bad = (answers_in(cells.take(name)) for name in SIDES)
    if good is None or bad is None:
        raise MisfitError(f"{cells.called('rejected' if good else 'chosen')} is not an answer or a list of answers")
    return Candidates([*good, *bad], [1.0] * len(good) + [0.0] * len(bad))


def answers_in(value: Any) -> list[Any] | None:
    """Return the answers that a side holds, one or a list of them; None where it holds anything else."""
    value = decoded(value)
    items = value if isinstance(value, list) and not holds_turns(value) else [value]
    answers = [answer_in(item) for item in items]
    return answers if answers and None not in answers else None


def lists_on_a_side(row: Row) -> bool:
    """Return whether both sides hold answers, and one is a list of them, not of messages."""
    sides = [row.get(name) for name in SIDES]
    many = any(isinstance(side, list) and side and not holds_turns(side) for side in sides)
    return many and all(answers_in(side) is not None for side in sides)
