"""The verb `shortcuts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..checks.rule import BALANCE
from ..checks.shortcuts import Report, audit
from ..checks.shortcuts.rebalancing import beyond_balance
from ..console import note
from ..disk import write_atomic, write_json_lines
from ..errors import InputError
from ..options.declaration import as_tuple, keywords
from ..options.pairs import ShortcutsOptions
from ..samplers.model_names import check_model
from ..svg import require_matplotlib
from .baseline import worse_than
from .difficulty import difficulty
from .inputs import PairInput, check_output


@keywords(ShortcutsOptions)
def shortcuts(options: ShortcutsOptions) -> Report:
    """Audit pairs for what distinguishes chosen from rejected most cheaply.

    The new names of a correction run are expected to differ. With `model`, the one to be trained, the report says how
    hard the pairs are for DPO on it: see `difficulty`. Raises InputError for a row that is not a pair, and where `svg`
    is given and matplotlib is not installed.
    """
    if options.svg:
        require_matplotlib("--svg")
    if options.tokenizer:
        check_model(options.tokenizer, None, "tokenizer")
    source = PairInput.of(options)
    for name, path, suffix in (("svg", options.svg, ".svg"), ("easiness", options.easiness, ".jsonl")):
        if path:
            check_output(Path(path), (suffix,), source, overwrite=None, option=f"--{name} ")
    with source as rows:
        if not options.quiet:
            note("looking for what separates chosen from rejected answers")
        audit_of = partial(
            audit,
            expect=[*as_tuple(options.expect), *rows.new_names],
            level=options.fdr,
            most=None if options.whole else options.max_prompts,
            jobs=options.jobs,
            seed=options.seed,
            by=_ModelTokens(options.tokenizer) if options.tokenizer else None,
            fail_on=options.fail_on,
        )
        counted = _CountedRows(rows)
        report = audit_of(counted)
        report = replace(report, kinds=_by_kind(counted, audit_of))
        hard = difficulty(rows, options.model) if options.model else None
    report = replace(report, difficulty=hard, next_step=_next_step(report, rows))
    if options.baseline is not None:
        report = replace(report, worse=worse_than(options.baseline, report.as_json(), source.name))
    if options.svg:
        write_atomic(Path(options.svg), report.svg())
    if options.easiness:
        numbers = {one.row: asdict(one) for one in hard.pairs} if hard else {}
        lines = [{"row": row, "easiness": value} | numbers.get(row, {}) for row, value in report.easiness.items()]
        write_json_lines(Path(options.easiness), lines)
    return report


class _CountedRows:
    """Rows, counted by their `method` when they are first read, so that they are not read once more for that."""

    def __init__(self, rows: PairInput) -> None:
        self._rows, self.methods = rows, Counter[str]()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows) if self.methods else self._counting()

    def _counting(self) -> Iterator[Any]:
        for row in self._rows:
            yield row
            self.methods[_method(row)] += 1  # what is no row has been refused


def _method(row: Any) -> str:
    return str(row.get("method") or "none")


def _by_kind(rows: _CountedRows, audit_of: Callable[[Iterable[Any]], Report]) -> dict[str, Report]:
    """Return the report on the pairs of each `method`, where there are several: a mixture hides what one of them has.

    A kind whose pairs have the same answer on both sides has none.
    """
    reports = dict[str, Report]()
    for kind in rows.methods if len(rows.methods) > 1 else ():
        with suppress(InputError):
            reports[kind] = audit_of(row for row in rows if _method(row) == kind)
    return reports


def _next_step(report: Report, source: PairInput) -> str:
    """Return what to do about the verdict."""
    if report.verdict == "ok":
        return ""
    if not any(cue.grade != "low" and not cue.intended for cue in report.cues):
        return "next: look at the pairs that are easiest to tell apart: pairforge show --sort easiness"
    others = source.run is not None and source.run.command == "onpolicy"  # other answers can be picked
    if not others and (lasting := beyond_balance(report.cues)):
        return f"next: {lasting[0]}"
    return f"next: {BALANCE.format(data=source.word)}"


class _ModelTokens:
    """Splits texts into the tokens of a model."""

    def __init__(self, model: str) -> None:
        from ..samplers.model_loading import load_tokenizer

        self._tokenizer = load_tokenizer(model, None)

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        split = list[list[str]]()
        for text, spans in zip(texts, found["offset_mapping"], strict=True):
            ends = [0, *sorted({end for _, end in spans} - {0})]  # cut after each token: a space stays with its word
            split.append([text[start:end] for start, end in pairwise(ends)])
        return split
