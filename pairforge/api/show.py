"""The verb `show`: pairs as a word diff, or one pair in tokens, as the trainer sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..checks import RULES
from ..checks.schema import is_pair
from ..console import PairView
from ..errors import InputError
from ..options import ShowOptions, keywords
from ..token_view import XRay
from ..tokenization import render
from ..types import Skip
from .inputs import PairInput
from .models import open_tokenizer


@dataclass
class Shown:
    """The pairs to show, with the number of each in its file, counted from 0; in tokens, if that was asked for."""

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    xray: XRay | None = None
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        said = {"command": "show", "ok": self.ok, "pairs": [dict(row) for _, row in self.rows]}
        return said | ({"tokens": self.xray.as_json()} if self.xray else {})

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        if self.xray:
            yield self.xray
            return
        for number, row in self.rows:
            yield PairView(row, number)
            yield ""


@keywords(ShowOptions)
def show(options: ShowOptions) -> Shown:
    """Return the first pairs of a file or run, or one of them, as a word diff or in tokens.

    Raises InputError where a row is not a pair, or the pair is not there, or there is no run.
    """
    data, pair = options.data, options.pair
    # A name that can't be one of a source is taken for a pair of the latest run.
    if isinstance(data, str) and pair is None and not (data == "-" or Path(data).exists() or set(data) & set("/\\:.")):
        data, pair = None, data
    source = PairInput(data, options.output, quiet=options.quiet, columns=options.columns)
    rows = list(_chosen(source, pair, 1 if options.tokens else options.limit))
    if pair is not None and not rows:
        raise InputError(f"{source.name} has no pair {pair}", fix="give an id, or a row number counted from 0")
    for number, row in rows:
        if not (isinstance(row, Mapping) and is_pair(dict(row))):
            what = f"{source.name}: row {number} is not a pair of message lists"
            raise InputError(what, fix=f"see why with: pairforge validate {source.name}")
    return Shown(rows, _xray(source, *rows[0], options) if options.tokens and rows else None)


def _chosen(rows: Iterable[Any], pair: str | None, limit: int) -> Iterable[tuple[int, Any]]:
    """Return the first rows with their numbers, or the one that is named: by its id, else by its number."""
    if pair is None:
        return islice(enumerate(rows), limit)
    by_number = []
    for number, row in enumerate(rows):
        if isinstance(row, Mapping) and str(row.get("id")) == pair:
            return [(number, row)]
        if str(number) == pair:
            by_number = [(number, row)]
    return by_number


def _xray(source: PairInput, number: int, row: Mapping[str, Any], options: ShowOptions) -> XRay:
    """Return the tokens of a pair for the model that is named, else that of the run, else that of the row."""
    run = source.run
    model = options.model or (run.settings["model"] if run else row.get("model"))
    if not isinstance(model, str) or not model:
        raise InputError(f"{source.name} names no model", fix="say which will be trained, with --model")
    revision = options.revision or (run.revision_of(model) if run else None)
    reader = open_tokenizer(model, revision, options.quiet)
    seen = render(reader.tokenizer, [row], options.max_length)[0]
    if isinstance(seen, Skip):
        what = f"row {number} can't be rendered: {seen.detail}"
        raise InputError(what, fix="see why: pairforge validate --explain PF401")
    checker = reader.checker(options.max_length)
    found = [*checker.see(number, row), *checker.findings()]
    findings = [finding for finding in found if not RULES[finding.code].summary]
    named = {"number": number, "id": str(row.get("id", "")), "model": model, "findings": findings}
    return XRay.of(reader.tokenizer, seen, **named)
