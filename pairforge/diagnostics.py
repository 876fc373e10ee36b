"""What the answers and the judge of an on-policy run are like, and what would give more pairs: a few lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from .pairers import usable
from .stages import Scored
from .statistics import Share
from .store import Store
from .text import visible
from .types import Answer, AnswerGroup, Answers, Judge, Message, Pair, Prompt, Sampler, Skip


def diagnose(sampled: Answers, results: Mapping[str, Scored | Skip], pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return what is kept in `run.json` of the answers: numbers of prompts, answers and pairs.

    `right` is there where all scores are 0 or 1: how many of the judged answers are 1, and of how many prompts at least
    one, all, or none are.
    """
    return finished(diagnose_part(sampled, results, pairs))


def diagnose_part(sampled: Answers, results: Mapping[str, Scored | Skip], pairs: Sequence[Pair]) -> dict[str, Any]:
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


ScoredById = Mapping[str, Scored | Skip]


def measure(
    judges: Sequence[tuple[Judge, ScoredById]],
    prompts: Iterable[Prompt],
    sampled: Answers,
    store: Store,
    authors: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Return what is kept in `run.json` of judges: numbers of answers, and of comparisons of two answers to a prompt.

    `judges` by name, and how many comparisons each two of a jury decide alike, under `agree`. Nothing is asked: what a
    language model said is in the store. `authors` are the models that wrote an answer, by the prompt's id and the text.
    """

    def ask(asked: Sequence[Prompt], sampler: Sampler) -> dict[str, list[Answer] | Skip]:
        known = store.answers(sampler.settings(), (one.id for one in asked))
        return {one.id: [known[one.id, 0]] for one in asked if (one.id, 0) in known}

    groups = list[AnswerGroup]()
    for prompt in {one.id: one for one in prompts}.values():
        kept = usable(given) if isinstance(given := sampled[prompt.id], list) else given
        if isinstance(kept, list) and len(kept) > 1:
            groups.append(AnswerGroup(prompt, [answer.text for answer in kept]))
    found: dict[str, Any] = {"judges": {}}
    for judge, results in judges:
        figures = _of_scores(groups, results, judge.name.partition(":")[2], authors)
        if flips := getattr(judge, "flips", None):
            figures["flips"] = _by_margin(flips(groups, ask))
        found["judges"][judge.name] = figures
    agree = {f"{a.name} and {b.name}": _agreement(one, other) for (a, one), (b, other) in combinations(judges, 2)}
    return found | ({"agree": agree} if agree else {})


def _of_scores(
    groups: Sequence[AnswerGroup], results: ScoredById, model: str, authors: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    found = Counter[str](dict.fromkeys(("answers", "unjudged", "compared", "ties", "longer", "lengths_differ"), 0))
    for group in groups:
        scores = _scores(results.get(group.prompt.id))
        found["answers"] += len(group.answers)
        found["unjudged"] += len(group.answers) - len(scores)
        for one, other in combinations(scores, 2):
            higher, longer = scores[one] - scores[other], len(one) - len(other)
            found["compared"] += 1
            found["ties"] += not higher
            found["lengths_differ"] += bool(higher and longer)
            found["longer"] += higher * longer > 0
            own = [authors.get((group.prompt.id, text)) == model for text in (one, other)]
            if model and own[0] != own[1]:
                found["own_or_other"] += 1
                found["own"] += (higher > 0) == own[0] if higher else 0.5  # type: ignore[assignment]
    return dict(found)


def _scores(result: Scored | Skip | None) -> dict[str, float]:
    return {answer.text: score for answer, score in zip(*result, strict=True)} if isinstance(result, tuple) else {}


def _by_margin(flips: Iterable[tuple[float, bool]]) -> dict[str, dict[str, int]]:
    """Return how many comparisons there are, and how many flip, by how far the scores are apart: below 0.5, 1, 2 ..."""
    of, flipped = Counter[float](), Counter[float]()
    for margin, flip in flips:
        below = 2.0 ** max(math.frexp(margin)[1], -1)
        of[below] += 1
        flipped[below] += flip
    return {f"{below:g}": {"flipped": flipped[below], "of": of[below]} for below in sorted(of)}


def _agreement(results: ScoredById, others: ScoredById) -> dict[str, int]:
    """Return how many comparisons two judges decide in the same way, of those in which both decide."""
    alike = of = 0
    for name, result in results.items():
        scores, other = _scores(result), _scores(others.get(name))
        for one, two in combinations(scores.keys() & other.keys(), 2):
            sign = (scores[one] - scores[two]) * (other[one] - other[two])
            alike, of = alike + (sign > 0), of + (sign != 0)
    return {"alike": alike, "of": of}


def _judge_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what `measure` found for a reader."""
    for name, of in found.get("judges", {}).items():
        said = [f"{of['ties'] / of['compared']:.0%} of two answers tie"] if of["compared"] else []
        if of["lengths_differ"]:
            said.append(f"the longer one scores higher in {str(Share(of['longer'], of['lengths_differ'])).strip()}")
        if of["unjudged"]:
            said.append(f"{of['unjudged']} of {of['answers']} answers have no score")
        if of.get("own_or_other"):
            said.append(f"its own answer beats another's in {str(Share(of['own'], of['own_or_other'])).strip()}")
        if said:
            yield visible(f"judge {name}: {', '.join(said)}")
        if flips := of.get("flips"):
            each = [f"{one['flipped'] / one['of']:.0%} of {one['of']} below {edge}" for edge, one in flips.items()]
            yield f"asked the other way round, it turns its order of two, by how far apart they are: {', '.join(each)}"
    for names, one in found.get("agree", {}).items():
        if one["of"]:
            yield visible(f"{names} agree in {str(Share(one['alike'], one['of'])).strip()} of two answers")


def lines(found: Mapping[str, Any], n: int) -> Iterator[str]:
    """Yield what `diagnose` and `measure` found for a reader."""
    yield from _judge_lines(found)
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
