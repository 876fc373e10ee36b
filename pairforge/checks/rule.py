"""What a rule is: a decorated function with a stable code, a severity and a docstring that says why it matters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from ..types import Finding, Severity

Seen: TypeAlias = tuple[str, str]
"""What a rule saw: one line for the reader, and a JSON pointer into the row."""
See = TypeVar("See", bound=Callable[..., Iterable[Any]])

FIX = "pairforge validate {data} --fix fixed.jsonl"
"""Mends what can be mended without a decision: see `fixes`."""
BALANCE = "pairforge balance {data} balanced.jsonl"
"""Mends what tells the sides apart, as far as no model is needed: see `balancing`."""


@dataclass(frozen=True)
class Rule:
    """One check. `see` yields what is wrong with what it is given; `why` is its docstring.

    `mend` is the command that mends what it finds, where there is one. Wherever the rule could find anything, one of
    the `marks` stands in a text, and its pattern, which begins with it, matches there: other rows are not looked at.
    """

    code: str
    severity: Severity
    why: str
    see: Callable[..., Iterable[Any]]
    mend: str = ""
    marks: Mapping[str, re.Pattern[str]] = field(default_factory=dict)

    def findings(self, row: int | None, *subject: Any) -> Iterator[Finding]:
        """What the rule sees in a row (None: in the set as a whole)."""
        for message, path in self.see(*subject):
            yield Finding(self.code, self.severity, message, row, path)

    def across(self, *subject: Any) -> Iterator[Finding]:
        """What a rule that looks at all rows sees: which row (None: the set), and the line for the reader."""
        for row, message in self.see(*subject):
            yield Finding(self.code, self.severity, message, row)


RULES: dict[str, Rule] = {}
"""Every rule by its code, in the order of definition."""


def rule(
    code: str, severity: Severity = "error", *, mend: str = "", marks: Mapping[str, re.Pattern[str]] | None = None
) -> Callable[[See], See]:
    """Registers a function as a rule. Raises ValueError for a code that is taken or a function that says no why."""

    def register(see: See) -> See:
        why = inspect.getdoc(see)
        if code in RULES or not why:
            raise ValueError(f"{code} is taken, or {see.__name__} has no docstring")
        family.cache_clear()
        RULES[code] = Rule(code, severity, why, see, mend, marks or {})
        return see

    return register


@lru_cache
def family(prefix: str) -> tuple[Rule, ...]:
    """The rules whose code starts with the prefix, e.g. "PF1"."""
    return tuple(rule for code, rule in RULES.items() if code.startswith(prefix))


def clip(value: object, length: int = 60) -> str:
    """The repr of what somebody else wrote, short enough for one line."""
    text = repr(value[: length * 2] if isinstance(value, (str, list)) else value)
    return text if len(text) <= length else text[: length - 1] + "…"
