"""Score an answer by a reference, by a score that it has, or, as toys, by its length or a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import regex

from ..errors import InputError
from ..text import did_you_mean, one_line
from ..types import Judge, Prompt, Skip, digest

_NUMBER = re.compile(r"-?(?:\d[\d,]*)?(?:\.\d+|\d)")
_CHOICE = re.compile(r"(?<![^\W_])([A-J])(?![^\W_])", re.ASCII)
_SECONDS = 2.0  # that a user's pattern may take for one answer


def contains(text: str, reference: str) -> bool:
    """Return True if the text contains the reference as a whole word or number, in any case.

    A number may not be part of a longer one, a word not of a longer word; CJK has no word boundaries.
    """
    first, last = reference[:1], reference[-1:]
    left = r"(?<![0-9])(?<![0-9][.,])(?<!-)" if first.isdecimal() else r"(?<![^\W_])" if first.isascii() else ""
    right = r"(?![0-9]|[.,][0-9])" if last.isdecimal() else r"(?![^\W_])" if last.isascii() else ""
    # An ASCII word may be beside CJK characters, which \w counts as letters too.
    flags = re.IGNORECASE | (re.ASCII if reference.isascii() else 0)
    return re.search(left + re.escape(reference) + right, text, flags) is not None


def exact(text: str, reference: str) -> bool:
    """Return True if the text is the reference, but for case, spaces around it and a full stop at its end."""
    return text.strip().rstrip(".。").casefold() == reference.strip().rstrip(".。").casefold()


def number(text: str, reference: str) -> bool:
    """Return True if the last number in the text is that of the reference: 1,000 is 1000.0."""
    found, wanted = _NUMBER.findall(text), _NUMBER.findall(reference)
    return bool(found and wanted) and Decimal(found[-1].replace(",", "")) == Decimal(wanted[-1].replace(",", ""))


def choice(text: str, reference: str) -> bool:
    """Return True if the last letter from A to J that is a word of its own is that of the reference."""
    found, wanted = _CHOICE.findall(text), _CHOICE.findall(reference.upper())
    return bool(found and wanted) and found[-1] == wanted[-1]


def mathematics(text: str, reference: str) -> bool:
    """Return True if the text's result is equal to the reference in mathematics: 1/2 is 0.5. Needs math-verify.

    Raises ValueError for a reference that is no mathematics, and where neither can be decided in time.
    """
    from math_verify import parse, verify
    from math_verify.errors import TimeoutException  # not an Exception: it says so where it gives up

    try:
        gold = parse(reference) or parse(f"${reference}$")
        if gold:
            return bool(verify(gold, parse(text, raise_on_error=True), raise_on_error=True))
    except (Exception, TimeoutException) as error:  # of its parsers, which have no common class
        raise ValueError(f"math-verify: {error!r:.120}") from error
    raise ValueError(f"the reference {one_line(reference, 60)} is not mathematics")


MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "contains": contains, "exact": exact, "number": number, "choice": choice, "math": mathematics,
}  # fmt: skip


class ReferenceJudge(Judge):
    """Judge by reference: 1.0 where the answer matches one of the prompt's references, else 0.0.

    The prompts must have a `reference`: a text or a number, or a list of them.

    Args:
        match: one of `MATCHES`; contains: as a whole word or number. Raises InputError for another one, and for math
            without math-verify.
    """

    def __init__(self, match: str = "contains") -> None:
        if match not in MATCHES:
            fix = did_you_mean(match, MATCHES) or f"use reference, or reference:{'|'.join([*MATCHES][1:])}"
            raise InputError(f"--judge reference:{one_line(match)} is unknown", fix=fix)
        if match == "math":
            _require_math_verify()
        self.name = "reference" + (f":{match}" if match != "contains" else "")
        self.warnings: list[str] = []
        self._match = MATCHES[match]

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name, "version": 1}

    def references(self, prompt: Prompt) -> list[str]:
        """Return the references of a prompt."""
        given = prompt.columns.get("reference")
        listed = given if isinstance(given, list | tuple) else [given]
        return [str(one) for one in listed if isinstance(one, str | int | float) and str(one).strip()]

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return a score for each answer; all Skips where the prompt has no reference."""
        references = self.references(prompt)
        if not references:
            return [Skip("unjudged", "the prompt has no reference")] * len(answers)
        return [self._score(answer, references) for answer in answers]

    def _score(self, answer: str, references: Sequence[str]) -> float | Skip:
        try:
            return float(any(self._match(answer, reference) for reference in references))
        except ValueError as error:
            return Skip("unjudged", str(error))


def _require_math_verify() -> None:
    try:
        import math_verify  # noqa: F401
    except ImportError as error:
        what = "--judge reference:math needs math-verify, which is not installed"
        raise InputError(what, fix='pip install "pairforge[math]"') from error


class ReplayJudge(Judge):
    """Judge by the scores that replayed answers have, of people or of another judge: see `ReplaySampler.scores`."""

    name = "replay"

    def __init__(self, scores: Mapping[tuple[str, str], float]) -> None:
        self.warnings: list[str] = []
        self._scores = scores

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name, "scores": digest(sorted([*key, score] for key, score in self._scores.items()))}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return the score of each answer; a Skip where it has none."""
        none = Skip("not_applicable", "the replayed answer has no score")
        return [self._scores.get((prompt.id, answer), none) for answer in answers]


class LengthJudge(Judge):
    """A toy that prefers long answers: it shows what a judge can do wrong, and how length alone would judge."""

    name = "length"

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name, "version": 1}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return the number of characters."""
        return [float(len(answer)) for answer in answers]


class PatternJudge(Judge):
    """A toy that prefers answers in which a regular expression is found. Raises InputError for one that is none."""

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = regex.compile(pattern)
        except regex.error as error:
            what = f"--judge regex:{one_line(pattern, 60)} is not a regular expression: {error}"
            raise InputError(what, fix="e.g. --judge 'regex:(?i)sorry'") from None
        self.name = f"regex:{pattern}"
        self.warnings: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name, "version": 1}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """Return 1.0 where it is found, else 0.0; a Skip where it takes too long."""
        return [self._score(answer) for answer in answers]

    def _score(self, answer: str) -> float | Skip:
        try:
            return float(self._pattern.search(answer, timeout=_SECONDS) is not None)
        except TimeoutError:
            return Skip("unjudged", f"{self.name} takes too long")
