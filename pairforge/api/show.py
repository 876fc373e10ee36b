"""The verb `show`: pairs as a word diff, or one pair in tokens, as the trainer sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import RULES
from ..console import PairView
from ..errors import InputError
from ..options import ShowOptions, keywords
from ..token_view import XRay
from ..tokenization import render
from ..types import Skip
from .inputs import PairInput
from .models import open_tokenizer

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


@dataclass
class Shown:
    """The pairs to show, with the number of each in its file, counted from 0; in tokens, if that was asked for."""

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    xray: XRay | None = None
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        said = {"command": "show", "ok": self.ok, "pairs": [dict(row) for _, row in self.rows]}
        return said | ({"tokens": self.xray.as_json()} if self.xray else {})

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
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
    source = PairInput(data, options.output, quiet=options.quiet)
    rows = list(_chosen(source, pair, 1 if options.tokens else options.limit))
    if pair is not None and not rows:
        raise InputError(f"{source.name} has no pair {pair}", fix="give an id, or a row number counted from 0")
    for number, row in rows:
        if not _is_pair(row):
            raise InputError(
                f"{source.name}: row {number} is not a pair of message lists",
                fix=f"see why with: pairforge validate {source.name}",
            )
    if not options.tokens or not rows:
        return Shown(rows)
    number, row = rows[0]
    return Shown(
        rows,
        _xray(number, row, *_model(source, row, options.model, options.revision), options.max_length, options.quiet),
    )


def _chosen(rows: Iterable[Any], pair: str | None, limit: int) -> Iterable[tuple[int, Any]]:
    """The first rows with their numbers, or the one that is named: by its id, else by its number."""
    if pair is None:
        return islice(enumerate(rows), limit)
    by_number = []
    for number, row in enumerate(rows):
        if isinstance(row, Mapping) and str(row.get("id")) == pair:
            return [(number, row)]
        if str(number) == pair:
            by_number = [(number, row)]
    return by_number


def _model(
    source: PairInput, row: Mapping[str, Any], model: str | None, revision: str | None
) -> tuple[str, str | None]:
    """The model to read with, and its revision: the one named, else the run's, else the row's."""
    run = source.run
    name = model or (run.settings["model"] if run else row.get("model"))
    if not isinstance(name, str) or not name:
        raise InputError(f"{source.name} names no model", fix="say which will be trained, with --model")
    return name, revision or (run.revision_of(name) if run else None)


def _xray(number: int, row: Mapping[str, Any], model: str, revision: str | None, max_length: int, quiet: bool) -> XRay:
    reader = open_tokenizer(model, revision, quiet)
    seen = render(reader.tokenizer, [row], max_length)[0]
    if isinstance(seen, Skip):
        raise InputError(
            f"row {number} can't be rendered: {seen.detail}", fix="see why: pairforge validate --explain PF401"
        )
    checker = reader.checker(max_length)
    found = [*checker.see(number, row), *checker.findings()]
    findings = [finding for finding in found if not RULES[finding.code].summary]
    named = {"number": number, "id": str(row.get("id", "")), "model": model, "findings": findings}
    return XRay.of(reader.tokenizer, seen, **named)


def _is_pair(row: Any) -> bool:
    if not isinstance(row, Mapping):
        return False
    prompt = row.get("prompt")
    for side in (row.get("chosen"), row.get("rejected"), *([prompt] if isinstance(prompt, list) and prompt else [])):
        if not isinstance(side, list) or not side or not all(isinstance(turn, Mapping) for turn in side):
            return False
        if not all(isinstance(turn.get(key), str) for turn in side for key in ("role", "content")):
            return False
    return True
