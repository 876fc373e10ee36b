"""The pipeline: sample -> score -> pair. Each stage returns a result or a Skip for each prompt id."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import partial
from itertools import chain
from numbers import Real
from typing import Any, Protocol, TypeAlias

from .console import note
from .errors import InputError, OutsideError, PairforgeError
from .pairers import usable
from .run import FAILURES, RETRYABLE
from .stopping import Budget, finish_batch_on_signal
from .store import Store
from .text import one_line, raised
from .thoughts import answer_of
from .types import (
    Answer,
    AnswerGroup,
    Ask,
    Judge,
    Key,
    Pair,
    Pairer,
    ProgressCallback,
    Prompt,
    Sampler,
    Skip,
    Verdicts,
    digest,
)


class AnswerStore(Protocol):
    """Where `sample` finds answers, and keeps new ones: the store of a run, or what there is of a shard."""

    def answers(self, settings: Mapping[str, Any], prompts: Iterable[str]) -> dict[Key, Answer]:
        """Return the answers to the prompts of these ids that are there under these settings of a sampler."""

    def add_answers(self, settings: Mapping[str, Any], answers: Mapping[Key, Answer]) -> dict[Key, Answer]:
        """Keep answers, and return those that are kept: an earlier one stays."""

    def copy_answers(self, source: Mapping[str, Any], target: Mapping[str, Any], prompts: Iterable[str]) -> None:
        """Keep the answers under one sampling setting under another one, too."""

    def sent_as(self, settings: Mapping[str, Any]) -> dict[str, str | None]:
        """Return how a server takes the parameters of these settings, as far as that is known."""


def sample(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    n: int,
    store: AnswerStore,
    tell: ProgressCallback | None = None,
    budget: Budget | None = None,
    first: int = 0,
    failed: dict[Key, Skip] | None = None,
) -> dict[str, list[Answer] | Skip]:
    """Return n answers to each distinct prompt, from the store if it has them, else from the sampler.

    Those before `first` are not asked for. New answers are committed as they come. A prompt gets a Skip if it has no
    answer, or if one is missing that another try may give. `failed` says of which answers it is known why they are
    missing: these are not asked for, and what fails now is added. Where the sampler's settings change, since its server
    refuses one of them, all is asked under the new ones: answers under other settings are never mixed.
    """
    failed = {} if failed is None else failed
    while True:
        settings = known_settings(sampler, store)
        answers = _sample(prompts, sampler, settings, n, store, tell, budget or Budget(), first, failed)
        if sampler.settings() == settings:
            return answers
        first = 0
        failed.clear()


def known_settings(sampler: Sampler, store: AnswerStore) -> Mapping[str, Any]:
    """Return a sampler's settings, with what its server refused of them in another process, too."""
    if (refused := getattr(sampler, "sent_as", None)) is not None:
        refused |= store.sent_as(sampler.settings())
    return sampler.settings()


def _sample(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    settings: Mapping[str, Any],
    n: int,
    store: AnswerStore,
    tell: ProgressCallback | None,
    budget: Budget,
    first: int,
    failed: dict[Key, Skip],
) -> dict[str, list[Answer] | Skip]:
    distinct = _distinct(prompts)
    for same in getattr(sampler, "same_settings", tuple)():  # newer than some samplers
        store.copy_answers(same, settings, (prompt.id for prompt in distinct))
    answers = store.answers(settings, (prompt.id for prompt in distinct))
    done = sum((prompt.id, index) in answers for prompt in distinct for index in range(first, n))
    total = len(distinct) * (n - first)
    if tell:
        tell(done, total, budget.tokens, budget.failures)
    before = budget.cost - cost_of(sampler)
    known = {**answers, **failed} if failed else answers
    batches = sampler.sample(distinct, n, known, *([first] if first else []))  # `first` is newer than some samplers
    stop = getattr(sampler, "stop", None)
    with finish_batch_on_signal() as stopping, closing(batches) if isinstance(batches, Generator) else nullcontext():
        for batch in () if budget.spent() else batches:
            given = {key: answer for key, answer in batch.items() if isinstance(answer, Answer) and key not in answers}
            new = {
                key: one if one.thought else answer_of(one.text, one.finish, one.tokens) for key, one in given.items()
            }
            answers |= store.add_answers(settings, new)
            failed |= {key: answer for key, answer in batch.items() if isinstance(answer, Skip)}
            done += len(new)
            budget.cost = before + cost_of(sampler)
            budget.tokens += sum(answer.tokens for answer in new.values())
            budget.failures += sum(isinstance(answer, Skip) and answer.reason in FAILURES for answer in batch.values())
            if tell:
                tell(done, total, budget.tokens, budget.failures)
            if stopping() or budget.spent():
                if stop is None:
                    break
                stop()  # what has come, and was paid for, is still committed
    found, limit = {**failed, **dict[Key, "Answer | Skip"](answers)}, budget.spent()
    return {prompt.id: answers_of(prompt.id, n, found, limit) for prompt in distinct}


