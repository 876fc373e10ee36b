"""evaluate: ask a model held-out questions, judge the answers, and compare them with those of its base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from ..console import note
from ..errors import InputError
from ..evaluation.metrics import SAMPLED, Judged, with_suffix
from ..evaluation.questions import ModelNames, Question, label, questions
from ..evaluation.thresholds import ON_POLICY, THRESHOLDS, Threshold
from ..evaluation.verdict import Verdict, verdict
from ..options import EvaluateOptions, SamplerOptions, keywords, part_of
from ..repetition import repeats
from ..resources import installed_versions
from ..run import Run, latest, out_dir
from ..statistics import Wins, sample_indices
from ..store import Store
from ..types import Answer, Judge, Sampler, Skip, digest
from .correct import rules_of
from .inputs import run_folder
from .models import HELPFUL_SYSTEM_MESSAGE, answer, as_tuple, contexts_of, shared_sampler
from .onpolicy import open_judge

_SAMPLED_KINDS = ("identity", "general")  # of questions, also asked at temperature 1

AnswersById: TypeAlias = "Mapping[str, list[Answer] | Skip]"
"""Prompt id -> the answers of a model; the id with SAMPLED behind it -> those at temperature 1."""


@keywords(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> Verdict:
    """Ask a model the bundled held-out questions and judge the answers; with a base, also compare the two.

    All questions are asked greedily; those about the model itself and general ones also once at temperature 1, unless
    `greedy`. By default the model is the one that was trained on the latest run, or else the run's own; a trained model
    is compared with the run's. Names, contexts and judge are those of the run folder `run`, unless given: by default
    the folder that the model's is in, or else the latest run. `adapter` is the model's, not the base's. Without names
    only the other questions count. A threshold replaces the default for its metric.

    Raises InputError, also for a threshold that can't be applied.
    """
    if options.limit is not None and options.limit < 1:
        raise InputError(f"limit {options.limit} asks nothing", fix="give a number above 0, or leave it out")
    found = _find_run(options.run, options.model, options.output)
    model, base = _models(options.model, options.base, found)
    rules: Mapping[str, str] = found.settings.get("rules", {}) if found else {"Qwen": "Deep Qwen"}
    if options.from_ or options.to:
        rules = rules_of(options.from_ or (), options.to or ())
    contexts = contexts_of(options, list(found.settings["contexts"]) if found else [None, HELPFUL_SYSTEM_MESSAGE])
    sets, seed = questions(ModelNames(rules), contexts), options.seed
    drawn = {kind: [of[index] for index in sample_indices(len(of), options.limit, seed)] for kind, of in sets.items()}
    evaluation = Evaluation(drawn, at_temperature_1=not (options.greedy or options.replay))
    scorer = _scorer(options.judge, found, compares=bool(base and evaluation.at_temperature_1))
    given = _thresholds(options.thresholds, evaluation.metrics | ({"win_rate"} if scorer else set()), base)
    with closing(Store(out_dir(options.output))) as store:
        samplers = _samplers(model, base, found, options)
        answers = {name: evaluation.answers(sampler, store, options.quiet) for name, sampler in samplers}
        after, before, wins = evaluation.judge(answers[model], answers[base] if base else None, scorer, store)
    about: dict[str, Any] = {"model": model, "base": base, "rules": dict(rules), "contexts": [*map(label, contexts)]}
    about |= {"judge": scorer.name} if scorer else {}
    about |= {"temperatures": [0, 1] if evaluation.at_temperature_1 else [0], "seed": seed}
    about |= {"versions": installed_versions("pairforge", "transformers", "torch")}
    counts = {kind: (len(drawn[kind]), len(sets[kind])) for kind in sets}
    applied = (*given, *(ON_POLICY if scorer else ()), *THRESHOLDS)
    return verdict(after, before, wins=wins, thresholds=applied, asked=counts, about=about)


@dataclass(frozen=True)
class Evaluation:
    """The questions by kind; some kinds are also asked at temperature 1."""

    questions: Mapping[str, Sequence[Question]]
    at_temperature_1: bool

    @cached_property
    def asked(self) -> list[tuple[Question, str]]:
        """Each question with the suffix of its metrics: none if it is asked greedily, SAMPLED at temperature 1."""
        kinds = [(kind, "") for kind in self.questions]
        kinds += [(kind, SAMPLED) for kind in _SAMPLED_KINDS if self.at_temperature_1 and kind in self.questions]
        return [(question, suffix) for kind, suffix in kinds for question in self.questions[kind]]

    @cached_property
    def metrics(self) -> set[str]:
        """The names of all metrics of these questions."""
        names = {with_suffix(metric, suffix) for question, suffix in self.asked for metric in question.tests}
        return names | {"repetition", "unanswered"}

    def answers(self, sampler: Sampler, store: Store, quiet: bool) -> AnswersById:
        """Ask the model; answers in the evidence store are not asked for again."""
        answers: dict[str, list[Answer] | Skip] = {}
        for suffix, more in (("", ""), (SAMPLED, ", temperature 1")):
            if prompts := [question.prompt for question, of in self.asked if of == suffix]:
                decoding = sampler.with_decoding(temperature=1.0) if suffix else sampler
                given = answer(prompts, decoding, 1, store, f"evaluate: {sampler.model}{more}", quiet)
                answers |= {name + suffix: found for name, found in given.items()}
        return answers

    def judge(
        self, after: AnswersById, before: AnswersById | None, scorer: Judge | None, store: Store
    ) -> tuple[Judged, Judged | None, Wins | None]:
        """Judge the answers of the model and of its base; with a scorer, also count which of the two are better."""
        judged = self._outcomes(after)
        if not (before and scorer):
            return judged, self._outcomes(before) if before else None, None
        differences = dict(self._score_differences(after, before, scorer, store))
        for key, score in differences.items():  # a judge that doesn't apply to a question has not failed on it
            judged["unanswered"][f"{key}@judge"] = isinstance(score, Skip) and score.reason == "unjudged"
        scored = [difference for difference in differences.values() if not isinstance(difference, Skip)]
        if not scored:
            why = next((skip.detail for skip in differences.values() if isinstance(skip, Skip)), "nothing was asked")
            raise InputError(f"the judge {scorer.name} scored no answer: {why}", fix="name another with --judge")
        wins = Wins(sum(score > 0 for score in scored), sum(score < 0 for score in scored), len(scored))
        return judged, self._outcomes(before), wins

    def _outcomes(self, answers: AnswersById) -> dict[str, dict[str, bool | Skip]]:
        """Judge every answer for each metric that it counts for."""
        judged = defaultdict[str, dict[str, bool | Skip]](dict)
        for question, suffix in self.asked:
            name = question.prompt.id
            found = answers[name + suffix]
            for metric, test in question.tests.items():
                judged[with_suffix(metric, suffix)][name] = found if isinstance(found, Skip) else test(found[0].text)
            judged["repetition"][name + suffix] = found if isinstance(found, Skip) else repeats(found[0].text)
            judged["unanswered"][name + suffix] = isinstance(found, Skip)
        return judged

    def _score_differences(
        self, after: AnswersById, before: AnswersById, judge: Judge, store: Store
    ) -> Iterator[tuple[str, float | Skip]]:
        """Yield for each general question the score of the sampled answer after, less that of the one before.

        Scores in the evidence store are not asked for again.
        """
        known = store.scores(judge.settings())
        for prompt in (question.prompt for question in self.questions["general"]):
            pair = after[prompt.id + SAMPLED], before[prompt.id + SAMPLED]
            if skip := next((given for given in pair if isinstance(given, Skip)), None):
                yield prompt.id, skip
                continue
            texts = [given[0].text for given in pair if not isinstance(given, Skip)]
            name = digest([prompt.id, prompt.columns])  # under which a run keeps its scores
            scores: dict[str, float | Skip] = {
                text: known[name, key] for text in texts if (name, key := digest(text)) in known
            }
            if missing := [text for text in dict.fromkeys(texts) if text not in scores]:
                scores.update(zip(missing, judge.score(prompt, missing), strict=True))
                new = {text: score for text in missing if not isinstance(score := scores[text], Skip)}
                store.add_scores(judge.settings(), name, new)
            now, was = (scores[text] for text in texts)
            yield prompt.id, now if isinstance(now, Skip) else was if isinstance(was, Skip) else now - was


def _samplers(model: str, base: str | None, run: Run | None, options: EvaluateOptions) -> Iterator[tuple[str, Sampler]]:
    """Yield the base's sampler, without the model's adapter, and the model's: memory may not hold both at once."""
    for name, adapter in ((base, None), (model, options.adapter)):
        if name:
            revision = options.revision or (run.revision_of(name) if run else None)
            yield name, shared_sampler(part_of(options, SamplerOptions, model=name, revision=revision, adapter=adapter))


