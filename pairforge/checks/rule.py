"""Rules: functions with a stable code, a severity and a docstring that says why it matters, made by `@rule`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias, TypeVar

from ..types import Finding, Severity

Seen: TypeAlias = tuple[str, str]
"""One line for the reader, and a JSON pointer into the row."""
SeenAt: TypeAlias = tuple[int | None, str]
"""The number of a row (None: the dataset as a whole), and one line for the reader."""
See = TypeVar("See", bound=Callable[..., Iterable[Any]])

Over: TypeAlias = Literal[
    "value", "schema", "row", "dataset", "lines",
    "secrets", "cue", "classifier",
    "unrendered", "tokenized", "tokenized_dataset",
    "label", "labels", "label_twice", "shape",
]  # fmt: skip
"""What a rule is called with:

value: any row as it was read (a `Skip` where it could not be read); schema: an error of the JSON Schema; row: a
well-shaped row (`Sides`); dataset: what was collected of all rows (`DatasetState`); lines: what a file of JSON Lines
holds beside rows; secrets: the `Texts` of any JSON value; cue, classifier: what the shortcut audit found; unrendered:
the `Skip` of a row that the chat template refuses; tokenized: a `TokenizedPair`; tokenized_dataset: the counts of all
of them; label, labels, label_twice: answers with labels, see `labels`; shape: what the rows of a set hold, in words.
"""
OF_ROWS: tuple[Over, ...] = ("value", "schema", "row")
"""Rules over these look at one row alone, and at nothing beside it."""
ON_REQUEST = frozenset(("cue", "classifier"))
"""`validate` applies rules over these only where `--select` names their family, ..."""
WITH_MODEL = frozenset(("unrendered", "tokenized", "tokenized_dataset"))
"""... and rules over these only with `--model`."""

FIX = "pairforge fix {data} fixed.jsonl"
"""Writes the rows that have no errors as lists of messages: see `api.fix`."""
BALANCE = "pairforge balance {data} balanced.jsonl"
"""Fixes what tells the sides apart, as far as no model is needed: see `shortcuts.rebalancing`."""


@dataclass(frozen=True)
class Rule:
    """One check; the arguments of `rule` by name. `why` is the docstring of the function `see`."""

    code: str
    severity: Severity
    why: str
    see: Callable[..., Iterable[Any]]
    over: Over
    fix: str = ""
    marks: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    prefilter: Callable[[Any], bool] | None = None
    fatal: bool = False
    collect: Collection[type] = ()
    against: bool = False
    unless: str = ""
    kinds: Collection[str] = ()
    summary: bool = False

    def finding(self, message: str, row: int | None = None, path: str = "") -> Finding:
        """Return a finding of this rule in a row (None: in the dataset as a whole)."""
        return Finding(self.code, self.severity, message, row, path)

    def findings(self, row: int | None, *subject: Any) -> Iterator[Finding]:
        """Return what the rule finds in a row (None: in the dataset as a whole)."""
        for message, path in self.see(*subject):
            yield self.finding(message, row, path)


class Observer:
    """Sees every row once, in order. Each call returns what is known to be wrong and was not returned before."""

    def see(self, index: int, row: Any) -> Iterable[Finding]:
        """Take a row."""
        return ()

    def findings(self) -> Iterable[Finding]:
        """Return what is left to report when all rows have been seen."""
        return ()


RULES: dict[str, Rule] = {}
"""Every rule by its code, in the order of definition."""


def rule(code: str, severity: Severity = "error", *, over: Over = "row", **conditions: Any) -> Callable[[See], See]:
    """Register a function as a rule: nothing else is needed for `validate` to apply it.

    A function over "dataset" yields `SeenAt`, every other one `Seen`.

    Args:
        code: A code that is not taken. Its first three characters name the family.
        severity: How much a finding matters.
        over: What the function is called with: see `Over`.
        fix: The command that fixes what the rule finds; `{data}` stands for the source.
        marks: For a rule over rows: patterns by the text with which each begins. The rule is applied only where a mark
            is in a text of the row and its pattern matches there.
        prefilter: For a rule over rows: a test of the row that is False only where the rule finds nothing. Rules that
            share one test share its result.
        fatal: Nothing more can be said about a row in which the rule finds something.
        collect: For a rule over the dataset: the classes that collect what it needs of each row (see `Collector`).
        against: The rule needs another dataset to compare with, is applied only where one is given, and is called with
            it (`Against`) as the second argument.
        unless: For a rule over the dataset: the code of a rule that says more about a row in which both find something.
        kinds: For a rule over cues: the kinds of cue that it describes.
        summary: The finding sums up a dataset, and says nothing about a single row.

    Raises:
        ValueError: The code is taken, or the function has no docstring.
    """

    def register(see: See) -> See:
        why = inspect.getdoc(see)
        if code in RULES or not (why or sys.flags.optimize > 1):  # which drops all docstrings
            raise ValueError(f"{code} is taken, or {see.__name__} has no docstring")
        rules_over.cache_clear()
        RULES[code] = Rule(code, severity, why or "", see, over, **conditions)
        return see

    return register


@lru_cache
def rules_over(*over: Over) -> tuple[Rule, ...]:
    """Return the rules that are called with one of these, in the order of their codes."""
    return tuple(one for _, one in sorted(RULES.items()) if one.over in over)


def any_fatal(found: Iterable[Finding]) -> bool:
    """Return whether one of the findings is of a fatal rule, so that nothing more can be said about the row."""
    return any(RULES[one.code].fatal for one in found)


def clip(value: object, length: int = 60) -> str:
    """Return the repr of a value from outside, short enough for one line."""
    text = repr(value[: length * 2] if isinstance(value, (str, list)) else value)
    return text if len(text) <= length else text[: length - 1] + "…"