def cost_of(sampler: Sampler) -> float:
    """Return what a sampler, with all that are made of it, has cost in this process; older ones don't say."""
    return getattr(sampler, "cost", None) or 0.0


def answers_of(name: str, n: int, found: Mapping[Key, Answer | Skip], limit: str | None = None) -> list[Answer] | Skip:
    """Return the answers to the prompt with this id, or why there is none; where some are missing, by which limit."""
    known = [found[name, index] for index in range(n) if (name, index) in found]
    given = [one for one in known if isinstance(one, Answer)]
    skips = [one for one in known if isinstance(one, Skip)]
    if len(known) < n and limit:
        return Skip("not_asked", limit)
    again = next((skip for skip in skips if skip.reason in RETRYABLE), None)
    return again or given or (skips[0] if skips else Skip("failed", "no answer"))


Scored = tuple[list[Answer], list[float]]

_CHUNK = 4096
"""Prompts that are judged together, so that a judge can fill its batches."""
_COMMIT_SECONDS = 0.2
"""Scores that take longer are committed one by one, quicker ones together."""


def score(
    prompts: Sequence[Prompt], sampled: Mapping[str, list[Answer] | Skip], judge: Judge, store: Store, ask: Ask
) -> dict[str, Scored | Skip]:
    """Return a score for each usable answer; cut, blank and duplicate answers are dropped before they are judged."""
    kept, groups = worth_judging(prompts, sampled)
    judged = judge_groups(groups, judge, store, ask)
    scores = {group.prompt.id: found for group, found in zip(groups, judged, strict=True)}
    return {name: given if isinstance(given, Skip) else _scored(given, scores[name]) for name, given in kept.items()}


def worth_judging(
    prompts: Sequence[Prompt], sampled: Mapping[str, list[Answer] | Skip]
) -> tuple[dict[str, list[Answer] | Skip], list[AnswerGroup]]:
    """Return the answers that are judged, by the prompt's id, or why there are none; and the same as groups."""
    kept = {prompt.id: sampled[prompt.id] for prompt in prompts}
    kept = {name: given if isinstance(given, Skip) else _usable(given) for name, given in kept.items()}
    groups = [
        AnswerGroup(prompt, [answer.text for answer in given])
        for prompt in _distinct(prompts)
        if not isinstance(given := kept[prompt.id], Skip)
    ]
    return kept, groups


def _scored(answers: list[Answer], scores: Mapping[str, float | Skip]) -> Scored | Skip:
    """Return the answers that have a score, and their scores; a Skip where these are fewer than two."""
    found = [(answer, score) for answer in answers if not isinstance(score := scores[answer.text], Skip)]
    if len(found) < 2:
        return next(skip for skip in scores.values() if isinstance(skip, Skip))
    return [answer for answer, _ in found], [score for _, score in found]


def judge_groups(groups: Sequence[AnswerGroup], judge: Judge, store: Store, ask: Ask) -> list[dict[str, float | Skip]]:
    """Return the scores of each group by the text of the answer, from the store or else from the judge.

    New scores are committed as they come, and the judge's warnings are printed. Where the judge's settings change,
    since its server refuses one of them, all scores are those under the new ones. Raises InputError or OutsideError for
    a judge that is wrong.
    """
    settings, scores = judge.settings(), list[dict[str, float | Skip]]()
    with finish_batch_on_signal() as stopping:
        while len(scores) < len(groups) and not stopping():
            chunk = groups[len(scores) : len(scores) + _CHUNK]
            known = bool(scores)
            scores += _judge_chunk(chunk, judge, store, ask, stopping)
            if settings != (settings := judge.settings()) and known:
                scores = []  # all but those of this chunk are of the old settings
    return scores


def judged_group(prompt: Prompt, answers: Sequence[Answer]) -> AnswerGroup:
    """Return the answers to a prompt of which a judge is given all that can be used."""
    return AnswerGroup(prompt, [] if isinstance(kept := usable(answers), Skip) else [one.text for one in kept])


def score_keys(group: AnswerGroup, groupwise: bool | None = None) -> list[str]:
    """Return the keys of the scores of a group: of a judge that compares its answers, or not, or of any (None)."""
    return [group.joint_key, group.key] if groupwise is None else [group.joint_key if groupwise else group.key]


