"""The verb `balance`: remedies for what `shortcuts` finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from ..checks.duplicates import Digests, contradictions
from ..checks.fixes import DROPS, EDGES, fix_row
from ..checks.row import Sides
from ..checks.shortcuts import Cue, audit
from ..checks.shortcuts.rebalancing import CueMeasures, Evidence, Repicker, subsample, unintended
from ..console import note
from ..errors import InputError
from ..formats import writers
from ..options.declaration import as_tuple, keywords
from ..options.pairs import BalanceOptions
from ..readers.spool import RowSpool
from ..run import Run
from ..store import Store
from ..text import did_you_mean, plural
from .balance_result import Balanced, advice
from .change_log import ChangeLog, KeptRows, write_with_record
from .inputs import PairInput, check_output

REMEDIES = ("repick", *EDGES, *DROPS, "contradictory")
"""The remedies that are used where none is named, in this order."""


@keywords(BalanceOptions)
def balance(options: BalanceOptions) -> Balanced:
    """Fix what distinguishes chosen from rejected too cheaply, and audit the pairs before and after.

    Without `out`, a file of JSON Lines, nothing is written, and the result says what would be done. All `REMEDIES` are
    used, or those that `select` names, but for those that `ignore` names; `subsample` also drops rows, at most a fifth,
    until each cue is as often on one side as on the other. What is dropped or changed is kept beside `out`, each row as
    it was, with the reason.

    Raises InputError for a row that is not a pair, where nothing would be left, and where `out` exists (but with
    `overwrite`) or is the source.
    """
    selected, ignored = as_tuple(options.select), as_tuple(options.ignore)
    for name in (*selected, *ignored):
        if name not in REMEDIES:
            fix = did_you_mean(name, REMEDIES) or f"one of {', '.join(REMEDIES)}"
            raise InputError(f"no remedy is called {name!r:.40}", fix=fix)
    wanted = frozenset(selected or REMEDIES) - frozenset(ignored)
    source = PairInput.of(options)
    path = None if options.out is None else Path(options.out)
    for written in (path, beside(path)) if path else ():
        check_output(written, (".jsonl", ".ndjson"), source, overwrite=options.overwrite)
    if not options.quiet:
        note("looking for what separates chosen from rejected answers")
    audited = partial(
        audit,
        expect=[*as_tuple(options.expect), *source.new_names],
        most=options.max_prompts,
        seed=options.seed,
        jobs=options.jobs,
        fail_on=options.fail_on,
    )
    with ExitStack() as stack:
        given, changes = stack.enter_context(RowSpool(_writable(source))), ChangeLog()
        before = audited(given)
        repicker = _repicker(unintended(before.cues), source.run, given) if "repick" in wanted else None
        fixed = stack.enter_context(RowSpool(_fixed(given, wanted, repicker, changes)))
        kept, unbalanced = KeptRows(fixed, changes.dropped), list[str]()
        if options.subsample and any(True for _ in kept):
            measures = CueMeasures(unintended(audited(kept).cues))
            drop, unbalanced = subsample(kept.numbered(), measures, options.seed)
            for row, cue in drop.items():
                changes.drop(row, "subsample", f"drawn at random, against {cue!r}")
        if not any(True for _ in kept):
            raise InputError(
                f"nothing would be left of {plural(len(given), 'row')}: {changes}",
                fix=f"see: pairforge validate {source.word}",
            )
        after = audited(kept)
        if path:
            write_with_record(path, kept, beside(path), changes.lines(given))
        left = advice(after, source.run, unbalanced, repicker.unknown if repicker else 0)
        return Balanced(before, after, changes, path, beside(path) if path else None, left)


def beside(out: Path) -> Path:
    """Return the file for what was dropped or changed: `pairs.dropped.jsonl` beside `pairs.jsonl`."""
    return out.with_name(f"{out.stem}.dropped.jsonl")


def _writable(rows: PairInput) -> Iterator[Mapping[str, Any]]:
    """Yield the rows. Raises InputError for one that no file can hold."""
    for number, row in enumerate(rows):
        try:
            writers.encoded(row)
        except (ValueError, TypeError) as error:
            fix = f"see all such rows with: pairforge validate {rows.word}"
            raise InputError(f"row {number} can't be written: {error}", fix=fix) from error
        yield row


def _repicker(cues: Sequence[Cue], run: Run | None, rows: Iterable[Mapping[str, Any]]) -> Repicker | None:
    """Return what picks pairs again from the evidence beside an on-policy run, if cues were found in it."""
    if run is None or run.command != "onpolicy" or not cues or not (run.path.parent / "evidence.db").exists():
        return None
    with closing(Store(run.path.parent)) as store:
        answers, scores = store.answers(run.settings["sampling"]), store.scores(run.settings["judge"])
    return Repicker(CueMeasures(cues), Evidence(answers, scores, run.settings.get("margin", 0.0)), rows)


def _fixed(
    rows: Iterable[Mapping[str, Any]], wanted: frozenset[str], repicker: Repicker | None, changes: ChangeLog
) -> Iterator[Mapping[str, Any]]:
    """Yield each row as it is after the remedies; `changes` records which are dropped."""
    digests = Digests()
    for number, row in enumerate(rows):
        other = repicker.pick(row) if repicker else None
        if other:
            changes.change(number, "repick", "other answers of the same prompt")
        done = fix_row(other or row, wanted)
        for remedy, why in done.changes:
            changes.change(number, remedy, why)
        if done.dropped:
            changes.drop(number, *done.dropped)
        else:
            digests.add(number, Sides.of(done.row))
        yield done.row
    for number, why in contradictions(digests).items() if "contradictory" in wanted else ():
        changes.drop(number, "contradictory", why)
