"""PF6xx: answers with a label, good or bad (KTO). They are not pairs, and are looked at as what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ..formats import kto
from ..types import Finding, Skip
from . import schema
from .preference import empty_answer, error_sentinel
from .row import Sides
from .rule import RULES, Observer, Seen, any_fatal, clip, rule


@rule("PF601", over="label", fatal=True)
def not_an_answer(row: Mapping[str, Any]) -> Iterator[Seen]:
    """A row has no answer, no prompt or no label, beside rows that have them: KTO can't read it."""
    if kto.label_of(row) is None:
        yield "no label", ""
    elif kto.answer_of(row) is None and kto.answer_of({**row, "label": True}) is None:
        yield "no prompt with an answer", ""


@rule("PF602", "warning", over="label")
def label_in_words(row: Mapping[str, Any]) -> Iterator[Seen]:
    """A label is a word or a number. KTO takes it for true or false: every word is true, "bad" and "false" too."""
    label = kto.label_of(row)
    if label is not None and not isinstance(label, bool):
        known = kto.answer_of(row) is not None
        yield (
            f"the label is {clip(label, 40)}, not true or false{'' if known else ', and its meaning is not known'}",
            "",
        )


@rule("PF603", over="labels")
def one_label_only(counts: Counter[bool]) -> Iterator[Seen]:
    """All labels are the same. KTO learns from the difference of good and bad answers: here there is none to learn."""
    if sum(counts.values()) > 1 and len(counts) == 1:
        yield f"all {sum(counts.values())} labels are {str(next(iter(counts))).lower()}", ""


@rule("PF604", over="label_twice")
def both_labels(first: int) -> Iterator[Seen]:
    """The same answer to the same prompt has both labels: one of them is wrong."""
    yield f"the same answer as in row {first}, with the other label", ""


class LabelChecker(Observer):
    """Looks at rows of one answer with a label."""

    def __init__(self) -> None:
        self._counts: Counter[bool] = Counter()
        self._seen: dict[int, tuple[bool, int]] = {}

    def see(self, index: int, row: Any) -> Iterator[Finding]:
        """Return what is wrong with the next row."""
        found = list(schema.values(index, row))
        yield from found
        if isinstance(row, Skip) or any_fatal(found):
            return
        if not isinstance(row, Mapping):
            yield RULES["PF601"].finding("the row is not an object", index)
            return
        for code in ("PF601", "PF602"):
            yield from RULES[code].findings(index, row)
        if answer := kto.answer_of(row):
            yield from self._of_answer(index, kto.is_good(row), *answer)

    def _of_answer(self, index: int, good: bool, context: list[Any], answer: list[Any]) -> Iterator[Finding]:
        self._counts[good] += 1
        sides = Sides.of({"chosen": [*context, *answer], "rejected": [*context, *answer]})
        for code, see in (("PF106", empty_answer), ("PF107", error_sentinel)):
            yield from (RULES[code].finding(message, index) for message, _ in islice(see(sides), 1))
        label, first = self._seen.setdefault(hash(sides.text), (good, index))
        if label != good:
            yield from RULES["PF604"].findings(index, first)

    def findings(self) -> Iterator[Finding]:
        """Return what is wrong with the dataset."""
        yield from RULES["PF603"].findings(None, self._counts)
