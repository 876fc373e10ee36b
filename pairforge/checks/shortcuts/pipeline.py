"""The audit from rows to report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import InputError
from . import grades, kinds, reader
from .answers import Answers
from .features import KINDS, closing, holds, opening
from .report import Cue, Report, Share
from .roots import Root, plainness, roots
from .statistics import Discoveries, families, sign_test, wilson
from .votes import Feature, Floats, Ints, Mask, Pairs, Votes, notice

_EXAMPLES, _CHILDREN, _FEWEST = 3, 20, 20
_ALIKE = 0.8
_WORST = ("critical", "high", "medium", "low")


def audit(rows: Iterable[Mapping[str, Any]], expect: Sequence[str], level: float) -> Report:
    """See `pairforge.checks.shortcuts.audit`."""
    answers = Answers.of(rows)
    if not answers.chosen:
        same = f": all {answers.rows} rows have the same answer on both sides" if answers.rows else ": no rows"
        raise InputError(f"nothing to compare{same}", fix="see: pairforge validate")
    terms = list(dict.fromkeys(expect))
    pairs = notice(answers, terms)
    prompt = np.array(answers.prompt, dtype=np.int64)
    votes = pairs.votes.left_to_terms(_told_by(terms, answers)).by(prompt, int(prompt.max(initial=-1)) + 1)
    wins, losses = votes.count()
    p = sign_test(wins, losses)
    significant = families(p, wins + losses, votes.kind, level)
    intended = np.flatnonzero(votes.kind == KINDS.index("term"))
    lengths = _lengths(pairs, prompt, votes.units) if pairs.similarity <= _ALIKE else None
    found = roots(votes, significant, intended, lengths)
    cues = sorted((_cue(pairs, votes, root, p, significant.q) for root in found), key=_first)
    return _report(pairs, votes, prompt, cues, significant)


def _told_by(terms: Sequence[str], answers: Answers) -> Mask:
    """The pairs that differ in an expected term and in nothing else: length and style there are the term's doing."""
    sides = zip(answers.chosen, answers.rejected, strict=True)
    return np.array([any(_swaps(term, a, b) or _swaps(term, b, a) for term in terms) for a, b in sides], dtype=np.bool_)


def _swaps(term: str, one: str, other: str) -> bool:
    """Whether the other text is this one with some short text in place of every `term`."""
    first, *rest = one.split(term)
    if not rest or not other.startswith(first):
        return False
    pattern = re.escape(first) + "(.{1,64}?)" + r"\1".join(map(re.escape, rest))
    return re.fullmatch(pattern, other, re.DOTALL) is not None


def _report(pairs: Pairs, votes: Votes, prompt: Ints, cues: list[Cue], significant: Discoveries) -> Report:
    kind_of = pairs.votes.kind
    masks = {name: kind_of == KINDS.index(name) for name in ("length", "style", "first")}
    shares = {name: reader.read(pairs.votes, prompt, only=mask).value for name, mask in masks.items()}
    everything = reader.read(pairs.votes, prompt, only=kind_of != KINDS.index("term"))
    unintended = _unintended(pairs.votes, prompt) if any(cue.intended for cue in cues) else everything
    seen = grades.predictability(unintended) if unintended else "ok"
    findings = [kinds.finding(cue) for cue in cues]
    if unintended and seen != "ok":
        findings.insert(0, kinds.reader_finding(unintended, seen))
    tested = sum(significant.tests.values())
    return Report(
        rows=pairs.answers.rows,
        prompts=votes.units,
        identical=pairs.answers.identical,
        findings=findings,
        verdict=grades.verdict(seen, (cue.grade for cue in cues if not cue.intended)),
        reader=everything,
        unintended=unintended,
        by=shares,
        tested=tested,
        sensitivity=math.ceil(math.log2(2 * max(1, tested) / significant.level)),
        similarity=pairs.similarity,
        cues=cues,
    )


