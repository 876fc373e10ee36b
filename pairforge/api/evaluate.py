"""evaluate: ask a model held-out questions, judge the answers, and compare them with those of its base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from ..console import note
from ..disk import write_json_lines
from ..errors import InputError
from ..evaluation.changes import COMPARED, KINDS, length_ratio
from ..evaluation.failing_answers import BY_JUDGE, failing_answers
from ..evaluation.metrics import CHANGES, MORE_IS_BETTER, NEED_NAMES, SAMPLED, Judged, Measured, base_name, with_suffix
from ..evaluation.questions import Question
from ..evaluation.suites import check_suites, suite_outcomes
from ..evaluation.thresholds import MINIMUM, ON_POLICY, SUITES, THRESHOLDS, Condition, Threshold
from ..evaluation.verdict import Verdict, verdict
from ..options.asking import EvaluateOptions
from ..options.declaration import as_tuple, keywords, part_of
from ..options.sampling import SamplerOptions
from ..pairers import cut_off
from ..repetition import repeats
from ..resources import installed_versions
from ..run import out_dir
from ..stages import judge_groups
from ..statistics import Wins, sample_indices
from ..store import Store
from ..text import did_you_mean, escaped, plural
from ..types import Answer, AnswerGroup, Ask, Judge, Sampler, Skip
from .evaluation_inputs import Comparison, find_comparison
from .inputs import check_output
from .models import NO_SYSTEM_ROLE, answer, as_asked, asking, named_by, shared_sampler
from .onpolicy import BUILT_IN, open_judge, try_judge

FAILURES = "failures.jsonl"
"""The file with the answers that count against a failed threshold."""
_SAMPLED_KINDS = ("identity", "general")  # of questions, also asked at temperature 1
_AGAIN = "@again"

AnswersById: TypeAlias = "Mapping[str, list[Answer] | Skip]"
"""Prompt id -> the answers of a model; the id with SAMPLED behind it -> those at temperature 1; with _AGAIN -> those of
another seed."""
AnsweredQuestion: TypeAlias = "tuple[Question, list[Answer] | Skip, list[Answer] | Skip | None]"
"""A question, the model's answer, and the base's."""


@keywords(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> Verdict:
    """Ask a model the bundled held-out questions and judge the answers; with a base, also compare the two.

    All questions are asked greedily; those about the model itself and general ones also once at temperature 1, unless
    `greedy`. By default the model is the one that was trained last on the latest run. Base, names and contexts are
    those of the options, of `run`, of the `verdict.json` in the model's folder, or of the run that this folder is in;
    of the latest run only where no model is given. The judge is `judge`, or the built-in one of the run. `adapter` is
    the model's, not the base's. A threshold replaces the default for its metric. Answers that count against a failed
    threshold are written to `failures.jsonl` under `output`, in place of those of the evaluation before.

    Raises InputError, also for a threshold that can't be applied.
    """
    file = Path(options.failures) if options.failures else out_dir(options.output) / FAILURES
    return write_failures(_judged(options), file, keep_empty=bool(options.failures))


@keywords(EvaluateOptions)
def judged(options: EvaluateOptions) -> Verdict:
    """Return the same as `evaluate`, and write no failing answers."""
    return _judged(options)


def _judged(options: EvaluateOptions) -> Verdict:
    compared = find_comparison(options)
    model, base = compared.model, compared.base
    sets, seed = compared.questions(), options.seed
    if options.replay:
        sets = {kind: of for kind, of in sets.items() if kind not in KINDS}
    drawn = _drawn(sets, options.limit, seed)
    evaluation = Evaluation(drawn, at_temperature_1=not (options.greedy or options.replay))
    suites = _suites(options)
    scorer = _scorer(options, compared, compares=bool(base and evaluation.at_temperature_1))
    known = (evaluation.metrics | ({"win_rate"} if scorer else set())) - (set() if base else {*COMPARED})
    given = _thresholds(options.thresholds, known, suites, compared)
    if options.failures:
        check_output(Path(options.failures), (".jsonl",), overwrite=None, option="--failures ")
    samplers = _open_samplers(compared, options)
    if unable := [name for name, one in samplers.items() if not one.takes_system()]:
        compared = replace(compared, contexts=[None])
        sets = {kind: of for kind, of in compared.questions().items() if all(one.prompt.system is None for one in of)}
        drawn = _drawn(sets, options.limit, seed)
        evaluation = replace(evaluation, questions=drawn)
        said = NO_SYSTEM_ROLE.format(escaped(unable[0]))
        note(f"{said}: asked are questions without one, and obedience is not measured")
    if not options.quiet:
        note(escaped(str(compared)))
        if options.limit is not None and options.limit < MINIMUM:
            few = plural(options.limit, "question")
            note(f"{few} of each kind: fewer than {MINIMUM} give neither PASS nor FAIL")
    if scorer:
        try_judge(scorer, [question.prompt for question in drawn["general"]])
    with closing(Store(out_dir(options.output))) as store:
        answers: dict[str, AnswersById] = {}
        of_suites: dict[str, Judged] = {}
        for name, one in _each_ready(samplers):
            again = seed + 1 if name == (base or model) else None
            answers[name] = evaluation.answers(one, store, options.quiet, again)
            of_suites[name] = suite_outcomes(one, suites, options.limit, store) if suites else {}
        ask = asking(store, "evaluate: judge", options.quiet)
        after, before, wins = evaluation.judge(answers[model], answers[base] if base else None, scorer, store, ask)
    about = compared.as_json() | ({"judge": scorer.name} if scorer else {})
    about |= {"temperatures": [0, 1] if evaluation.at_temperature_1 else [0], "seed": seed}
    about |= {"versions": installed_versions("pairforge", "transformers", "torch")}
    counts = {kind: (len(drawn[kind]), len(sets[kind])) for kind in sets}
    defaults = (*(ON_POLICY if scorer else ()), *THRESHOLDS) if base or compared.rules else ()
    defaults += tuple(replace(SUITES, metric=metric) for metric in of_suites[model])
    about |= evaluation.lengths(answers[model], answers[base]) if base else {}
    second = evaluation.outcomes_again(answers[base]) if base else None
    after, before = {**after, **of_suites[model]}, {**before, **of_suites[base]} if before and base else before
    found = verdict(after, before, wins=wins, again=second, thresholds=(*given, *defaults), asked=counts, about=about)
    failing = failing_answers(
        _rules(found, every=bool(options.failures)),
        Measured(after, before, wins, second),
        evaluation.with_answers(answers[model], answers[base] if base else {}),
    )
    return replace(found, failing=failing)


def _drawn(sets: Mapping[str, Sequence[Question]], limit: int | None, seed: int) -> dict[str, list[Question]]:
    """Return a random sample of the questions of each kind."""
    return {kind: [of[index] for index in sample_indices(len(of), limit, seed)] for kind, of in sets.items()}


@dataclass(frozen=True)
class Evaluation:
    """The questions by kind; some kinds are also asked at temperature 1."""

    questions: Mapping[str, Sequence[Question]]
    at_temperature_1: bool

    @cached_property
    def asked(self) -> list[tuple[Question, str]]:
        """Each question with the suffix of its metrics: none if it is asked greedily, SAMPLED at temperature 1."""
        kinds = [(kind, "") for kind in self.questions if kind not in KINDS or not self.at_temperature_1]
        kinds += [
            (kind, SAMPLED) for kind in (*_SAMPLED_KINDS, *KINDS) if self.at_temperature_1 and kind in self.questions
        ]
        return [(question, suffix) for kind, suffix in kinds for question in self.questions[kind]]

    @cached_property
    def metrics(self) -> set[str]:
        """The names of all metrics of these questions."""
        names = {_metric(metric, suffix) for question, suffix in self.asked for metric in question.tests}
        return names | {"repetition", "unanswered"} | ({*COMPARED} if self.others else set())

    @cached_property
    def others(self) -> list[tuple[Question, str]]:
        """Of `asked`, the questions that show what else has changed."""
        ids = {question.prompt.id for kind in KINDS for question in self.questions.get(kind, ())}
        return [(question, suffix) for question, suffix in self.asked if question.prompt.id in ids]

    def answers(self, sampler: Sampler, store: Store, quiet: bool, again: int | None = None) -> AnswersById:
        """Ask the model; answers in the evidence store are not asked for again.

        `again` is the seed with which it is asked once more what shows what else has changed, unless greedily.
        """
        answers: dict[str, list[Answer] | Skip] = {}
        for suffix, more in (("", ""), (SAMPLED, ", temperature 1")):
            if prompts := [question.prompt for question, of in self.asked if of == suffix]:
                decoding = sampler.with_decoding(temperature=1.0) if suffix else sampler
                given = answer(prompts, decoding, 1, store, f"evaluate: {sampler.model}{more}", quiet)
                answers |= {name + suffix: _whole_thought(found) for name, found in given.items()}
        if again is not None and self.at_temperature_1 and self.others:
            prompts = [question.prompt for question, _ in self.others]
            second = sampler.with_decoding(temperature=1.0, seed=again)
            given = answer(prompts, second, 1, store, f"evaluate: {sampler.model}, another seed", quiet)
            answers |= {name + _AGAIN: _whole_thought(found) for name, found in given.items()}
        return answers

    def with_answers(self, after: AnswersById, before: AnswersById) -> dict[str, AnsweredQuestion]:
        """Return the question, the model's answer, and the base's if there is one, for each id of judged answers."""
        ids = {question.prompt.id + suffix: question for question, suffix in self.asked}
        return {name: (question, after[name], before.get(name)) for name, question in ids.items()}

    def judge(
        self, after: AnswersById, before: AnswersById | None, scorer: Judge | None, store: Store, ask: Ask
    ) -> tuple[Judged, Judged | None, Wins | None]:
        """Judge the answers of the model and of its base; with a scorer, also count which of the two are better."""
        judged = self._outcomes(after, before)
        if not (before and scorer):
            return judged, self._outcomes(before, before) if before else None, None
        differences = dict(self._score_differences(after, before, scorer, store, ask))
        for key, score in differences.items():  # a judge that doesn't apply to a question has not failed on it
            judged["unanswered"][key + BY_JUDGE] = isinstance(score, Skip) and score.reason == "unjudged"
            if score and not isinstance(score, Skip):
                judged["win_rate"][key] = score > 0
        scored = [difference for difference in differences.values() if not isinstance(difference, Skip)]
        if not scored:
            why = next((skip.detail for skip in differences.values() if isinstance(skip, Skip)), "nothing was asked")
            raise InputError(f"the judge {scorer.name} scored no answer: {why}", fix="name another with --judge")
        wins = Wins(sum(score > 0 for score in scored), sum(score < 0 for score in scored), len(scored))
        return judged, self._outcomes(before, before), wins

    def outcomes_again(self, base: AnswersById) -> Judged:
        """Judge the base's second answers for each metric of what else has changed, for which they stand alone."""
        judged = defaultdict[str, dict[str, bool | Skip]](dict)
        for question, suffix in self.others:
            given = _second(question, suffix, base)
            for metric, test in question.tests.items():
                name = question.prompt.id + suffix
                judged[metric][name] = given if isinstance(given, Skip) else test(given[0].text)
        return judged

    def lengths(self, after: AnswersById, base: AnswersById) -> dict[str, Any]:
        """Return how many times as long as the base's second answers those of the model are, and its own first ones."""
        found = {}
        for name, answers in (("length_ratio", after), ("length_noise", base)):
            both = [(answers[q.prompt.id + suffix], _second(q, suffix, base)) for q, suffix in self.others]
            texts = [(a[0].text, b[0].text) for a, b in both if isinstance(a, list) and isinstance(b, list)]
            found[name] = length_ratio(texts)
        return {name: ratio for name, ratio in found.items() if ratio}

    def _outcomes(self, answers: AnswersById, base: AnswersById | None) -> dict[str, dict[str, bool | Skip]]:
        """Judge every answer for each metric that it counts for, also those that compare it with the base's."""
        judged = defaultdict[str, dict[str, bool | Skip]](dict)
        for question, suffix in self.asked:
            name = question.prompt.id + suffix
            found = answers[name]
            for metric, test in question.tests.items():
                judged[_metric(metric, suffix)][name] = found if isinstance(found, Skip) else test(found[0].text)
            judged["repetition"][name] = found if isinstance(found, Skip) else repeats(found[0].text)
            judged["unanswered"][name] = isinstance(found, Skip)
        for question, suffix in self.others if base else ():
            name = question.prompt.id + suffix
            pair = answers[name], _second(question, suffix, base or {})
            skip = next((given for given in pair if isinstance(given, Skip)), None)
            texts = [given[0].text for given in pair if not isinstance(given, Skip)]
            for metric, differs in COMPARED.items():
                judged[metric][name] = skip or differs(*texts)
        return judged

    def _score_differences(
        self, after: AnswersById, before: AnswersById, judge: Judge, store: Store, ask: Ask
    ) -> Iterator[tuple[str, float | Skip]]:
        """Yield for each general question the score of the sampled answer after, less that of the one before.

        Scores in the evidence store are not asked for again.
        """
        general = {question.prompt.id: question.prompt for question in self.questions["general"]}
        pairs = {name: (after[name + SAMPLED], before[name + SAMPLED]) for name in general}
        texts = {name: [given[0].text for given in pair if not isinstance(given, Skip)] for name, pair in pairs.items()}
        groups = [AnswerGroup(general[name], [*dict.fromkeys(both)]) for name, both in texts.items() if len(both) == 2]
        judged = judge_groups(groups, judge, store, ask)
        scores = {group.prompt.id: found for group, found in zip(groups, judged, strict=True)}
        for name, pair in pairs.items():
            if skip := next((given for given in pair if isinstance(given, Skip)), None):
                yield name + SAMPLED, skip
                continue
            now, was = (scores[name][text] for text in texts[name])
            yield name + SAMPLED, now if isinstance(now, Skip) else was if isinstance(was, Skip) else now - was


