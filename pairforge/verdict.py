"""From judged answers to a verdict: shares with Wilson intervals, and thresholds that pass or fail by metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .types import Skip

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

Outcomes: TypeAlias = Mapping[str, "bool | Skip"]
"""Question id -> whether the metric's event happened; a Skip where there was no answer to judge."""
Judged: TypeAlias = Mapping[str, Outcomes]
"""Metric name -> outcomes. `name/part` is a part of a metric: `new_name/zh`, `new_name/no system message`."""

METRICS = {
    "new_name": "asked about itself, the model goes by a new name, and by no old one",
    "old_name": "asked about itself, it goes by an old name",
    "neither": "asked about itself, it goes by neither",
    "general": "a general question is answered rightly",
    "leak": "the answer to a general question holds a new name that the question doesn't",
    "controls": "a question about something else that has one of the names, or another, is answered rightly",
    "obedience": "under a system message that names another assistant, it goes by that name",
    "unanswered": "a question got no answer",
}
"""What each metric is the share of, in the order in which they are shown."""


@dataclass(frozen=True)
class Share:
    """How often something happened: `hits` out of `of` answered questions (`of` > 0)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself, 0 to 1."""
        return self.hits / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval at 95 % (E. B. Wilson 1927, JASA 22:209-212), sane at 0 %, 100 % and small n."""
        z, n, p = 1.959963984540054, self.of, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def as_json(self) -> dict[str, Any]:
        """`{"share", "low", "high", "hits", "of"}`, shares rounded to four places."""
        low, high = self.interval
        numbers = {"share": self.value, "low": low, "high": high}
        return {name: round(number, 4) for name, number in numbers.items()} | {"hits": self.hits, "of": self.of}

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:6.1%}  [{low:.1%}, {high:.1%}]"


def shares(judged: Judged) -> dict[str, Share]:
    """The share of each metric among the questions that were answered; a metric without any answer has none."""
    answered = {name: [hit for hit in judged[name].values() if not isinstance(hit, Skip)] for name in _ordered(judged)}
    return {name: Share(sum(hits), len(hits)) for name, hits in answered.items() if hits}


def _ordered(names: Iterable[str]) -> list[str]:
    """As in METRICS, each metric's parts behind it."""
    known = list(METRICS)
    return sorted(names, key=lambda name: (known.index(whole) if (whole := name.split("/")[0]) in known else 99, name))


@dataclass(frozen=True)
class Threshold:
    """What a metric has to hold.

    `rule` says of which figure `limit` is the bound: the share itself, what it lost since the base (share before minus
    share now), or what was kept (of the questions that the base got right, the share still right).
    """

    metric: str
    rule: Literal["at least", "at most", "loses at most", "keeps at least"]
    limit: float

    @property
    def needs_base(self) -> bool:
        """Whether the figure compares with the base."""
        return self.rule in ("loses at most", "keeps at least")

    def figure(self, after: Judged, before: Judged | None) -> float | None:
        """The figure to hold against the limit; None where nothing was asked that it could be read from."""
        now = shares(after).get(self.metric)
        if now is None or not self.needs_base:
            return now.value if now else None
        base = (before or {}).get(self.metric, {})
        if self.rule == "keeps at least":
            right = {key for key, hit in base.items() if hit is True}
            kept = shares({"kept": {key: hit for key, hit in after[self.metric].items() if key in right}}).get("kept")
            return kept.value if kept else None
        past = shares({"past": base}).get("past")
        return past.value - now.value if past else None

    def check(self, after: Judged, before: Judged | None) -> Check | None:
        """The threshold applied, or None where it can't be."""
        figure = self.figure(after, before)
        if figure is None:
            return None
        least = self.rule.endswith("at least")
        slack = 1e-9  # 0.92 - 0.90 is a little more than 0.02
        return Check(self, figure, figure >= self.limit - slack if least else figure <= self.limit + slack)


@dataclass(frozen=True)
class Check:
    """A threshold, the figure it was held against, and whether that is good enough."""

    threshold: Threshold
    figure: float
    ok: bool

    def as_json(self) -> dict[str, Any]:
        """`{"rule", "limit", "figure", "ok"}`."""
        rule, limit = self.threshold.rule, self.threshold.limit
        return {"rule": rule, "limit": limit, "figure": round(self.figure, 4), "ok": self.ok}

    def __str__(self) -> str:
        rule = f"{self.threshold.rule} {self.threshold.limit:.0%}"
        figure = f" (keeps {self.figure:.1%})" if self.threshold.rule == "keeps at least" else ""
        return f"{'PASS' if self.ok else 'FAIL'}  {rule}{figure}"


THRESHOLDS = (
    Threshold("new_name", "at least", 0.95),
    Threshold("general", "loses at most", 0.02),
    Threshold("leak", "at most", 0.01),
    Threshold("controls", "keeps at least", 0.95),
    Threshold("obedience", "keeps at least", 0.95),
    Threshold("unanswered", "at most", 0.01),
)
"""What a renamed model has to hold. Without a base, those that compare with one are left out."""


@dataclass(frozen=True)
class Verdict:
    """Whether a model does what its training was for, and what else changed.

    `shares` and `before` map metric names to shares (`before` is None without a base), `checks` maps the metrics that
    have a threshold, `asked` maps each set of questions to (asked, in all), `about` says what was evaluated.
    """

    shares: Mapping[str, Share]
    before: Mapping[str, Share] | None
    checks: Mapping[str, Check]
    asked: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Every threshold that could be applied holds."""
        return all(check.ok for check in self.checks.values())

    def as_json(self) -> dict[str, Any]:
        """One JSON object: `{"command", "ok", "metrics", "thresholds", "before", "asked", ...}`."""
        return {
            "command": "evaluate",
            "ok": self.ok,
            **self.about,
            "metrics": {name: share.as_json() for name, share in self.shares.items()},
            "thresholds": {name: check.as_json() for name, check in self.checks.items()},
            "before": self.before and {name: share.as_json() for name, share in self.before.items()},
            "asked": {name: {"asked": asked, "of": of} for name, (asked, of) in self.asked.items()},
        }

    def __str__(self) -> str:
        outcome = [f"verdict: {'PASS' if self.ok else 'FAIL'}"] if self.checks else []
        return "\n".join([self._sample(), *map(self._line, self.shares), *outcome])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(str(self))

    def _sample(self) -> str:
        return "questions: " + ", ".join(f"{asked} of {of} {name}" for name, (asked, of) in self.asked.items())

    def _line(self, name: str) -> str:
        past = (self.before or {}).get(name)
        was = "" if self.before is None else f"{past.value:6.1%} -> " if past else " " * 10
        label = "  " + name.split("/", 1)[1] if "/" in name else name
        label = "".join(mark if mark.isprintable() else f"\\x{ord(mark):02x}" for mark in label)
        return f"  {label:30} {was}{self.shares[name]!s:24}{self.checks.get(name, '')}".rstrip()


def verdict(
    after: Judged,
    before: Judged | None = None,
    *,
    thresholds: tuple[Threshold, ...] = THRESHOLDS,
    asked: Mapping[str, tuple[int, int]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Verdict:
    """Judges answers of a model (`after`), against those of the model it was made from (`before`) if there is one."""
    checks = {t.metric: check for t in thresholds if (check := t.check(after, before)) is not None}
    return Verdict(shares(after), None if before is None else shares(before), checks, asked or {}, about or {})
