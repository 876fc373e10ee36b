"""evaluate: what a model says of itself, and whether anything else changed.

Asks a model the questions of evaluate, and judges what it says; two models may be held against each other.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ..console import note
from ..errors import InputError
from ..evaluation import ON_POLICY, SAMPLED, THRESHOLDS, Threshold, Verdict, Wins, repeats, sampled, verdict
from ..evaluation.questions import ModelNames, Question, label, questions
from ..options import EvaluateOptions, SamplerOptions, keywords, part_of
from ..run import Run, latest, out_dir
from ..store import Store
from ..types import Answer, Judge, Prompt, Sampler, Skip, digest
from .correct import rules_of
from .models import HELPFUL, answer, as_tuple, contexts_of, open_sampler, tuned_on
from .onpolicy import open_judge

_DRAWN = ("identity", "general")  # the kinds that are asked at temperature 1 too
_ALL = ("repetition", "unanswered")  # the metrics of every question

Answers: TypeAlias = "Mapping[str, list[Answer] | Skip]"
"""By prompt id."""


class Answered(NamedTuple):
    """The answers of one model; `drawn` has those at temperature 1, if they were asked for."""

    greedy: Answers
    drawn: Answers


@dataclass(frozen=True)
class Examination:
    """The questions by kind, and whether some of them are asked at temperature 1 too, after all were greedily."""

    questions: Mapping[str, Sequence[Question]]
    twice: bool

    @cached_property
    def metrics(self) -> set[str]:
        """The names of all that is measured."""
        greedy = {metric for question in self._greedy for metric in question.tests}
        return {*greedy, *(sampled(metric) for question in self._drawn for metric in question.tests), *_ALL}

    @cached_property
    def _greedy(self) -> list[Question]:
        return [question for kind in self.questions.values() for question in kind]

    @cached_property
    def _drawn(self) -> list[Question]:
        return [question for name in _DRAWN for question in self.questions.get(name, ()) if self.twice]

    def answers(self, sampler: Sampler, store: Store, quiet: bool) -> Answered:
        """The model's answers; those that the evidence store has are not asked for again."""
        asked = [question.prompt for question in self._greedy]
        greedy = answer(asked, sampler, 1, store, f"evaluate: {sampler.model}", quiet)
        if not self._drawn:
            return Answered(greedy, {})
        again = [question.prompt for question in self._drawn]
        label = f"evaluate: {sampler.model}, temperature 1"
        return Answered(greedy, answer(again, sampler.with_decoding(temperature=1.0), 1, store, label, quiet))

    def judged(self, answered: Answered) -> dict[str, dict[str, bool | Skip]]:
        """Every question's outcomes, metric by metric."""
        judged: dict[str, dict[str, bool | Skip]] = {}
        for question in self._greedy:
            _judge(judged, question, answered.greedy, "")
        for question in self._drawn:
            _judge(judged, question, answered.drawn, SAMPLED)
        return judged

    def compared(self, after: Answered, before: Answered, judge: Judge, store: Store) -> dict[str, float | Skip]:
        """By general question, how much better the drawn answer after is scored than the one before; scores that the
        evidence store has are not asked for again.
        """
        scoring = _Scoring(judge, store, store.scores(judge.settings()))
        prompts = [question.prompt for question in self.questions["general"]]
        return {prompt.id: scoring.apart(prompt, after.drawn[prompt.id], before.drawn[prompt.id]) for prompt in prompts}


def _judge(judged: dict[str, dict[str, bool | Skip]], question: Question, answers: Answers, mark: str) -> None:
    name = question.prompt.id
    given = answers[name]
    for metric, test in question.tests.items():
        outcome = given if isinstance(given, Skip) else test(given[0].text)
        judged.setdefault(sampled(metric) if mark else metric, {})[name] = outcome
    judged.setdefault("repetition", {})[name + mark] = given if isinstance(given, Skip) else repeats(given[0].text)
    judged.setdefault("unanswered", {})[name + mark] = isinstance(given, Skip)


