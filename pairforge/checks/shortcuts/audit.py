"""A word with the words that stand around it wherever it tells the sides apart.

The audit from rows to report.
Shortcuts as warnings, for a check that sees the rows pass by once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from ...errors import InputError
from ...types import Finding
from ..row import Sides, well_shaped
from ..rule import Observer
from .baseline_classifier import BaselineScores, read
from .counting import Tally, count, told_by
from .extraction import Noticed, notice
from .false_discovery_rate import Discoveries, families
from .feature_matrix import FeatureMatrix, Floats, Ints, Mask
from .features import Feature, Split, Words, phrase, places, sound, words
from .findings import BALANCED, finding, grade, predictability, reader_finding, verdict
from .pair_sample import AnswerTable, AuditPair, PairSample, ReplayableRows
from .plot import points
from .report import Cue, Report, SampleSize, Severity3, ShareInterval
from .selection import Search, SelectedFeature, plainness
from .significance import chances, score_test, sign_test, two_sided, wilson

_SHARE = 0.9
_LONGEST = 12


def extended(run: Words, texts: Sequence[Sequence[str]]) -> Words:
    """The run grown to both sides by what stands around its first place in nine of ten texts that hold it."""
    while len(run) < _LONGEST:
        before, after, total = Counter[str](), Counter[str](), 0
        for text in texts:
            for at in islice(places(text, run), 1):
                total += 1
                before[text[at - 1] if at else ""] += 1
                after[text[at + len(run)] if at + len(run) < len(text) else ""] += 1
        (left, on_left), (right, on_right) = (
            found.most_common(1)[0] if total else ("", 0) for found in (before, after)
        )
        if left and on_left >= max(2, _SHARE * total) and on_left >= (on_right if right else 0):
            run = (left, *run)
        elif right and on_right >= max(2, _SHARE * total):
            run = (*run, right)
        else:
            break
    return run


_CHILDREN, _FEWEST, _LOOKED_AT = 20, 20, 300
_ALIKE = 0.8
_WORST = ("critical", "high", "medium", "low")


@dataclass(frozen=True)
class Settings:
    """What an audit can be asked for; see `pairforge.checks.shortcuts.audit`."""

    expect: Sequence[str] = ()
    level: float = 0.05
    most: int | None = 20_000
    jobs: int = 1
    seed: int = 0
    by: Split | None = None
    fail_on: Severity3 = "high"


def audit(rows: Iterable[Mapping[str, Any]], settings: Settings) -> Report:
    """Reads the rows, and once more where the sample does not hold them all."""
    sample = PairSample(settings.most, settings.seed)
    with ReplayableRows(rows) as source:
        for pair in source.first():
            sample.add(pair)
        return examine(sample, settings, source.again)


def examine(sample: PairSample, settings: Settings, again: Callable[[], Iterable[AuditPair]]) -> Report:
    """The report on a sample, with what was found in it counted in all pairs."""
    answers = sample.answers()
    if not answers.chosen:
        same = f": all {sample.rows} rows have the same answer on both sides" if sample.rows else ": no rows"
        raise InputError(f"nothing to compare{same}", fix="see: pairforge validate")
    found = _Found(answers, settings)
    features = [found.votes.features[root.feature] for root in found.roots]
    favours = [1 if found.z[root.feature] >= 0 else -1 for root in found.roots]
    jobs = 1 if sample.whole else settings.jobs
    tallies, prompts = count(sample.pairs() if sample.whole else again(), features, favours, jobs, settings.by)
    cues = sorted(map(found.cue, found.roots, tallies), key=_first)
    return _report(found, sample, cues, prompts)


class _Found:
    """What was found in the sample."""

    def __init__(self, answers: AnswerTable, settings: Settings) -> None:
        self.answers, self.settings = answers, settings
        terms = list(dict.fromkeys(settings.expect))
        self.noticed = notice(answers, terms, settings.by)
        self.prompt = np.array(answers.prompt, dtype=np.int64)
        told = np.array([bool(terms) and told_by(terms, a, b) for a, b in answers.pairs()], np.bool_)
        units = int(self.prompt.max(initial=-1)) + 1
        self.votes = self.noticed.votes.left_to_terms(told).by(self.prompt, units)
        wins, losses = self.votes.count()
        self.wins, self.total = wins, wins + losses
        self.p = sign_test(wins, losses)
        self.z = (wins - losses) / np.sqrt(np.maximum(self.total, 1))
        self.significant: Discoveries = families(self.p, self.total, self.votes.kind, settings.level)
        alike = float(np.median(self.noticed.similarity)) > _ALIKE
        self.lengths = None if alike else _lengths(self.noticed, self.prompt, units)
        intended = np.flatnonzero(self.votes.of("term"))
        self.roots = Search(self.votes, self.significant, intended, self.lengths).run()

    def cue(self, root: SelectedFeature, tally: Tally) -> Cue:
        """The cue of a root. A term may be balanced: it stands against itself in other prompts."""
        feature, total = self.votes.features[root.feature], tally.wins + tally.losses
        coverage = total / max(1, tally.units)
        low, lift = wilson(tally.win_rate * total, total, 1.645)[0], coverage * (tally.win_rate - 0.5)
        z_adjusted, q_adjusted = self._adjusted(root, feature)
        term = feature.kind == "term"
        p = float(sign_test(np.array([tally.wins]), np.array([tally.losses]))[0])
        return Cue(
            kind=feature.kind,
            feature=sound(feature.name),
            phrase=sound(self._phrase(root, feature)),
            favours="chosen" if tally.wins >= tally.losses else "rejected",
            chosen_rate=tally.chosen_rate,
            rejected_rate=tally.rejected_rate,
            separates=total,
            coverage=coverage,
            win_rate=tally.win_rate,
            win_rate_low=low,
            lift=lift,
            p=p,
            q=p if term else float(self.significant.q[root.feature]),
            z=float(self.z[root.feature]),
            z_adjusted=z_adjusted,
            q_adjusted=q_adjusted,
            grade=grade(low, coverage, lift),
            intended=term,
            balanced=term and total > 0 and max(tally.wins, tally.losses) <= BALANCED * total,
            explains=self._children(root),
            examples=tally.examples,
            tokens=tuple(map(sound, feature.tokens)),
        )

    def _adjusted(self, root: SelectedFeature, feature: Feature) -> tuple[float | None, float | None]:
        """z and q once the difference of length is known."""
        if self.lengths is None or feature.kind == "length":
            return None, None
        one = self.votes.only(np.array([root.feature]))
        z = score_test(one, chances(self.lengths))
        kind = int(one.kind[0])
        tests = self.significant.tests.get(kind, 1) * self.significant.factor.get(kind, 1.0)
        return float(z[0]), min(1.0, float(two_sided(z)[0]) * tests)

    def _children(self, root: SelectedFeature) -> tuple[str, ...]:
        q = self.significant.q
        first = sorted(root.children, key=lambda child: (q[child], -abs(self.z[child])))[: 5 * _CHILDREN]
        named = sorted((self.votes.features[child] for child in first), key=lambda one: plainness(one)[0])
        return tuple(dict.fromkeys(one.name for one in named))[:_CHILDREN]

    def _phrase(self, root: SelectedFeature, feature: Feature) -> str:
        """The words around a word, in the pairs that it tells apart."""
        whole = feature.kind == "parts" and "-" not in feature.name
        if (feature.kind not in ("words", "first", "last") and not whole) or self.settings.by:
            return feature.name
        units = self.noticed.votes.unit[self.noticed.votes.feature == root.feature][:_LOOKED_AT]
        texts = [side[unit] for unit in units for side in (self.answers.chosen, self.answers.rejected)]
        return phrase(extended(feature.tokens, [words(text.lower() if whole else text) for text in texts]))


def _lengths(noticed: Noticed, prompt: Ints, prompts: int) -> Floats:
    """Signed differences of length per prompt, (prompts, 5): tanh and log ratio of characters and of words, sign."""
    columns = []
    for sizes in np.moveaxis(noticed.sizes, 2, 0):
        difference = sizes[:, 0] - sizes[:, 1]
        columns += [
            np.tanh(difference / max(1.0, float(difference.std()))),
            np.log1p(sizes[:, 0]) - np.log1p(sizes[:, 1]),
        ]
    columns.append(np.sign(columns[0]))
    count = np.bincount(prompt, minlength=prompts)
    return np.column_stack([np.bincount(prompt, weights=column, minlength=prompts) / count for column in columns])


def _report(found: _Found, sample: PairSample, cues: list[Cue], prompts: int) -> Report:
    votes, prompt = found.noticed.votes, found.prompt
    everything = read(votes, prompt, ~(votes.of("term") | votes.of("parts")))
    unintended = _unintended(votes, prompt) if any(cue.intended for cue in cues) else everything.share()
    seen = predictability(unintended) if unintended else "ok"
    findings = [finding(cue) for cue in cues]
    if unintended and seen != "ok":
        findings.insert(0, reader_finding(unintended, seen))
    tested, level = sum(found.significant.tests.values()), found.settings.level
    low, median, high = np.quantile(found.noticed.similarity, (0.1, 0.5, 0.9)).round(4).tolist()
    return Report(
        rows=sample.rows,
        prompts=prompts,
        identical=sample.identical,
        findings=findings,
        verdict=verdict(seen, (cue.grade for cue in cues if not cue.intended)),
        reader=everything.share(),
        unintended=unintended,
        by={name: read(votes, prompt, votes.of(name)).share() for name in ("length", "style", "first")},
        sampled=SampleSize(found.votes.units, votes.units, sample.whole),
        tested=tested,
        sensitivity=math.ceil(math.log2(2 * max(1, tested) / level)),
        similarity=(low, median, high),
        cues=cues,
        easiness=_easiness(everything, found.answers),
        points=points(found.votes, found.significant, found.roots),
        threshold=found.significant.threshold(found.z),
        fail_on=found.settings.fail_on,
    )


def _unintended(votes: FeatureMatrix, prompt: Ints) -> ShareInterval | None:
    """The blind reader over the pairs that no expected term tells apart."""
    term = votes.of("term")
    rest: Mask = np.ones(votes.units, bool)
    rest[votes.unit[term[votes.feature]]] = False
    if len(np.unique(prompt[rest])) < _FEWEST:
        return None
    return read(votes, prompt, ~(term | votes.of("parts")), pairs=rest).share(rest)


def _easiness(reading: BaselineScores, answers: AnswerTable) -> dict[int, float]:
    return dict(zip(answers.row, reading.easiness().round(4).tolist(), strict=True))


def _first(cue: Cue) -> tuple[bool, int, float]:
    """Terms first, then the worst."""
    return not cue.intended, _WORST.index(cue.grade), -cue.lift


_FEWEST = 20


class ShortcutChecker(Observer):
    """Keeps a sample of the pairs that it is shown, and says at the end what tells their sides apart.

    `expect` names what is meant to differ; features are looked for and counted in at most `most` prompts.
    """

    def __init__(self, expect: Sequence[str] = (), *, most: int = 20_000, seed: int = 0) -> None:
        self.expect = tuple(expect)
        self._sample = PairSample(most, seed)

    def see(self, index: int, row: Any) -> list[Finding]:
        """Take the next row, which may be no pair. There is nothing to report before the end."""
        if well_shaped(row):
            self._sample.add(AuditPair.of(index, Sides.of(row)))
        return []

    def findings(self) -> Iterator[Finding]:
        """What `pairforge shortcuts` would report from grade medium on, as warnings; none for fewer than 20 pairs."""
        if self._sample.kept_pairs < _FEWEST:
            return

        report = examine(self._sample, Settings(self.expect), self._sample.pairs)
        for one in report.findings:
            if one.severity != "info":
                yield replace(one, severity="warning")