def _whole_thought(given: list[Answer] | Skip) -> list[Answer] | Skip:
    """Return the answers; a Skip in place of one that was cut off within its thought."""
    return cut_off(given[0]) if isinstance(given, list) and given[0].finish == "length" and not given[0].text else given


def _metric(metric: str, suffix: str) -> str:
    return metric if metric in CHANGES else with_suffix(metric, suffix)


def _second(question: Question, suffix: str, base: AnswersById) -> list[Answer] | Skip:
    """Return the base's answer with another seed, or its only one where it was asked greedily."""
    name = question.prompt.id
    return base.get(name + _AGAIN) or base[name + suffix]


def _open_samplers(compared: Comparison, options: EvaluateOptions) -> dict[str, Sampler]:
    """Return the base's sampler, without the model's adapter, and the model's, by name; nothing is loaded yet."""
    opened = dict[str, Sampler]()
    for flag, name, adapter in (("--base ", compared.base, None), ("-m ", compared.model, options.adapter)):
        if name is None:
            continue
        asked = {option: value for option, value in compared.asked.get(name, {}).items() if option != "revision"}
        given = part_of(options, SamplerOptions, model=name, revision=compared.revisions.get(name), adapter=adapter)
        with named_by(flag):
            opened[name] = shared_sampler(as_asked(given, asked), options.quiet)
    return opened


