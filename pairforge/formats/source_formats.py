"""The rows of a set: their shape recognised from many, each row as pairs, or as a check is to see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from ..errors import InputError
from ..options.pairs import Pick
from ..text import one_line
from ..types import SIDES, Row, Skip
from . import columns, kto
from .columns import Names
from .context import MisfitError, has_talk
from .joined import JOINED
from .shapes import SHAPES, UNKNOWN, Shape, are_texts

NO_PAIR = ("tie", JOINED)
"""The reasons of rows that are sound and give no pair: no answer is better, or another row has the pair."""
LOOKED_AT = 100
"""How many rows decide on the shape of a set."""


def _what_else(rows: Sequence[Row]) -> tuple[str, bool]:
    """Return what rows hold that are not pairs of a known shape, and whether naming the columns may help."""
    row, guessed = rows[0], columns.guessed(rows)
    named = ", ".join(repr(str(name)[:30]) for name in list(row)[:8]) or "none"
    if "instruction" in row and isinstance(row.get("output"), str):
        return "answers without a counterpart (instruction, output)", False
    if isinstance(row.get("prompt"), Mapping) and "replies" in row["prompt"]:
        return "message trees without ranked replies", False
    if not {*SIDES} & row.keys() and has_talk(row, "conversations", "messages") and len(guessed) < 3:
        return "conversations without a rejected answer", False
    if are_texts(row) and not any(isinstance(value, str) for name, value in row.items() if name not in SIDES):
        return "chosen and rejected texts without a prompt", True
    return f"the columns {named}", len(guessed) > 1


def shape_of(rows: Iterable[Any], by_hand: Names | None = None) -> Shape:
    """Return the shape of most of the first rows; `UNKNOWN`, with what was found as `what`, where none has any.

    `by_hand` are the columns that the user named. Raises InputError for one that is not there.
    """
    seen = list(_first_mappings(rows))
    if not seen:
        return replace(UNKNOWN, what="no rows")
    if by_hand and by_hand.parts:
        for part, path in by_hand.parts.items():
            if all(columns.at(row, path) is None for row in seen):
                found = ", ".join(dict.fromkeys(str(key) for row in seen for key in row))
                what = f"--columns {part}={path}: no such column, found {one_line(found, 200)}"
                raise InputError(what, fix=columns.advice(seen))
        seen = [by_hand.view(row) for row in seen]
    tried = [Names()]
    if (known := columns.known_names(seen)).parts:
        tried.insert(0, known)
    if lifted := columns.nested(seen):
        inner = Names(lifted=lifted)
        tried += [Names(columns.known_names([inner.view(row) for row in seen]).parts, lifted)]
    for names in tried:
        views = [names.view(row) for row in seen]
        fitting = (next((shape for shape in SHAPES if shape.test(row)), None) for row in views)
        if counted := Counter(shape for shape in fitting if shape):
            shape = max(counted, key=lambda shape: (counted[shape], shape.native))
            given = by_hand.parts if by_hand else {}
            return shape.of(views, Names({**names.parts, **given}, names.lifted))
    return replace(UNKNOWN, what=_what_else(seen)[0])


def refusal(shape: Shape, rows: Iterable[Any] = ()) -> InputError:
    """Return the error for rows of `UNKNOWN` shape: what they hold, and how their columns can be named."""
    seen = list(_first_mappings(rows))
    if not seen or not _what_else(seen)[1]:
        return InputError(f"these are not pairs: {shape.what}", fix="the shapes that are read: docs/formats.md")
    what = shape.what if shape.what.startswith("chosen") else f"of {shape.what} it is not known which hold the pair"
    if len(missing := [side for side in SIDES if not any(side in row for row in seen)]) == 1:
        what = f"`{missing[0]}` is missing: found {shape.what}"
    return InputError(what, fix=f"name them: {columns.advice(seen)}")


def _first_mappings(rows: Iterable[Any]) -> Iterator[Row]:
    """Yield the first rows that are mappings, as dicts; one of a class of the user's own may fail to be read."""
    for row in islice(rows, LOOKED_AT):
        if isinstance(row, Mapping):
            with suppress(Exception):
                yield dict(row)


def recognise(rows: Iterable[Any], by_hand: Names | None = None) -> tuple[Shape, Iterator[Any]]:
    """Return the shape of the rows, and all of them."""
    stream = iter(rows)
    start = list(islice(stream, LOOKED_AT))
    return shape_of(start, by_hand), chain(start, stream)


def presented(rows: Iterable[Any], shape: Shape | None = None) -> Iterator[Any]:
    """Return the rows as a check is to see them, one for one.

    Those of a foreign shape come as pairs of whole conversations, of several answers the best against the worst; one
    that doesn't fit the shape of the set is a Skip that says why, with the reason `shape`, or `tie` where no answer is
    better. Rows of a native or unknown shape, and answers with labels, come as they are.
    """
    if shape is None:
        shape, rows = recognise(rows)
    if shape.native or not shape.known or shape.name == kto.NAME:
        return iter(rows)
    return _best_pairs(rows, shape)


def _best_pairs(rows: Iterable[Any], shape: Shape) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            yield row
            continue
        try:
            made = shape.pairs(row, set(), "best-worst")
        except MisfitError as error:
            yield Misfit.of(number, error)
        else:
            yield made[0] if made else tie(number)


def tie(number: int) -> Skip:
    """Return what a row becomes in which no answer is better than another."""
    return Skip("tie", f"row {number}: no answer is better than another")


def pairs_in(row: Any, shape: Shape, lost: set[str], pick: Pick) -> list[dict[str, Any]]:
    """Return the pairs in a row by the shape of its set, or by its own: what was put together from several is mixed.

    The arguments and errors are those of `Shape.pairs`; answers with labels are no pairs.
    """
    try:
        return shape.pairs(row, lost, pick)
    except MisfitError:
        own = shape_of([row])
        if not own.known or own.name in (kto.NAME, shape.name):
            raise
        lost.clear()
        with suppress(MisfitError):
            return own.pairs(row, lost, pick)
        raise


@dataclass(frozen=True)
class Misfit(Skip):
    """A row that does not fit the shape of its set: where in it, as `MisfitError` says."""

    part: str = "row"
    path: str = ""

    @classmethod
    def of(cls, number: int, error: MisfitError) -> Misfit:
        return cls("shape", f"row {number}: {error}", error.part, error.path)


def as_pairs(
    rows: Iterable[Any], shape: Shape, lost: Counter[str], pick: Pick = "all-pairs"
) -> Iterator[dict[str, Any] | Skip]:
    """Yield every row as pairs of whole conversations, or a Skip; `lost` counts, by name, what a pair can't hold.

    Of several answers those become pairs that `pick` says. Answers with labels are paired where a prompt has both
    labels. Raises InputError for `UNKNOWN`.
    """
    if not shape.known:
        rows = iter(rows)
        raise refusal(shape, rows)
    if shape.name == kto.NAME:
        yield from kto.paired((shape.names.view(row) if isinstance(row, Mapping) else row for row in rows), lost)
        return
    for number, row in enumerate(rows):
        if isinstance(row, Skip):
            yield row
            continue
        gone = set[str]()
        try:
            made = pairs_in(row, shape, gone, pick)
        except MisfitError as error:
            yield Misfit.of(number, error)
            continue
        lost.update(gone)
        yield from made
        if not made:
            yield tie(number)
