"""PF2xx: do the rows make a dataset? What is kept of every row to answer that, and the rules."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from ..text import folded, kind_of, plural
from ..types import NUMBER_COLUMNS, SIDES, TEXT_COLUMNS, Finding, Message
from .arrays import Bytes, Ints, Mask
from .duplicates import Digests, circles, earlier, earliest, first_with, key, mixed, repeated
from .minhash import Sketches, near_duplicates, sketch
from .row import INSTRUCTS, Sides
from .rule import FIX, Rule, Seen, SeenAt, clip, rule

_LONG_ENOUGH = 24
"""Characters from which on a single turn is a question of its own: "And why?" is asked everywhere."""


class Collector(Protocol):
    """Keeps what a rule over the dataset needs of each row. Made without arguments, pickled, and joined in order."""

    def add(self, index: int, sides: Sides) -> None: ...

    def join(self, other: Any) -> None: ...


C = TypeVar("C", bound=Collector)


class DatasetState:
    """State of the rules over the dataset: some 150 bytes a row.

    The states of parts that several processes looked at are joined in the order of the rows.
    """

    def __init__(self, rules: Collection[Rule]) -> None:
        self.count = 0
        self.found = {one.unless: array("q") for one in rules if one.unless}
        """The rows in which these rules found something."""
        self._collectors: dict[type, Any] = {kind: kind() for one in rules for kind in one.collect}

    def __getitem__(self, kind: type[C]) -> C:
        """Return what such a collector has collected."""
        collector: C = self._collectors[kind]
        return collector

    def add(self, index: int, sides: Sides, found: Iterable[Finding]) -> None:
        """Take in a well-shaped row, and what was found in it."""
        for collector in self._collectors.values():
            collector.add(index, sides)
        for finding in found:
            if finding.code in self.found:
                self.found[finding.code].append(index)

    def join(self, other: DatasetState) -> None:
        """Take in what was collected of the rows after these."""
        self.count += other.count
        for code, rows in self.found.items():
            rows.extend(other.found[code])
        for kind, collector in self._collectors.items():
            collector.join(other[kind])

    def findings(self, rules: Iterable[Rule], against: Against | None) -> Iterator[Finding]:
        """Return what is wrong with the dataset."""
        for one in rules:
            known = frozenset(self.found.get(one.unless, ()))
            for row, message in one.see(self, *([against] if one.against else [])):
                if row not in known:
                    yield one.finding(message, row)


class Against:
    """The questions of another dataset: whole conversations without system messages, and each longer user turn."""

    def __init__(self, conversations: Iterable[Sequence[Message]], name: str) -> None:
        self.name = name
        self._row: dict[int, int] = {}
        texts = []
        for row, messages in enumerate(conversations):
            for asked in _keys(messages):
                self._row.setdefault(asked, row)
            texts.append("\n".join(turn["content"] for turn in messages if turn["role"] not in INSTRUCTS))
        self.sketches: Bytes = sketch(texts or [""])

    def row(self, messages: Sequence[Message]) -> int | None:
        """Return the row of the other dataset that asks the same."""
        return next((self._row[asked] for asked in _keys(messages) if asked in self._row), None)


def _keys(messages: Sequence[Message]) -> Iterator[int]:
    turns = [turn for turn in messages if turn["role"] not in INSTRUCTS]
    texts = [folded(turn["content"]) for turn in turns]
    if any(texts):
        yield key("\x1e".join(texts))
        asked = (text for turn, text in zip(turns, texts, strict=True) if turn["role"] == "user")
        yield from (key(text) for text in asked if len(text) >= _LONG_ENOUGH)


@rule("PF209", against=True)
def leaked(sides: Sides, against: Against) -> Iterator[Seen]:
    """The prompt is in the evaluation set, too (spaces, case and system message apart): what is measured there is
    memory, not skill.
    """
    if (row := against.row(sides.context)) is not None:
        yield f"asks the same as row {row} of {against.name}", sides.pointer("chosen", max(0, sides.shared - 1))


_KNOWN = frozenset((*TEXT_COLUMNS, *NUMBER_COLUMNS, *SIDES))
_NAMES, _ROWS = 1000, 10_000


class Columns:
    """The columns that the schema leaves open: the types of each, in order, with the first rows that hold them."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, array[int]]] = {}

    def add(self, index: int, sides: Sides) -> None:
        """Take in a row."""
        for name, value in sides.row.items():
            if name not in _KNOWN and value is not None:
                self._rows(name, kind_of(value)).append(index)

    def join(self, other: Columns) -> None:
        """Take in the rows after these."""
        for name, kinds in other._seen.items():
            for kind, rows in kinds.items():
                self._rows(name, kind).extend(rows)

    def mixed(self) -> Iterator[tuple[str, str, str, int]]:
        """Return column, the type it began with, another type, and a row that holds it."""
        for name, kinds in self._seen.items():
            (first, _), *others = kinds.items()
            for kind, rows in others:
                yield from ((name, first, kind, row) for row in rows[:_ROWS])

    def _rows(self, name: str, kind: str) -> array[int]:
        """Return the list to add a row to; beyond the limits one that is not kept."""
        if name not in self._seen and len(self._seen) == _NAMES:
            return array("q")
        rows = self._seen.setdefault(name, {}).setdefault(kind, array("q"))
        return rows if len(rows) < _ROWS else array("q")