def _each_ready(samplers: dict[str, Sampler]) -> Iterator[tuple[str, Sampler]]:
    """Take out one sampler after the other, as memory may not hold the weights of both at once.

    Settings and tokenizers are read before, so that what is missing is known before anything is asked.
    """
    for sampler in samplers.values():
        sampler.settings()
        sampler.inserted_system()
    for name in [*samplers]:
        yield name, samplers.pop(name)


def _scorer(options: EvaluateOptions, compared: Comparison, compares: bool) -> Judge | None:
    """Open the given judge, or the built-in one that made the run; None if there is nothing to compare.

    Code is run only where the user names it: what a file names is data.
    """
    judge, made_by = options.judge, compared.judge
    if not compares:
        if judge:
            fix = "give --base" if not compared.base else "leave --greedy and --replay out"
            raise InputError(f"--judge {judge} compares sampled answers with those of a base", fix=fix)
        return None
    if made_by and not judge and made_by != BUILT_IN:
        shown = escaped(made_by)
        note(f"warning: no win rate: {shown}, the judge of the run, is run only where you name it: --judge {shown}")
        return None
    named = judge or made_by
    scorer = open_judge(named) if named else None
    if scorer and scorer.name == made_by and compared.judge_settings not in ({}, scorer.settings()):
        note(f"warning: the judge {scorer.name} has changed since the run was made")
    return scorer


