"""The pipeline: sample -> score -> pair. Each stage returns a result or a Skip for each prompt id."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from numbers import Real
from typing import Any

from .console import note
from .errors import InputError, OutsideError, PairforgeError
from .pairers import usable
from .run import FAILURES, RETRYABLE
from .stopping import Budget, finish_batch_on_signal
from .store import Store
from .text import one_line, plural, raised
from .types import Answer, Judge, Key, Pair, Pairer, ProgressCallback, Prompt, Sampler, Skip, digest


def sample(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    n: int,
    store: Store,
    tell: ProgressCallback | None = None,
    budget: Budget | None = None,
) -> dict[str, list[Answer] | Skip]:
    """Return n answers to each distinct prompt, from the store if it has them, else from the sampler.

    New answers are committed as they come. A prompt gets a Skip if it has no answer, or if one is missing that another
    try may give. Where the sampler's settings change, since its server refuses one of them, all is asked under the new
    ones: answers under other settings are never mixed.
    """
    while True:
        settings = sampler.settings()
        answers = _sample(prompts, sampler, settings, n, store, tell, budget or Budget())
        if sampler.settings() == settings:
            return answers


def _sample(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    settings: Mapping[str, Any],
    n: int,
    store: Store,
    tell: ProgressCallback | None,
    budget: Budget,
) -> dict[str, list[Answer] | Skip]:
    distinct = _distinct(prompts)
    answers = store.answers(settings)
    failed: dict[Key, Skip] = {}
    done = sum((prompt.id, index) in answers for prompt in distinct for index in range(n))
    if tell:
        tell(done, len(distinct) * n, budget.tokens, budget.failures)
    batches = sampler.sample(distinct, n, answers)
    with finish_batch_on_signal() as stopping, closing(batches) if isinstance(batches, Generator) else nullcontext():
        while not budget.spent() and (batch := next(batches, None)) is not None:
            new = {key: answer for key, answer in batch.items() if isinstance(answer, Answer) and key not in answers}
            answers |= store.add_answers(settings, new)
            failed |= {key: answer for key, answer in batch.items() if isinstance(answer, Skip)}
            done += len(new)
            budget.tokens += sum(answer.tokens for answer in new.values())
            budget.failures += sum(isinstance(answer, Skip) and answer.reason in FAILURES for answer in batch.values())
            if tell:
                tell(done, len(distinct) * n, budget.tokens, budget.failures)
            if stopping():
                break
    return {prompt.id: _answers(prompt.id, n, answers, failed, budget) for prompt in distinct}


def _answers(
    name: str, n: int, answers: Mapping[Key, Answer], failed: Mapping[Key, Skip], budget: Budget
) -> list[Answer] | Skip:
    keys = [(name, index) for index in range(n)]
    given = [answers[key] for key in keys if key in answers]
    skips = [failed[key] for key in keys if key in failed]
    if len(given) + len(skips) < n and (limit := budget.spent()):
        return Skip("not_asked", limit)
    again = next((skip for skip in skips if skip.reason in RETRYABLE), None)
    return again or given or (skips[0] if skips else Skip("failed", "no answer"))


Scored = tuple[list[Answer], list[float]]


def score(
    prompts: Sequence[Prompt], sampled: Mapping[str, list[Answer] | Skip], judge: Judge, store: Store
) -> dict[str, Scored | Skip]:
    """Return a score for each usable answer; cut, blank and duplicate answers are dropped before they are judged."""
    settings = judge.settings()
    known = store.scores(settings)
    result: dict[str, Scored | Skip] = {}
    with finish_batch_on_signal() as stopping:
        for prompt in _distinct(prompts):
            given = sampled[prompt.id]
            kept = given if isinstance(given, Skip) else _worth_judging(given)
            result[prompt.id] = kept if isinstance(kept, Skip) else _score(prompt, kept, judge, store, known)
            if stopping():
                break
    return result


def _distinct(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Return the prompts without those whose id occurred before."""
    first: dict[str, Prompt] = {}
    for prompt in prompts:
        first.setdefault(prompt.id, prompt)
    return list(first.values())