_DOMINATES, _USUAL, _FEWEST = 0.1, 3, 20


@rule("PF201", over="dataset")
def no_rows(dataset: DatasetState) -> Iterator[SeenAt]:
    """The dataset is empty: mostly a filter or a path is wrong. Trainers fail on it with a bare StopIteration."""
    if not dataset.count:
        yield None, "no rows"


@rule("PF202", "warning", over="dataset", collect=[Digests], fix=FIX)
def duplicate(dataset: DatasetState) -> Iterator[SeenAt]:
    """The same pair is in the dataset before: it weighs twice, and half of it may land in the evaluation split."""
    yield from repeated(dataset[Digests])


@rule("PF203", over="dataset", collect=[Digests], fix=FIX)
def swapped(dataset: DatasetState) -> Iterator[SeenAt]:
    """An earlier row holds the same two answers the other way round: the two rows contradict each other."""

    def turned(part: Digests) -> tuple[Mask, Ints]:
        first = first_with(part.pair(), part.pair(swapped=True))
        return (first >= 0) & (first < np.arange(len(first))) & (part.chosen != part.rejected), first

    for row, first in earlier(dataset[Digests], turned):
        yield row, f"the same pair as row {first}, with chosen and rejected swapped"


@rule("PF204", "info", over="dataset", collect=[Digests])
def prompt_again(dataset: DatasetState) -> Iterator[SeenAt]:
    """A prompt is in several pairs. That is fine in training; keep all of its rows on one side of a split."""
    count, found = 0, list[tuple[int, int]]()
    for part in dataset[Digests].parts():
        first, rows = earliest(part.prompt), part.rows
        again = np.flatnonzero((first != np.arange(len(first))) & (earliest(part.pair()) == np.arange(len(first))))
        count += len(again)
        found += [(int(rows[place]), int(rows[first[place]])) for place in again[:1]]
    if found:
        row, before = min(found)
        yield row, f"the same prompt as row {before} (the first of {plural(count, 'such row')})"


@rule("PF205", over="dataset", collect=[Digests], fix=FIX)
def in_a_circle(dataset: DatasetState) -> Iterator[SeenAt]:
    """Pairs of one prompt contradict one another: a over b, b over c, c over a. No model can satisfy all of them."""

    def once(part: Digests) -> Mask:
        """Return which pairs are there the first time, without those that PF203 reports."""
        pair = part.pair()
        found: Mask = (earliest(pair) == np.arange(len(pair))) & (first_with(pair, part.pair(swapped=True)) < 0)
        return found

    for circle in circles(dataset[Digests], once):
        others = ", ".join(map(str, circle[:-1][:8]))
        yield circle[-1], f"contradicts rows {others}: their preferences run in a circle"


@rule("PF206", "warning", over="dataset", collect=[Digests, Sketches])
def near_duplicate(dataset: DatasetState) -> Iterator[SeenAt]:
    """Nearly the same pair is in the dataset before, prompt and both answers alike: it weighs more than the others."""
    digests, sketches = dataset[Digests], dataset[Sketches]
    rows, found = sketches.rows, near_duplicates(sketches.parts, within=sketches.systems)
    found[earliest(digests.pair()) != np.arange(len(found))] = -1
    for place in np.flatnonzero(found >= 0):
        yield int(rows[place]), f"nearly the same pair as row {rows[found[place]]}"