def _scorer(judge: str | None, run: Run | None, compares: bool) -> Judge | None:
    """Open the given judge, or the one that made the run; None if there is nothing to compare."""
    if not compares:
        if judge:
            raise InputError(f"--judge {judge} compares sampled answers with a base's", fix="give --base, not --greedy")
        return None
    made_by = run.settings.get("judge") if run else None
    name = judge or (made_by.get("judge") if isinstance(made_by, Mapping) else None)
    scorer = open_judge(str(name)) if name else None
    if scorer and not judge and scorer.settings() != made_by:
        note(f"warning: the judge {scorer.name} has changed since the run was made")
    return scorer


def _thresholds(texts: str | Sequence[str], metrics: set[str], base: str | None) -> list[Threshold]:
    """Parse thresholds; refuse one that would have no effect."""
    thresholds = [Threshold.read(text) for text in as_tuple(texts)]
    for threshold in thresholds:
        if not any(one.metric in metrics for one in threshold.each(metrics)):
            known = ", ".join(sorted(metric for metric in metrics if "/" not in metric))
            raise InputError(f"--threshold: {threshold.metric!r} is not measured here", fix=f"use one of {known}")
        if threshold.needs_base and not base:
            raise InputError(f"--threshold: {threshold.metric} {threshold} compares with a base", fix="give --base")
    return thresholds


def _find_run(run: str | None, model: str | None, output: str | None) -> Run | None:
    """Load the given run, or the one that the model's folder is in, or the latest."""
    if run:
        return Run.load(run_folder(run, output))
    if model and (Path(model).parent / "run.json").exists():
        return Run.load(Path(model).parent)
    return latest(out_dir(output))


def _models(model: str | None, base: str | None, run: Run | None) -> tuple[str, str | None]:
    """Return the model to evaluate and its base."""
    own = run.settings["model"] if run else "pocket"
    if model is None:
        model = str(run.trained[-1].path) if run and run.trained else own
    if base is None and run and Path(model).resolve() in [one.path.resolve() for one in run.trained]:
        base = own
    if base == model:
        raise InputError(f"the model and its base are both {model}", fix="give another --base, or none")
    return model, base