def _worth_judging(answers: Sequence[Answer]) -> list[Answer] | Skip:
    """Return the usable answers, if there are two to compare."""
    kept = usable(answers)
    if isinstance(kept, Skip) or len(kept) > 1:
        return kept
    if len(answers) == 1:
        return Skip("one_answer", kept[0].text)
    cut = sum(answer.finish == "length" for answer in answers)
    return Skip("cut_off", f"{cut} of {len(answers)} answers") if cut else Skip("identical", kept[0].text)


def _score(
    prompt: Prompt, kept: list[Answer], judge: Judge, store: Store, known: Mapping[tuple[str, str], float]
) -> Scored | Skip:
    found = scores_of([answer.text for answer in kept], prompt, judge, store, known)
    scores = {text: score for text, score in found.items() if not isinstance(score, Skip)}
    if len(scores) < 2:
        return next(skip for skip in found.values() if isinstance(skip, Skip))
    judged = [answer for answer in kept if answer.text in scores]
    return judged, [scores[answer.text] for answer in judged]


def scores_of(
    texts: Sequence[str], prompt: Prompt, judge: Judge, store: Store, known: Mapping[tuple[str, str], float]
) -> dict[str, float | Skip]:
    """Return the score of each text, from those that are `known` to the store, else from the judge; new ones are kept.

    The judge's warnings are printed. Raises InputError or OutsideError for a judge that is wrong.
    """
    # A score also depends on the columns that the judge is given, so they are part of the key.
    name = digest([prompt.id, prompt.columns])
    scores: dict[str, float | Skip] = {text: known[key] for text in texts if (key := (name, digest(text))) in known}
    if missing := [text for text in dict.fromkeys(texts) if text not in scores]:
        judged = dict(zip(missing, _judged(judge, prompt, missing), strict=True))
        new = {text: score for text, score in judged.items() if not isinstance(score, Skip)}
        store.add_scores(judge.settings(), name, new)
        scores |= judged
        warnings: list[str] = getattr(judge, "warnings", [])
        for warning in warnings:
            note(f"warning: {warning}")
        warnings.clear()
    return scores


def _judged(judge: Judge, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
    """Return what the judge says, whose code may be the user's. Raises InputError or OutsideError where it is wrong."""
    try:
        scores = list(judge.score(prompt, answers))
    except PairforgeError:
        raise
    except (Exception, SystemExit) as error:
        what = raised(f"the judge {judge.name}", error, __file__)
        raise OutsideError(what, fix="correct it, and run the same command again: the answers are kept") from error
    returned = f"the judge {judge.name} returned"
    if len(scores) != len(answers):
        counts = f"{plural(len(scores), 'score')} for {plural(len(answers), 'distinct answer')}"
        raise InputError(f"{returned} {counts}", fix="return one score for each answer, in order")
    if wrong := [one for one in scores if not isinstance(one, Skip | Real) or (isinstance(one, Real) and one != one)]:
        fix = "return a finite number or a Skip for each answer"
        raise InputError(f"{returned} {one_line(repr(wrong[0]), 60)}, which is not a score", fix=fix)
    return scores


def pair(
    prompts: Sequence[Prompt | Skip], results: Mapping[str, list[Answer] | Scored | Skip], pairer: Pairer, model: str
) -> list[tuple[Prompt | None, Pair | Skip]]:
    """Return a pair or a Skip for every prompt, in order; a prompt that occurred before is a duplicate."""
    outcome: list[tuple[Prompt | None, Pair | Skip]] = []
    seen: set[str] = set()
    for prompt in prompts:
        if isinstance(prompt, Skip):
            outcome.append((None, prompt))
        elif prompt.id in seen:
            outcome.append((prompt, Skip("duplicate", prompt.question)))
        else:
            seen.add(prompt.id)
            result = results[prompt.id]
            if isinstance(result, Skip):
                outcome.append((prompt, result))
            else:
                answers, scores = result if isinstance(result, tuple) else (result, [])
                outcome.append((prompt, pairer.pair(prompt, answers, scores, model)))
    return outcome