class _Scoring(NamedTuple):
    judge: Judge
    store: Store
    known: Mapping[tuple[str, str], float]

    def apart(self, prompt: Prompt, *answers: list[Answer] | Skip) -> float | Skip:
        """The first answer's score minus the second's."""
        if skip := next((given for given in answers if isinstance(given, Skip)), None):
            return skip
        texts = [given[0].text for given in answers if not isinstance(given, Skip)]
        name = digest([prompt.id, prompt.columns])  # as the scores of a run are named
        scores: dict[str, float | Skip] = {
            text: self.known[name, key] for text in texts if (name, key := digest(text)) in self.known
        }
        if missing := [text for text in dict.fromkeys(texts) if text not in scores]:
            scores.update(zip(missing, self.judge.score(prompt, missing), strict=True))
            new = {text: score for text in missing if not isinstance(score := scores[text], Skip)}
            self.store.add_scores(self.judge.settings(), name, new)
        now, was = (scores[text] for text in texts)
        return now if isinstance(now, Skip) else was if isinstance(was, Skip) else now - was


def wins(compared: Mapping[str, float | Skip], judge: Judge) -> Wins:
    """How often an answer was better and how often worse. Raises InputError where nothing was scored."""
    apart = [score for score in compared.values() if not isinstance(score, Skip)]
    if not apart:
        why = next((skip.detail for skip in compared.values() if isinstance(skip, Skip)), "nothing was asked")
        raise InputError(f"the judge {judge.name} scored no answer: {why}", fix="name another with --judge")
    return Wins(sum(score > 0 for score in apart), sum(score < 0 for score in apart), len(apart))


def unscored(outcome: float | Skip) -> bool:
    """Whether the judge failed; one that is not applicable to a question did not."""
    return isinstance(outcome, Skip) and outcome.reason == "unjudged"


