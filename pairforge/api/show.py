"""The verb `show`: pairs with their differences, or one pair in tokens, as the trainer sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from ..checks import RULES
from ..checks.row import well_shaped
from ..checks.shortcuts import audit
from ..errors import InputError
from ..notebook import HtmlRepr
from ..options.declaration import keywords
from ..options.pairs import ShowOptions
from ..pair_view import PairView
from ..run import out_dir, run_names
from ..text import did_you_mean
from ..token_view import XRay
from ..tokenization import render
from ..types import Skip
from .inputs import PairInput, find_run
from .models import open_tokenizer
from .pair_selection import Selection, select


@dataclass(repr=False)
class Shown(HtmlRepr):
    """The pairs to show, with the number of each in its file, counted from 0; in tokens, if that was asked for.

    `of` is the selection that they are from; None for one pair that was named.
    """

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    xray: XRay | None = None
    ok: bool = True
    of: Selection | None = None
    filtered: bool = False
    side_by_side: bool = False
    easiness: Mapping[int, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Shown: {', '.join(self._counts()) or f'pair {self.rows[0][0]}'}>"

    def as_json(self) -> dict[str, Any]:
        said = {"command": "show", "ok": self.ok, "pairs": [dict(row) for _, row in self.rows]}
        said |= {"rows": [number for number, _ in self.rows]}
        if self.of:
            said |= {"matching": self.of.matching, "total": self.of.rows if self.of.whole else None}
        return said | ({"tokens": self.xray.as_json()} if self.xray else {})

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        if self.xray:
            yield self.xray
            return
        for number, row in self.rows:
            yield PairView(row, number, self.side_by_side, self.easiness.get(number))
            yield ""
        yield from self._counts()

    def _counts(self) -> Iterator[str]:
        """Yield how many there are: `3 of 1102 pairs`."""
        if not self.of:
            return
        shown, of = len(self.rows), self.of
        more, least = ("; --limit N for more", "") if shown < of.matching else ("", "")
        if not of.whole:
            more, least = "; --limit N for more", "at least "
        if not self.filtered:
            yield f"{shown} of {least}{of.rows} pairs shown{more}" if of.rows else "no pairs"
        elif of.matching:
            match = "matches" if of.matching == 1 else "match"
            yield f"{least}{of.matching} of {of.rows} pairs {match}, {shown} shown{more}"
        else:
            yield f"none of {of.rows} pairs matches"


@keywords(ShowOptions)
def show(options: ShowOptions) -> Shown:
    """Return pairs of a file or run, with their differences, or one of them in tokens.

    The pairs are the first ones, those that `where` and `grep` select, or those that are first in the order of `sort`.
    Raises InputError where a row is not a pair, or the pair is not there, or there is no run.
    """
    data, pair = options.data, options.pair
    if isinstance(data, str) and pair is None:
        is_path = data == "-" or set(data) & set("/\\:.") or Path(data).exists()
        if not is_path and not find_run(data, options.output):  # a pair of the latest run
            data, pair = None, data
    source = PairInput(data, options.output, quiet=options.quiet, columns=options.columns)
    limit = 1 if options.tokens else options.limit
    if pair is not None:
        _refuse_selection(options)
        made = Shown([_named(source, pair, options)], side_by_side=options.side_by_side)
    else:
        with source if options.sort == "easiness" else nullcontext():
            easiness = audit(source, source.new_names).easiness if options.sort == "easiness" else {}
            pairs = (_pair(source, number, row) for number, row in enumerate(source))
            of = select(pairs, options, limit, easiness)
        made = Shown(
            of.pairs,
            of=of,
            filtered=bool(options.where or options.grep),
            side_by_side=options.side_by_side,
            easiness={number: easiness[number] for number, _ in of.pairs if number in easiness},
        )
    if options.tokens and made.rows:
        made.xray = _xray(source, *made.rows[0], options)
    return made


def _refuse_selection(options: ShowOptions) -> None:
    """Refuse options that select pairs where one pair is named."""
    for name in ("where", "grep", "reverse"):
        if getattr(options, name):
            raise InputError(f"--{name} has no effect on one pair", fix="leave out the pair, or the option")
    if options.sort != "file":
        raise InputError("--sort has no effect on one pair", fix="leave out the pair, or the option")


def _pair(source: PairInput, number: int, row: Any) -> tuple[int, Any]:
    """Return a row with its number. Raises InputError where it is not a pair."""
    if _is_pair(row):
        return number, row
    what = f"{source.name}: row {number} is not a pair of message lists"
    raise InputError(what, fix=f"see why with: pairforge validate {source.word}")


def _named(source: PairInput, pair: str, options: ShowOptions) -> tuple[int, Mapping[str, Any]]:
    """Return the pair of that id, else the one in that row."""
    by_number, rows = None, 0
    for number, row in enumerate(source):
        rows = number + 1
        if isinstance(row, Mapping) and str(row.get("id")) == pair:
            return _pair(source, number, row)
        if str(number) == pair:
            by_number = number, row
    if by_number:
        return _pair(source, *by_number)
    runs = run_names(out_dir(options.output)) if options.pair is None else []
    what = f"no run is called {pair}, and {source.name}" if runs else source.name
    hint = did_you_mean(pair, runs)
    raise InputError(f"{what} has no pair {pair}", fix=hint or f"give an id, or a row number from 0 to {rows - 1}")


def _xray(source: PairInput, number: int, row: Mapping[str, Any], options: ShowOptions) -> XRay:
    """Return the tokens of a pair for the model that is named, else that of the run, else that of the row."""
    run = source.run
    model = options.model or (run.settings["model"] if run else row.get("model"))
    if not isinstance(model, str) or not model:
        raise InputError(f"{source.name} names no model", fix="say which will be trained, with --model")
    known = run.asked_with(model) if run else {}
    template = options.chat_template or known.get("chat_template")
    reader = open_tokenizer(model, options.revision or known.get("revision"), options.quiet, template)
    if arguments := known.get("chat_template_kwargs"):
        row = {**row, "chat_template_kwargs": row.get("chat_template_kwargs") or arguments}
    seen = render(reader.tokenizer, [row], options.max_length)[0]
    if isinstance(seen, Skip):
        what = f"row {number} can't be rendered: {seen.detail}"
        raise InputError(what, fix="see why: pairforge validate --explain PF401")
    checker = reader.checker(options.max_length)
    found = [*checker.see(number, row), *checker.findings()]
    findings = [finding for finding in found if not RULES[finding.code].summary]
    named = {"number": number, "id": str(row.get("id", "")), "model": model, "findings": findings}
    return XRay.of(reader.tokenizer, seen, **named)


def _is_pair(row: Any) -> bool:
    """Return whether a row has two lists of texts with roles, of whatever name, or is a pair in full."""
    if not isinstance(row, Mapping):
        return False
    if well_shaped(row):
        return True
    prompt = row.get("prompt")
    sides: list[Any] = [
        row.get("chosen"),
        row.get("rejected"),
        *([prompt] if isinstance(prompt, list) and prompt else []),
    ]
    return all(isinstance(side, list) and side for side in sides) and all(
        isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in chain(*sides)
    )