def stored_scores(store: Store, judge: Mapping[str, Any], keys: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """Return the stored scores of a judge for the keys of each group, by the digest of the answer."""
    found: dict[str, dict[str, float]] = {}
    for (key, answer), score in store.scores(judge, chain.from_iterable(keys)).items():
        found.setdefault(key, {})[answer] = score
    return [{name: score for key in of_group for name, score in found.get(key, {}).items()} for of_group in keys]


def _judge_chunk(
    groups: Sequence[AnswerGroup], judge: Judge, store: Store, ask: Ask, stopping: Callable[[], bool]
) -> list[dict[str, float | Skip]]:
    settings, groupwise = judge.settings(), getattr(judge, "groupwise", False)
    keys, scores = [score_keys(group, groupwise) for group in groups], list[dict[str, float | Skip]]()
    for group, known in zip(groups, stored_scores(store, settings, keys), strict=True):
        digests = {text: digest(text) for text in group.answers}
        scores.append({text: known[name] for text, name in digests.items() if name in known})
    done = {(n, i) for n, group in enumerate(groups) for i, text in enumerate(group.answers) if text in scores[n]}
    total = sum(len(group.answers) for group in groups)
    uncommitted: dict[tuple[str, str], float] = {}
    last = time.monotonic()
    try:
        for verdicts in _verdicts(judge, groups, ask, done) if len(done) < total else ():
            for (number, index), verdict in verdicts.items():
                text = groups[number].answers[index]
                scores[number].setdefault(text, verdict)
                if not isinstance(verdict, Skip):
                    uncommitted[keys[number][0], text] = float(verdict)
            if stopping():
                break
            if time.monotonic() - last > _COMMIT_SECONDS:
                store.add_scores(judge.settings(), uncommitted)
                uncommitted, last = {}, time.monotonic()
    finally:
        store.add_scores(judge.settings(), uncommitted)
    if done and judge.settings() != settings:  # what was stored is of the old settings
        return _judge_chunk(groups, judge, store, ask, stopping)
    return scores


def _distinct(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Return the prompts without those whose id occurred before."""
    first: dict[str, Prompt] = {}
    for prompt in prompts:
        first.setdefault(prompt.id, prompt)
    return list(first.values())


def _usable(answers: Sequence[Answer]) -> list[Answer] | Skip:
    """Return the usable answers, if there are two to compare."""
    kept = usable(answers)
    if isinstance(kept, Skip) or len(kept) > 1:
        return kept
    if len(answers) == 1:
        return Skip("one_answer", kept[0].text)
    cut = sum(answer.finish == "length" for answer in answers)
    return Skip("cut_off", f"{cut} of {len(answers)} answers") if cut else Skip("identical", kept[0].text)


def _verdicts(
    judge: Judge, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]
) -> Iterator[Verdicts]:
    """Yield what the judge says, whose code may be the user's. Raises InputError or OutsideError where it is wrong."""
    given = getattr(judge, "judge", None) or partial(Judge.judge, judge)
    warnings: list[str] = getattr(judge, "warnings", [])
    try:
        for verdicts in given(groups, ask, done):
            if wrong := [one for one in verdicts.values() if not isinstance(one, Skip) and not _is_score(one)]:
                what = f"the judge {judge.name} returned {one_line(repr(wrong[0]), 60)}, which is not a score"
                raise InputError(what, fix="return a finite number or a Skip for each answer")
            for warning in warnings:
                note(f"warning: {warning}")
            warnings.clear()
            yield verdicts
    except PairforgeError:
        raise
    except (Exception, SystemExit) as error:
        what = raised(f"the judge {judge.name}", error, __file__, str(inspect.getsourcefile(Judge)))
        raise OutsideError(what, fix="correct it, and run the same command again: the answers are kept") from error


def _is_score(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


Outcome: TypeAlias = Sequence[tuple[Prompt | None, Pair | Skip]]
"""What became of each prompt, in order; the pairs of one prompt follow each other."""


def pair(
    prompts: Sequence[Prompt | Skip],
    results: Mapping[str, list[Answer] | Scored | Skip],
    pairer: Pairer,
    model: str,
    before: Container[str] = (),
) -> Outcome:
    """Return the pairs of every prompt, in order, or a Skip.

    A prompt that occurred already, or whose id is in `before`, is a duplicate.
    """
    outcome: list[tuple[Prompt | None, Pair | Skip]] = []
    pairer = pairer.fitted([one for result in results.values() if isinstance(result, tuple) for one in result[1]])
    seen: set[str] = set()
    for prompt in prompts:
        if isinstance(prompt, Skip):
            outcome.append((None, prompt))
        elif prompt.id in seen or prompt.id in before:
            outcome.append((prompt, Skip("duplicate", prompt.question)))
        else:
            seen.add(prompt.id)
            result = results[prompt.id]
            if isinstance(result, Skip):
                outcome.append((prompt, result))
            else:
                answers, scores = result if isinstance(result, tuple) else (result, [])
                made = pairer.pair(prompt, answers, scores, model)
                outcome += [(prompt, one) for one in ([made] if isinstance(made, Pair | Skip) else made)]
    return outcome


def decided(outcome: Outcome, verdicts: Sequence[Pair | Skip]) -> Outcome:
    """Return the outcome with the verdict on each pair; a prompt has pairs, or one Skip."""
    left, told = iter(verdicts), {verdict.prompt_id for verdict in verdicts if isinstance(verdict, Pair)}
    found = list[tuple[Prompt | None, Pair | Skip]]()
    for prompt, item in outcome:
        verdict = next(left) if isinstance(item, Pair) else item
        if isinstance(item, Pair) and isinstance(verdict, Skip):
            if item.prompt_id in told:
                continue
            told.add(item.prompt_id)
        found.append((prompt, verdict))
    return found