def _unintended(votes: Votes, prompt: Ints) -> Share | None:
    """The blind reader over the pairs that no expected term tells apart."""
    term = votes.kind == KINDS.index("term")
    rest: Mask = np.ones(votes.units, bool)
    rest[votes.unit[term[votes.feature]]] = False
    return reader.read(votes, prompt, only=~term, pairs=rest) if len(np.unique(prompt[rest])) >= _FEWEST else None


def _lengths(pairs: Pairs, prompt: Ints, prompts: int) -> Floats:
    """Signed differences of length per prompt, (prompts, 5): tanh and log ratio of characters and of words, sign."""
    columns = []
    for sizes in (
        np.array([(len(a), len(b)) for a, b in zip(pairs.answers.chosen, pairs.answers.rejected, strict=True)], float),
        np.array([(len(a), len(b)) for a, b in pairs.tokens], float),
    ):
        difference = sizes[:, 0] - sizes[:, 1]
        columns += [
            np.tanh(difference / max(1.0, float(difference.std()))),
            np.log1p(sizes[:, 0]) - np.log1p(sizes[:, 1]),
        ]
    columns.append(np.sign(columns[0]))
    count = np.bincount(prompt, minlength=prompts)
    return np.column_stack([np.bincount(prompt, weights=column, minlength=prompts) / count for column in columns])


def _cue(pairs: Pairs, votes: Votes, root: Root, p: Floats, q: Floats) -> Cue:
    feature, split = votes.features[root.feature], votes.dense(root.feature)
    wins, losses = int((split > 0).sum()), int((split < 0).sum())
    most, total = max(wins, losses), wins + losses
    coverage, win_rate = (total / votes.units if votes.units else 0.0), (most / total if total else 0.5)
    low, lift = wilson(most, total, 1.645)[0], coverage * (win_rate - 0.5)
    chosen_rate, rejected_rate = _rates(pairs, feature, root.feature)
    children = sorted(
        root.children,
        key=lambda child: (plainness(votes.features[child])[0], q[child], plainness(votes.features[child])),
    )
    return Cue(
        kind=feature.kind,
        feature=feature.name,
        chosen_rate=chosen_rate,
        rejected_rate=rejected_rate,
        coverage=coverage,
        win_rate=win_rate,
        win_rate_low=low,
        lift=lift,
        p=float(p[root.feature]),
        q=float(q[root.feature]),
        grade=grades.grade(low, coverage, lift),
        intended=feature.kind == "term",
        balanced=feature.kind == "term" and 0 < win_rate <= grades.BALANCED and total > 0,
        explains=tuple(dict.fromkeys(votes.features[child].name for child in children))[:_CHILDREN],
        examples=_examples(pairs, root.feature, 1.0 if wins >= losses else -1.0),
    )


def _rates(pairs: Pairs, feature: Feature, index: int) -> tuple[float, float]:
    """Share of chosen and of rejected answers that hold the feature; of length and style, that have more of it."""
    size = max(1, len(pairs.tokens))
    if not feature.tokens:
        split = pairs.votes.dense(index)
        return float((split > 0).sum() / size), float((split < 0).sum() / size)
    see = {"first": opening, "last": closing}.get(feature.kind)
    sums = [0, 0]
    for sides in pairs.tokens:
        for side, tokens in enumerate(sides):
            sums[side] += feature.tokens in see(tokens) if see else holds(tokens, feature.tokens)
    return sums[0] / size, sums[1] / size


def _examples(pairs: Pairs, index: int, sign: float) -> tuple[int, ...]:
    mask = (pairs.votes.feature == index) & (pairs.votes.sign == sign)
    return tuple(pairs.answers.row[unit] for unit in np.sort(pairs.votes.unit[mask])[:_EXAMPLES])


def _first(cue: Cue) -> tuple[bool, int, float]:
    """Terms first, then the worst."""
    return not cue.intended, _WORST.index(cue.grade), -cue.lift