@rule("PF207", "info", over="dataset", collect=[Digests, Sketches])
def near_prompt(dataset: DatasetState) -> Iterator[SeenAt]:
    """Prompts that are nearly the same: keep them on one side of a split, or the evaluation knows the answers."""
    digests, sketches = dataset[Digests], dataset[Sketches]
    rows, found = sketches.rows, near_duplicates(sketches.parts[:, :1], within=sketches.systems)
    found[digests.prompt == digests.prompt[found]] = -1
    for place in np.flatnonzero(found >= 0):
        yield int(rows[place]), f"near-duplicate prompt of row {rows[found[place]]}"


@rule("PF208", "warning", over="dataset", collect=[Digests])
def dominating_prompt(dataset: DatasetState) -> Iterator[SeenAt]:
    """One prompt has more than a tenth of all pairs, and far more than others: the model learns little else."""
    digests, prompts, often = dataset[Digests], 0, list[tuple[int, int]]()
    if (total := len(digests)) < _FEWEST:
        return
    for part in digests.parts():
        _, first, count = np.unique(part.prompt, return_index=True, return_counts=True)
        prompts += len(count)
        found = count > _DOMINATES * total
        often += zip(part.rows[first[found]].tolist(), count[found].tolist(), strict=True)
    for row, pairs in sorted(often):
        if pairs > _USUAL * total / prompts:
            yield row, f"the prompt of this row has {pairs} of all pairs ({pairs / total:.0%})"


_CANNED, _FEW = 5, 4
"""Prompts from which on an answer under all of them is canned; texts that are few."""
_SHARE, _HALF = 0.25, 0.5


@rule("PF213", "warning", over="dataset", collect=[Digests])
def canned_answers(dataset: DatasetState) -> Iterator[SeenAt]:
    """One to four texts are half of all answers of a side, under different questions: they were not made for these.

    The model learns to say them whatever it is asked. Short answers, such as yes, no or a number, don't count.
    """
    digests = dataset[Digests]
    for side in SIDES:
        texts = digests.texts(side)
        known, place, count = np.unique(texts, return_inverse=True, return_counts=True)
        if not len(texts) or np.sort(count)[-_FEW:].sum() < _HALF * len(texts):
            continue
        _, once = np.unique(mixed(texts, digests.prompt), return_index=True)
        prompts = np.bincount(place[once], minlength=len(known))
        short = np.bincount(place[~digests.long(side)], minlength=len(known)) > 0
        canned = np.where((prompts >= _CANNED) & ~short, count, 0)
        few = np.sort(canned[canned > 0])[-_FEW:]
        if few.sum() >= _HALF * len(texts):
            row = int(digests.rows[np.flatnonzero(place == canned.argmax())[0]])
            many = "1 text is" if len(few) == 1 else f"{len(few)} texts are"
            yield (
                row,
                f"{many} the {side} answer of {few.sum() / len(texts):.0%} of the rows, under different questions",
            )


@rule("PF214", "warning", over="dataset", collect=[Digests])
def one_rejected_answer(dataset: DatasetState) -> Iterator[SeenAt]:
    """One text is the rejected answer of a quarter of all rows or more, under different questions.

    The model learns to avoid this one text, and nothing about the questions.
    """
    digests, common = dataset[Digests], set[int]()
    for part in digests.parts():  # what is a quarter of all is a quarter of some part
        texts, found = np.unique(part.texts("rejected"), return_counts=True)
        common |= {*texts[found >= _SHARE * len(part)].tolist()}
    count, prompts, first = Counter[int](), Counter[int](), dict[int, tuple[int, bool]]()
    for part in digests.parts() if common else ():
        texts, rows, long = part.texts("rejected"), part.rows, part.long("rejected")
        for text in common:
            places = np.flatnonzero(texts == np.uint64(text))
            count[text] += len(places)
            prompts[text] += len(np.unique(part.prompt[places]))
            for place in places[:1]:
                here = int(rows[place]), bool(long[place])
                first[text] = min(first.get(text, here), here)
    top = max(sorted(common), key=count.__getitem__, default=0)
    if prompts[top] >= _CANNED and count[top] >= _SHARE * len(digests) and first[top][1]:
        share = f"{count[top]} rows ({count[top] / len(digests):.0%})"
        yield first[top][0], f"the rejected answer of this row is that of {share}"


