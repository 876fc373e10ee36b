"""What the answers of an on-policy run are like, and what would give more pairs: a few lines beside the counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .stages import Scored
from .statistics import Share
from .types import Answer, Message, Pair, Skip


def diagnose(
    sampled: Mapping[str, list[Answer] | Skip], results: Mapping[str, Scored | Skip], pairs: Sequence[Pair]
) -> dict[str, Any]:
    """Return what is kept in `run.json` of the answers: numbers of prompts, answers and pairs.

    `right` is there where all scores are 0 or 1: how many of the judged answers are 1, and of how many prompts at least
    one, all, or none are.
    """
    return finished(diagnose_part(sampled, results, pairs))


def diagnose_part(
    sampled: Mapping[str, list[Answer] | Skip], results: Mapping[str, Scored | Skip], pairs: Sequence[Pair]
) -> dict[str, Any]:
    """Return what `diagnose` does of a part of a run, to be `joined`; `right` is None where a score is another one."""
    answered = [given for given in sampled.values() if not isinstance(given, Skip)]
    answers = [answer for given in answered for answer in given]
    found: dict[str, Any] = {
        "prompts": len(answered),
        "answers": len(answers),
        "distinct": sum(len({answer.text for answer in given}) for given in answered),
        "cut": sum(answer.finish != "stop" for answer in answers),
        "longer_chosen": sum(_length(pair.chosen) > _length(pair.rejected) for pair in pairs),
        "lengths_differ": sum(_length(pair.chosen) != _length(pair.rejected) for pair in pairs),
    }
    judged = {name: result for name, result in results.items() if not isinstance(result, Skip)}
    if judged and not {score for _, scores in judged.values() for score in scores} <= {0.0, 1.0}:
        found["right"] = None
    elif judged:
        right = [_right(sampled[name], result) for name, result in judged.items()]
        found["right"] = {
            "answers": sum(hits for hits, _ in right),
            "of_answers": sum(of for _, of in right),
            "of_prompts": len(right),
            "at_least_once": sum(hits > 0 for hits, _ in right),
            "always": sum(hits == of for hits, of in right),
            "never": sum(hits == 0 for hits, _ in right),
            "tied_at_twice_n": sum(tied_at_twice(hits, of) for hits, of in right),
        }
    return found


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sums of the numbers of two parts; None where one of them has None."""
    return {**one, **other} | {name: _sum(one[name], other[name]) for name in one if name in other}


def _sum(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return None
    return joined(one, other) if isinstance(one, Mapping) else one + other


def finished(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of the joined parts."""
    found = {name: value for name, value in found.items() if value is not None}
    if right := found.get("right"):
        found["right"] = right | {"tied_at_twice_n": round(right["tied_at_twice_n"], 2)}
    return found


def _length(turns: Sequence[Message]) -> int:
    return len(turns[-1]["content"])


def _right(given: list[Answer] | Skip, result: Scored) -> tuple[int, int]:
    """Return how many of the whole answers are right, and how many there are; a repeated one counts again."""
    score = {answer.text: one for answer, one in zip(*result, strict=True)}
    scores = [score[answer.text] for answer in given if answer.text in score] if isinstance(given, list) else []
    return sum(one == 1 for one in scores), len(scores)


def tied_at_twice(hits: int, of: int) -> float:
    """Return how probable it is that all answers are still alike when there are twice as many.

    The share of right answers is a Beta variable with Jeffreys' prior, as seen from `hits` right ones `of` all.
    """
    if 0 < hits < of:
        return 0.0
    return math.prod((of + 0.5 + more) / (of + 1 + more) for more in range(of))


def lines(found: Mapping[str, Any], n: int) -> Iterator[str]:
    """Yield what `diagnose` found for a reader."""
    if not found["answers"]:
        return
    distinct, cut = found["distinct"] / found["prompts"], found["cut"] / found["answers"]
    each = f"{found['answers'] / found['prompts']:.1f}" if "saved" in found else n
    said = f"answers: {distinct:.1f} of {each} are different"
    said += f", {cut:.0%} are cut off" if found["cut"] else ""
    if right := found.get("right"):
        said += f", {str(Share(right['answers'], right['of_answers'])).strip()} are right"
    yield said
    if right:
        of = right["of_prompts"]
        yield (
            f"judged prompts: {right['at_least_once'] / of:.0%} have a right answer, {right['always'] / of:.0%} only "
            f"right ones, {right['never'] / of:.0%} none"
        )
        tied, left = right["always"] + right["never"], right["tied_at_twice_n"]
        if tied > 0.1 * of:
            yield f"all answers are scored alike in {tied / of:.0%} of them: with --n {2 * n} in about {left / of:.0%}"
    if found.get("saved"):
        yield f"--adaptive left {found['saved']} of {found['saved'] + found['answers']} answers out"
    if found["lengths_differ"]:
        longer = str(Share(found["longer_chosen"], found["lengths_differ"])).strip()
        yield f"the longer answer is chosen in {longer} of the pairs"
