"""A verdict for a notebook and a report, made of its JSON: that of a `verdict.json`, which anybody may have sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from ..html import element, joined, paragraphs, table
from ..markdown import shortened
from ..text import mapping_of
from .metrics import BRIEF, METRICS, SAMPLED, base_name

_NOTHING = Markup("")
_LONGEST = 400  # characters of an answer


class Estimate(NamedTuple):
    """A share, or its change, with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def read(cls, said: Any, name: str) -> Estimate | None:
        """Read it from the JSON of a verdict, in which its value has this name; None where it is not there."""
        found = [_number(mapping_of(said).get(one)) for one in (name, "low", "high")]
        return cls(*(one for one in found if one is not None)) if None not in found else None


@dataclass(frozen=True)
class Measure:
    """A measure of a verdict: a share of `of` questions now and before, its change, and the limit that it has.

    What is not known is None, or empty.
    """

    name: str
    now: Estimate
    of: int | None = None
    before: Estimate | None = None
    change: Estimate | None = None
    limit: str = ""
    ok: bool | None = None

    @property
    def brief(self) -> str:
        """What the measure is, in a few words."""
        said = BRIEF.get(base_name(self.name), "")
        return f"{said}, at temperature 1" if said and SAMPLED in self.name.partition("/")[0] else said

    @property
    def texts(self) -> list[str]:
        """The share before and now, and the change in points, as they are read; empty where they are not known."""
        before = f"{self.before.value:.1%}" if self.before else ""
        now = f"{self.now.value:.1%} [{100 * self.now.low:.1f}, {100 * self.now.high:.1f}]"
        change = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * part for part in self.change)) if self.change else ""
        return [before, now, change]

    def row(self) -> dict[str, Any]:
        """Return the measure as a row of a table: `now`, `now_low`, `now_high`, `before` ..."""
        made: dict[str, Any] = {"measure": self.name, "of": self.of}
        for name in ("now", "before", "change"):
            known = getattr(self, name) or (None, None, None)
            made |= dict(zip((name, f"{name}_low", f"{name}_high"), known, strict=True))
        return made | {"limit": self.limit, "ok": self.ok}


def measures(said: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield the measures in the JSON of a verdict; what is not of the right type is left out."""
    metrics, before, limits = (mapping_of(said.get(name)) for name in ("metrics", "before", "thresholds"))
    for name, metric in metrics.items():
        limit, of = mapping_of(limits.get(name)), mapping_of(metric).get("of")
        most, rule, ok = _number(limit.get("limit")), limit.get("rule"), limit.get("ok")
        if now := Estimate.read(metric, "share"):
            yield Measure(
                name,
                now,
                of if type(of) is int else None,
                Estimate.read(before.get(name), "share"),
                Estimate.read(mapping_of(metric).get("change"), "value"),
                f"{rule} {100 * most:g}%" if isinstance(rule, str) and most is not None else "",
                ok if isinstance(ok, bool) else None,
            )


def verdict_html(said: Mapping[str, Any], figure: Markup = _NOTHING) -> Markup:
    """Return the outcome with its reason, the figure, and a table of the measures."""
    found = [*measures(said)]
    failed = [one.name for one in found if one.ok is False]
    outcome = "FAIL" if said.get("ok") is False or failed else "PASS" if said.get("verdict") == "PASS" else ""
    words = f": {', '.join(failed)}" if failed else ""
    parts = [element("p", element("strong", outcome or "No verdict", class_=outcome.lower() or "none"), words)]
    for hint in _list(said.get("why")):
        parts.append(
            paragraphs([f"{name}: {mapping_of(hint)[name]}" for name in ("why", "fix") if name in mapping_of(hint)])
        )
    parts.append(figure)
    columns = ("measure", "what it says", "before", "now", "change, in points", "limit", "")
    if found:
        parts.append(
            table(
                columns,
                map(_cells, found),
                "Measures: the share of answers before the training and now, with 95 % intervals",
            )
        )
        shown = dict.fromkeys(base_name(one.name) for one in found)
        terms = ((element("dt", name), element("dd", METRICS[name])) for name in shown if name in METRICS)
        meant = element("dl", *(part for term in terms for part in term))
        parts.append(element("details", element("summary", "What each measure counts"), meant))
    return joined(parts)


def answers_html(said: Mapping[str, Any]) -> Markup:
    """Return a table of answers before the training and after it, where a verdict has them."""
    columns = {name: name for name in ("question", "before", "now")}
    return _texts(_list(said.get("answers")), columns, "Answers before and after")


def failing_html(answers: Iterable[Any]) -> Markup:
    """Return a table of failing answers, as `failures.jsonl` has them."""
    columns = {"metric": "measure", "question": "", "before": "", "answer": "now", "expected": ""}
    return _texts(
        answers, {name: title or name for name, title in columns.items()}, "Answers that count against a measure"
    )


def _texts(rows: Iterable[Any], columns: Mapping[str, str], caption: str) -> Markup:
    """Return a table of texts, whose columns are the keys of the rows with their titles; nothing without rows."""
    cells = [[shortened(str(row.get(name) or ""), _LONGEST) for name in columns] for row in map(mapping_of, rows)]
    return table([*columns.values()], cells, caption) if cells else _NOTHING


def _cells(one: Measure) -> list[object]:
    outcome = "" if one.ok is None else "PASS" if one.ok else "FAIL"
    mark = element("strong", outcome, class_=outcome.lower()) if outcome else ""
    return [one.name, one.brief, *one.texts, one.limit, mark]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) else None
