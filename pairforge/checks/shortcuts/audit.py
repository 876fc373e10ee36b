"""The audit for shortcuts, from rows to report; and the same as a check that sees each row once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from ...errors import InputError
from ...readers.spool import RowSpool
from ...statistics import Share, wilson
from ...types import Finding
from ..arrays import Floats, Hashes, Ids, Mask
from ..row import Sides, well_shaped
from ..rule import Observer
from .baseline_classifier import cross_validate
from .counting import FeatureCounts, count, differs_in_term_only, numbered
from .extraction import ExtractedFeatures, escape_surrogates, extract_features
from .false_discovery_rate import control_families
from .feature_matrix import FeatureMatrix
from .features import Feature, Split, Words, as_written, occurrences, words
from .findings import BALANCED, cue_finding, grade, predictability_finding, predictability_level, worst_level
from .pair_sample import AnswerTable, AuditPair, PairSample, audit_pairs
from .plot import points
from .report import KIND_NAMES, Cue, Report, RiskLevel, SampleSize
from .selection import ForwardSelection, SelectedFeature, readability
from .significance import score_test, sign_test, two_sided_p, win_probabilities

_GRADES = ("critical", "high", "medium", "low")
_MOST_EXPLAINED, _FEWEST, _MOST_TEXTS = 20, 20, 300
_SIMILAR = 0.8
_CONTEXT_SHARE = 0.9
_LONGEST_PHRASE = 12
_Z90 = 1.645


def audit(
    rows: Iterable[Mapping[str, Any]],
    expect: Sequence[str] = (),
    *,
    level: float = 0.05,
    most: int | None = 20_000,
    jobs: int = 1,
    seed: int = 0,
    by: Split | None = None,
    fail_on: RiskLevel = "high",
) -> Report:
    """Test every word, phrase, word shape, first and last words, length and habit of style for being on one side only.

    Args:
        rows: Pairs of message lists. Rows that can be read only once are kept on disk meanwhile.
        expect: Terms that are meant to differ ("Deep Qwen"): reported apart, and not part of the verdict.
        level: The share of false findings that is allowed.
        most: Features are looked for in at most so many prompts (None: all), and counted in all rows.
        jobs: How many processes count them.
        seed: Draws the prompts.
        by: Splits texts into other tokens than words.
        fail_on: The verdict from which the report is not ok.

    Raises:
        InputError: A row is not a pair of message lists, no pair has two different answers, or a term is empty.
    """
    if not all(term.strip() for term in expect):
        raise InputError("a term that is expected is empty", fix="give a word or a phrase: --expect TERM")
    sample = PairSample(most, seed)
    with ExitStack() as stack:
        if iter(rows) is rows:
            rows = stack.enter_context(RowSpool(rows))
        for pair in audit_pairs(rows):
            sample.add(pair)
        return audit_sample(sample, lambda: audit_pairs(rows), expect, level, jobs, by, fail_on)


def audit_sample(
    sample: PairSample,
    all_pairs: Callable[[], Iterable[AuditPair]],
    expect: Sequence[str],
    level: float = 0.05,
    jobs: int = 1,
    by: Split | None = None,
    fail_on: RiskLevel = "high",
) -> Report:
    """Return the report on a sample, with what was found in it counted in all pairs; see `audit`."""
    pairs = sample.pairs()
    if not pairs:
        if not sample.rows:
            raise InputError("nothing to compare: no rows", fix="give a file with pairs")
        what = f"nothing to compare: all {sample.rows} rows have the same answer on both sides"
        raise InputError(what, fix="give pairs whose two answers differ")
    found = _SampleAnalysis(AnswerTable.of(pairs), expect, level, by)
    features = [found.matrix.lookup(one.feature) for one in found.selected]
    favours = [1 if found.z[one.feature] >= 0 else -1 for one in found.selected]
    counts, prompts = count(pairs if sample.whole else all_pairs(), features, favours, 1 if sample.whole else jobs, by)
    cues = [found.cue(*one) for one in zip(found.selected, features, counts, strict=True)]
    cues.sort(key=lambda cue: (not cue.intended, _GRADES.index(cue.grade), -cue.lift))
    return _report(found, sample, cues, prompts, fail_on)


class _SampleAnalysis:
    """The significant features of a sample, and which of them are selected; one observation a prompt."""

    def __init__(self, answers: AnswerTable, expect: Sequence[str], level: float, by: Split | None) -> None:
        self.answers, self.by = answers, by
        terms = list(dict.fromkeys(expect))
        self.extracted = extract_features(answers, terms, by)
        self.hashes = np.array(answers.prompt, dtype=np.uint64)
        prompt = numbered(self.hashes)
        matrix, prompts = self.extracted.matrix, int(prompt.max(initial=-1)) + 1
        if terms:
            explained = np.array([differs_in_term_only(terms, *pair) for pair in answers.pairs()])
            matrix = matrix.mask_pairs_explained_by_terms(explained)
        self.matrix = matrix.majority(prompt, prompts)
        wins, losses = self.matrix.count()
        total = wins + losses
        self.z = (wins - losses) / np.sqrt(np.maximum(total, 1))
        self.significant = control_families(sign_test(wins, losses), total, self.matrix.kind, level)
        similar = float(np.median(self.extracted.similarity)) > _SIMILAR
        self.lengths = None if similar else _length_differences(self.extracted, prompt, prompts)
        intended = np.flatnonzero(self.matrix.is_kind("term"))
        self.selected = ForwardSelection(self.matrix, self.significant, intended, self.lengths).run()

    def cue(self, selected: SelectedFeature, feature: Feature, counts: FeatureCounts) -> Cue:
        """Return the cue of a selected feature. A term may be balanced: in other prompts it is on the other side."""
        total = counts.wins + counts.losses
        coverage = total / max(1, counts.prompts)
        low, lift = wilson(counts.win_rate * total, total, _Z90)[0], coverage * (counts.win_rate - 0.5)
        z_adjusted, q_adjusted = self._adjusted(selected, feature)
        term = feature.kind == "term"
        p = float(sign_test(np.array([counts.wins]), np.array([counts.losses]))[0])
        return Cue(
            kind=feature.kind,
            feature=escape_surrogates(feature.name),
            phrase=escape_surrogates(self._phrase(selected, feature)),
            favours="chosen" if counts.wins >= counts.losses else "rejected",
            chosen_rate=counts.chosen_rate,
            rejected_rate=counts.rejected_rate,
            separates=total,
            coverage=coverage,
            win_rate=counts.win_rate,
            win_rate_low=low,
            lift=lift,
            p=p,
            q=p if term else float(self.significant.q[selected.feature]),
            z=float(self.z[selected.feature]),
            z_adjusted=z_adjusted,
            q_adjusted=q_adjusted,
            grade=grade(low, coverage, lift),
            intended=term,
            balanced=term and total > 0 and max(counts.wins, counts.losses) <= BALANCED * total,
            explains=self._explained(selected),
            examples=counts.examples,
            tokens=tuple(map(escape_surrogates, feature.tokens)),
        )

    def _adjusted(self, selected: SelectedFeature, feature: Feature) -> tuple[float | None, float | None]:
        """Return z and q given the difference of length."""
        if self.lengths is None or feature.kind == "length":
            return None, None
        one = self.matrix.select(np.array([selected.feature]))
        z = score_test(one, win_probabilities(self.lengths))
        kind = int(one.kind[0])
        tests = self.significant.tests.get(kind, 1) * self.significant.factor.get(kind, 1.0)
        return float(z[0]), min(1.0, float(two_sided_p(z)[0]) * tests)

    def _explained(self, selected: SelectedFeature) -> tuple[str, ...]:
        """Return the names of the features that a selected one explains, the most readable ones."""
        q = self.significant.q
        first = sorted(selected.explains, key=lambda one: (q[one], -abs(self.z[one])))[: 5 * _MOST_EXPLAINED]
        named = sorted(map(self.matrix.lookup, first), key=lambda one: readability(one)[0])
        return tuple(dict.fromkeys(one.name for one in named))[:_MOST_EXPLAINED]

    def _phrase(self, selected: SelectedFeature, feature: Feature) -> str:
        """Return a word with the words around it, as it is written in the pairs that it tells apart."""
        whole = feature.kind == "parts" and "-" not in feature.name
        if (feature.kind not in ("words", "first", "last") and not whole) or self.by:
            return feature.name
        matrix = self.extracted.matrix
        pairs = matrix.observation[matrix.feature == selected.feature][:_MOST_TEXTS]
        texts = [side[pair] for pair in pairs for side in (self.answers.chosen, self.answers.rejected)]
        texts = [text.lower() if whole else text for text in texts]
        return as_written(_with_context(feature.tokens, list(map(words, texts))), texts)


def _with_context(run: Words, texts: Sequence[Sequence[str]]) -> Words:
    """Return a run of words with those before and after its first occurrence in nine of ten texts that hold it."""
    while len(run) < _LONGEST_PHRASE:
        places = [(text, at) for text in texts for at in islice(occurrences(text, run), 1)]
        before = Counter(text[at - 1] if at else "" for text, at in places)
        after = Counter(text[end] if (end := at + len(run)) < len(text) else "" for text, at in places)
        least = max(2, _CONTEXT_SHARE * len(places))
        most = (found.most_common(1)[0] if found else ("", 0) for found in (before, after))
        (left, on_left), (right, on_right) = most
        if left and on_left >= max(least, on_right if right else 0):
            run = (left, *run)
        elif right and on_right >= least:
            run = (*run, right)
        else:
            break
    return run


def _length_differences(extracted: ExtractedFeatures, prompt: Ids, prompts: int) -> Floats:
    """Return signed differences of length, (prompts, 5): tanh and log ratio of characters and of words, sign."""
    columns = []
    for sizes in np.moveaxis(extracted.sizes, 2, 0):
        difference = sizes[:, 0] - sizes[:, 1]
        columns += [
            np.tanh(difference / max(1.0, float(difference.std()))),
            np.log1p(sizes[:, 0]) - np.log1p(sizes[:, 1]),
        ]
    columns.append(np.sign(columns[0]))
    count = np.bincount(prompt, minlength=prompts)
    return np.column_stack([np.bincount(prompt, weights=column, minlength=prompts) / count for column in columns])


def _report(found: _SampleAnalysis, sample: PairSample, cues: list[Cue], prompts: int, fail_on: RiskLevel) -> Report:
    matrix, prompt = found.extracted.matrix, found.hashes
    scores = cross_validate(matrix, prompt, ~(matrix.is_kind("term") | matrix.is_kind("parts")))
    accuracy = scores.accuracy()
    unintended = _unintended(matrix, prompt) if any(cue.intended for cue in cues) else accuracy
    level = predictability_level(unintended.interval[0]) if unintended else "ok"
    findings = [cue_finding(cue) for cue in cues]
    if unintended and level != "ok":
        findings.insert(0, predictability_finding(unintended, level))
    tested = sum(found.significant.tests.values())
    low, median, high = np.quantile(found.extracted.similarity, (0.1, 0.5, 0.9)).round(4).tolist()
    return Report(
        rows=sample.rows,
        prompts=prompts,
        identical=sample.identical,
        findings=findings,
        verdict=worst_level(level, (cue.grade for cue in cues if not cue.intended)),
        predictability=accuracy,
        unintended=unintended,
        by={kind: cross_validate(matrix, prompt, matrix.is_kind(kind)).accuracy() for kind in KIND_NAMES},
        sampled=SampleSize(found.matrix.observations, matrix.observations, sample.whole),
        tested=tested,
        sensitivity=math.ceil(math.log2(2 * max(1, tested) / found.significant.level)),
        similarity=(low, median, high),
        cues=cues,
        easiness=dict(zip(found.answers.row, scores.easiness().round(4).tolist(), strict=True)),
        points=points(found.matrix, found.significant, found.selected),
        threshold=found.significant.threshold(found.z),
        fail_on=fail_on,
    )


def _unintended(matrix: FeatureMatrix, prompt: Hashes) -> Share | None:
    """Return the accuracy of the baseline classifier over the pairs that no expected term tells apart."""
    term = matrix.is_kind("term")
    rest: Mask = np.ones(matrix.observations, bool)
    rest[matrix.observation[term[matrix.feature]]] = False
    if len(np.unique(prompt[rest])) < _FEWEST:
        return None
    return cross_validate(matrix, prompt, ~(term | matrix.is_kind("parts")), pairs=rest).accuracy(rest)


class ShortcutChecker(Observer):
    """Keeps a sample of the pairs that it is given, and reports at the end what tells their sides apart.

    `expect` names what is meant to differ; features are looked for and counted in at most `most` prompts.
    """

    def __init__(self, expect: Sequence[str] = (), *, most: int = 20_000) -> None:
        self.expect = tuple(expect)
        self._sample = PairSample(most)

    def see(self, index: int, row: Any) -> list[Finding]:
        """Take a row, and keep it if it is a pair. There is nothing to report before the end."""
        if well_shaped(row):
            self._sample.add(AuditPair.of(index, Sides.of(row)))
        return []

    def findings(self) -> Iterator[Finding]:
        """Yield as warnings what `pairforge shortcuts` reports from grade medium on."""
        report = self.report()
        for one in report.findings if report else ():
            if one.severity != "info":
                yield replace(one, severity="warning")

    def report(self) -> Report | None:
        """Return the report on the sample; None for fewer than 20 pairs."""
        if self._sample.kept_pairs < _FEWEST:
            return None
        return audit_sample(self._sample, self._sample.pairs, self.expect)