@keywords(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> Verdict:
    """Asks a model the bundled held-out questions, and judges the answers; with a base, also what changed.

    All are asked greedily, those about the model itself and general ones also once at temperature 1, unless `greedy`.
    `model` is by default the one trained on the latest run, or the run's own; a trained one is compared with the run's
    model where no `base` is given. Names, contexts and judge are, unless said, those of the run folder `run`: by
    default the one that the model stands in, else the latest. A judge scores the answers drawn to general questions
    against the base's. `limit` asks at most so many questions of each kind, drawn with `seed`. `adapter` is the
    model's, not the base's. Without names only the other questions count.

    `thresholds` are texts, "new_name/* at least 98%" or "general loses at most 0.01", each in place of the default for
    its metric. Raises InputError, also for one that can't be applied.
    """
    found = _find_run(options.run, options.model, options.output)
    model, base = _models(options.model, options.base, found)
    from_, to = options.from_ or (), options.to or ()
    rules = rules_of(from_, to) if from_ or to else _run_rules(found)
    contexts = contexts_of(options, _run_contexts(found))
    limit, seed, quiet = options.limit, options.seed, options.quiet
    sets = questions(ModelNames(rules), contexts)
    drawn = {name: _draw(of, limit, seed) for name, of in sets.items()}
    exam = Examination(drawn, twice=not (options.greedy or options.replay))
    scorer = _scorer(options.judge, found, compares=bool(base and exam.twice))
    given = [Threshold.read(text) for text in as_tuple(options.thresholds)]
    _check(given, exam.metrics | ({"win_rate"} if scorer else set()), base)
    with closing(Store(out_dir(options.output))) as store:
        asked = _samplers(model, base, found, options)
        answers = {name: exam.answers(sampler, store, quiet) for name, sampler in asked}
        after, before, won = exam.judged(answers[model]), exam.judged(answers[base]) if base else None, None
        if base and scorer:
            compared = exam.compared(answers[model], answers[base], scorer, store)
            after["unanswered"] |= {f"{key}@judge": unscored(outcome) for key, outcome in compared.items()}
            won = wins(compared, scorer)
    about: dict[str, Any] = {"model": model, "base": base, "rules": dict(rules), "contexts": [*map(label, contexts)]}
    about |= {"judge": scorer.name} if scorer else {}
    about |= {"temperatures": [0, 1] if exam.twice else [0], "seed": seed, "versions": dict(_versions())}
    counts = {name: (len(drawn[name]), len(sets[name])) for name in sets}
    defaults = (*ON_POLICY, *THRESHOLDS) if scorer else THRESHOLDS
    return verdict(after, before, wins=won, thresholds=(*given, *defaults), asked=counts, about=about)


def _samplers(model: str, base: str | None, run: Run | None, options: EvaluateOptions) -> Iterator[tuple[str, Sampler]]:
    """Yield the base's sampler, without the model's adapter, and the model's: memory may not hold both at once."""
    for name, adapter in ((base, None), (model, options.adapter)):
        if name:
            revision = options.revision or (run.revision_of(name) if run else None)
            yield name, open_sampler(part_of(options, SamplerOptions, model=name, revision=revision, adapter=adapter))


def _scorer(judge: str | None, run: Run | None, compares: bool) -> Judge | None:
    """The judge that is named, or that the run was made by; None where there is nothing to compare."""
    if not compares:
        if judge:
            raise InputError(f"--judge {judge} compares sampled answers with a base's", fix="give --base, not --greedy")
        return None
    settings = run.settings.get("judge") if run else None
    made_by: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
    name = judge or made_by.get("judge")
    scorer = open_judge(str(name)) if name else None
    if scorer and not judge and scorer.settings() != made_by:
        note(f"warning: the judge {scorer.name} is not what it was when the run was made")
    return scorer


def _check(thresholds: Sequence[Threshold], metrics: Collection[str], base: str | None) -> None:
    """Refuses a threshold that would be passed over in silence."""
    for threshold in thresholds:
        if not any(one.metric in metrics for one in threshold.each(metrics)):
            known = ", ".join(sorted(metric for metric in metrics if "/" not in metric))
            raise InputError(f"--threshold: {threshold.metric!r} is not measured here", fix=f"use one of {known}")
        if threshold.needs_base and not base:
            raise InputError(f"--threshold: {threshold.metric} {threshold} compares with a base", fix="give --base")


def _versions() -> Iterator[tuple[str, str]]:
    """Of what the answers hang on, as far as it is installed."""
    for name in ("pairforge", "transformers", "torch"):
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _draw(questions: list[Question], limit: int | None, seed: int) -> list[Question]:
    """At most `limit` of the questions, drawn with the seed, in their order."""
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit} asks nothing", fix="give a number above 0, or leave it out")
    if limit is None or limit >= len(questions):
        return questions
    return [questions[index] for index in sorted(random.Random(seed).sample(range(len(questions)), limit))]


def _find_run(run: str | None, model: str | None, output: str | None) -> Run | None:
    """The run that is named, or that the model stands in, or the latest."""
    if run:
        return Run.load(Path(run))
    if model and (Path(model).parent / "run.json").exists():
        return Run.load(Path(model).parent)
    return latest(out_dir(output))


def _models(model: str | None, base: str | None, run: Run | None) -> tuple[str, str | None]:
    """The model to evaluate and its base."""
    own = run.settings["model"] if run else "pocket"
    tuned = run.path / "model" if run else None
    if model is None:
        model = (tuned_on(run) if run else None) or own
    if base is None and tuned and Path(model).resolve() == tuned.resolve():
        base = own
    if base == model:
        raise InputError(f"the model and its base are both {model}", fix="give another --base, or none")
    return model, base


def _run_rules(run: Run | None) -> Mapping[str, str]:
    rules: Mapping[str, str] = {"Qwen": "Deep Qwen"} if run is None else run.settings.get("rules", {})
    return rules


def _run_contexts(run: Run | None) -> list[str | None]:
    return [None, HELPFUL] if run is None else list(run.settings["contexts"])