class Endings:
    """How many answers of each side end without a mark: in a letter, behind which a sentence could go on."""

    def __init__(self) -> None:
        self.rows = 0
        self.open = [0, 0]
        self.first: int | None = None

    def add(self, index: int, sides: Sides) -> None:
        """Take in a row; answers of a few words, and those of several lines, need no mark."""
        one, other = sides.chosen[-1]["content"], sides.rejected[-1]["content"]
        if len(one) < _SENTENCE or len(other) < _SENTENCE:
            return
        self.rows += 1
        for side, text in enumerate((one, other)):
            if text[-1:].isalnum() or (text[-1:].isspace() and text.rstrip()[-1:].isalnum()):
                self.open[side] += 1
                self.first = index if self.first is None else self.first

    def join(self, other: Endings) -> None:
        """Take in the rows after these."""
        self.rows += other.rows
        self.open = [one + more for one, more in zip(self.open, other.open, strict=True)]
        self.first = other.first if self.first is None else self.first


_SENTENCE = 40
_OPEN = 0.2


@rule("PF215", "warning", over="dataset", collect=[Endings])
def no_end_mark(dataset: DatasetState) -> Iterator[SeenAt]:
    """Many answers of a side end without a mark (a full stop, a bracket, a block of code): in a letter or a number.

    Mostly they were cut off, or the marks were stripped. Where it is so on one side only, that alone tells the sides
    apart; where it is so on both, the model learns to stop anywhere. Answers of fewer than 40 characters don't count.
    """
    found = dataset[Endings]
    shares = [count / max(1, found.rows) for count in found.open]
    if found.rows >= _FEWEST and max(shares) >= _OPEN:
        chosen, rejected = (f"{share:.0%}" for share in shares)
        yield found.first, f"without a mark at the end: {chosen} of chosen and {rejected} of rejected answers"


@rule("PF210", over="dataset", collect=[Columns])
def mixed_column(dataset: DatasetState) -> Iterator[SeenAt]:
    """A column holds values of several types. Arrow holds one type a column: loading fails, or casts silently."""
    for name, first, kind, row in dataset[Columns].mixed():
        yield row, f"column {clip(name, 40)} holds {kind} here, {first} before"


@rule("PF211", "warning", over="dataset", collect=[Sketches], against=True, unless="PF209")
def nearly_leaked(dataset: DatasetState, against: Against) -> Iterator[SeenAt]:
    """The prompt is nearly one of the evaluation set: what is measured there is partly memory."""
    sketches, known = dataset[Sketches], len(against.sketches)
    found = near_duplicates(np.concatenate((against.sketches[:, None], sketches.parts[:, :1])), start=known)
    rows = sketches.rows
    for place in np.flatnonzero(found >= 0):
        yield int(rows[place]), f"asks nearly the same as row {found[place]} of {against.name}"


@rule("PF212", "info", over="lines", fix=FIX)
def unusual_lines(noted: Collection[str]) -> Iterator[Seen]:
    """The file begins with a byte-order mark, or has blank lines or Windows line ends.

    pairforge ignores them, and does not count a blank line as a row; other readers stumble over them.
    """
    if noted:
        yield f"the file has {', '.join(sorted(noted))}: ignored", ""


TEXTS_ONLY = frozenset(("texts", "hh", "implicit-texts", "templated", "templated-prompt"))
"""The shapes whose `chosen` and `rejected` are texts, as TRL's trainers read them too."""


@rule("PF216", "info", over="shape", fix="pairforge convert {data} pairs.jsonl --to trl")
def texts_without_template(what: str) -> Iterator[Seen]:
    """The rows hold texts, not messages. TRL's trainers take them as they are, and apply no chat template.

    A chat model is then trained on prompts as it never sees them. `pairforge train dpo` reads the texts as messages;
    elsewhere, convert them. For a base model without a chat template texts are right.
    """
    yield f"the rows hold {what}: TRL trains on them as plain text, without the chat template", ""