def _suites(options: EvaluateOptions) -> list[str]:
    """Return the outside suites that are asked for. Raises InputError where they can't be asked."""
    if options.suite and (options.base_url or options.provider or options.replay):
        fix = "leave --suite out; for a server: lm-eval run --model local-chat-completions"
        raise InputError("--suite needs a model that is loaded here", fix=fix)
    return check_suites(options.suite)


def _rules(found: Verdict, every: bool) -> dict[str, Condition]:
    """Return the rules by which failing answers are looked for: those of failed metrics, or of every metric."""
    rules: dict[str, Condition] = {name: found.checks[name].threshold.rule for name in found.failed}
    for name in (name for name in found.shares if every and "/" not in name and name not in rules):
        check = found.checks.get(name)
        rules[name] = check.threshold.rule if check else "at least" if base_name(name) in MORE_IS_BETTER else "at most"
    return rules


def write_failures(found: Verdict, file: Path, keep_empty: bool = False) -> Verdict:
    """Write the failing answers, each a line; where there are none, remove those of an earlier evaluation."""
    if not found.failing and not keep_empty:
        with suppress(OSError):
            file.unlink()
        return found
    write_json_lines(file, (answer.as_json() for answer in found.failing))
    return replace(found, failures=str(file))


def _thresholds(
    texts: str | Sequence[str], metrics: set[str], suites: Sequence[str], compared: Comparison
) -> list[Threshold]:
    """Parse thresholds; refuse one that would have no effect."""
    thresholds = [Threshold.read(text) for text in as_tuple(texts)]
    for index, threshold in enumerate(thresholds):
        if threshold.metric in [earlier.metric for earlier in thresholds[:index]]:
            raise InputError(f"--threshold: {threshold.metric} is given twice", fix="give each metric one threshold")
        of_suite = any(threshold.metric.startswith(f"{Path(name).stem} ") for name in suites)
        if not of_suite and not any(one.metric in metrics for one in threshold.each(metrics)):
            known = sorted(metric for metric in metrics if "/" not in metric)
            fix = did_you_mean(threshold.metric, metrics) or f"measured are {', '.join(known)}"
            if not compared.rules and base_name(threshold.metric) in NEED_NAMES:
                fix = "without names nothing can be looked for: give --from and --to"
            raise InputError(f"--threshold: {threshold.metric!r} is not measured here", fix=fix)
        if threshold.needs_base and not compared.base:
            raise InputError(f"--threshold: {threshold.metric} {threshold} compares with a base", fix="give --base")
    return thresholds
