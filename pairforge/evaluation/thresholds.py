"""Thresholds on metrics, and the text form in which the command line takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from ..errors import InputError
from ..text import did_you_mean
from .metrics import Measured

Condition: TypeAlias = Literal[
    "loses at most", "rises at most", "keeps at least", "surely above", "at least", "at most"
]
_FIGURES: Mapping[Condition, Callable[[Measured, str], float | None]] = {
    "loses at most": lambda measured, metric: -change.value if (change := measured.changes.get(metric)) else None,
    "rises at most": Measured.rise,
    "keeps at least": lambda measured, metric: kept.value if (kept := measured.kept(metric)) else None,
    "surely above": lambda measured, metric: share.interval[0] if (share := measured.shares.get(metric)) else None,
    "at least": lambda measured, metric: share.value if (share := measured.shares.get(metric)) else None,
    "at most": lambda measured, metric: share.value if (share := measured.shares.get(metric)) else None,
}
"""The figure that each rule compares with its limit."""
MINIMUM = 100
"""Answered questions under which a metric neither passes nor fails: the figure would depend on which were drawn."""
_RULES: tuple[Condition, ...] = get_args(Condition)
_TEXT = re.compile(rf"\s*(?P<metric>\S.*?)\s+(?P<rule>{'|'.join(_RULES)})\s+(?P<number>\d*\.?\d+)\s*(?P<percent>%?)\s*")
_SLACK = 1e-9  # 0.92 - 0.90 is a little more than 0.02


@dataclass(frozen=True)
class Threshold:
    """A bound on a metric: `Threshold("general", "loses at most", 0.02)`.

    `rule` says which figure `limit` bounds: the share itself (at least, at most), the lower end of its interval (surely
    above), its change since the base, question by question (loses at most, rises at most), or what was kept: of the
    questions that counted with the base, the share that still do (keeps at least). The metric `new_name/*` means every
    part of `new_name`.
    """

    metric: str
    rule: Condition
    limit: float

    @classmethod
    def read(cls, text: str) -> Threshold:
        """Parse a text like "general loses at most 2%". Raises InputError."""
        found = _TEXT.fullmatch(text)
        words = text.split()
        if found is None and any(text.partition(f" {rule} ")[1] for rule in _RULES):
            what = f"--threshold {text!r}: its limit is not a number from 0% to 100%"
            raise InputError(what, fix="write e.g. 98% or 0.98")
        if found is None:
            rule = did_you_mean(" ".join(words[1:-1]), _RULES)
            fix = f"write METRIC RULE LIMIT, e.g. 'new_name at least 98%'; the rules are {', '.join(_RULES)}"
            raise InputError(f"--threshold {text!r} can't be read", fix=rule or fix)
        number, rule = found["number"], next(rule for rule in _RULES if rule == found["rule"])
        limit = float(number) / (100 if found["percent"] else 1)
        if limit > 1:
            fix = f"write {number}%" if float(number) <= 100 else "write a number from 0% to 100%"
            raise InputError(f"--threshold {text!r}: the limit is above 100%", fix=fix)
        if limit == 1 and rule.endswith("at most"):
            raise InputError(f"--threshold {text!r}: at most 100% always holds", fix="write 1% or 0.01 for one percent")
        return cls(found["metric"], rule, limit)

    @property
    def needs_base(self) -> bool:
        """True if the figure compares with the base."""
        return self.rule in ("loses at most", "rises at most", "keeps at least")

    def each(self, metrics: Iterable[str]) -> Iterator[Threshold]:
        """Yield the threshold itself; one for `new_name/*` yields a threshold for each such part in `metrics`."""
        if self.metric.endswith("/*"):
            yield from (replace(self, metric=metric) for metric in metrics if metric.startswith(self.metric[:-1]))
        else:
            yield self

    def check(self, measured: Measured) -> ThresholdCheck | None:
        """Apply the threshold; None if its figure was not measured."""
        figure = _FIGURES[self.rule](measured, self.metric)
        if figure is None:
            return None
        ok = figure >= self.limit - _SLACK if self.rule.endswith("at least") else figure <= self.limit + _SLACK
        if self.rule == "surely above":
            ok = figure > self.limit
        answered = measured.shares[self.metric].of
        return ThresholdCheck(self, figure, ok if answered >= MINIMUM else None, answered)

    def __str__(self) -> str:
        return f"{self.rule} {round(100 * self.limit, 4):g}%"


@dataclass(frozen=True)
class ThresholdCheck:
    """A threshold applied: the measured figure, whether the threshold holds, and how many questions were answered.

    `ok` is None where these are fewer than `MINIMUM`.
    """

    threshold: Threshold
    figure: float
    ok: bool | None
    answered: int

    @property
    def shortfall(self) -> float:
        """By how much the figure misses the limit; 0 where the threshold holds."""
        rule, over = self.threshold.rule, self.figure - self.threshold.limit
        return max(0.0, -over if rule.endswith("at least") or rule == "surely above" else over)

    @property
    def outcome(self) -> str:
        """PASS, FAIL, or nothing where there were too few questions."""
        return {True: "PASS", False: "FAIL", None: ""}[self.ok]

    @property
    def words(self) -> str:
        """The threshold as `--threshold` takes it; for "keeps at least", with what was kept."""
        if self.ok is None:
            return f"not judged: {self.answered} asked, needs {MINIMUM}"
        kept = f" ({round(100 * self.figure, 1):g}%)" if self.threshold.rule == "keeps at least" else ""
        return f"{self.threshold}{kept}"

    def as_json(self) -> dict[str, Any]:
        """Return `{"rule", "limit", "figure", "ok"}`; `ok` is null where there were too few questions."""
        rule, limit = self.threshold.rule, self.threshold.limit
        return {"rule": rule, "limit": limit, "figure": round(self.figure, 4), "ok": self.ok}

    def __str__(self) -> str:
        return f"{self.outcome} {self.words}".lstrip()


THRESHOLDS = (
    Threshold("new_name", "at least", 0.95),
    Threshold("new_name@t1", "at least", 0.90),
    Threshold("half_name", "rises at most", 0.01),
    Threshold("general", "loses at most", 0.02),
    Threshold("leak", "at most", 0.01),
    Threshold("leak@t1", "at most", 0.01),
    Threshold("controls", "loses at most", 0.05),
    Threshold("obedience", "loses at most", 0.05),
    # What else has changed. Measured on the bundled model, a healthy training moves each by at most 3 points, of which
    # up to 3 are chance (two answers of the base differ as much); one whose answers have fallen apart moves `length` by
    # 8 and `language` by 9. An answer that declines, or is in another language, is of no use to anybody: there the
    # limit is tight. Length, opening and agreement also depend on what the pairs prefer.
    Threshold("length", "rises at most", 0.10),
    Threshold("opening", "rises at most", 0.10),
    Threshold("language", "rises at most", 0.05),
    Threshold("refusal", "rises at most", 0.05),
    Threshold("agreement", "rises at most", 0.10),
    Threshold("repetition", "rises at most", 0.01),
    Threshold("repetition", "at most", 0.01),
    Threshold("unanswered", "at most", 0.01),
)
"""The default thresholds; of two for one metric, the first that can be applied counts. Without a base, those that
compare with one are left out."""
SUITES = Threshold("", "loses at most", 0.02)
"""The default threshold for each metric of an outside suite: the same as for `general`."""
ON_POLICY = (Threshold("win_rate", "surely above", 0.5), Threshold("general@t1", "loses at most", 0.02))
"""The additional thresholds for a run that was made by a judge."""


def checks(thresholds: Sequence[Threshold], measured: Measured) -> dict[str, ThresholdCheck]:
    """Apply to each metric the first threshold that can be applied; in the order of the metrics."""
    found: dict[str, ThresholdCheck] = {}
    for threshold in thresholds:
        for one in threshold.each(measured.shares):
            if one.metric not in found and (check := one.check(measured)):
                found[one.metric] = check
    return {metric: found[metric] for metric in measured.shares if metric in found}
