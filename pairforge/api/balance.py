"""The verb `balance`: remedies for what `shortcuts` finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any

from ..checks.duplicates import Digests, contradictions
from ..checks.fixes import DROPS, MENDS, mended
from ..checks.row import Sides
from ..checks.shortcuts import Cue, Report, audit
from ..checks.shortcuts.rebalancing import Evidence, Repicker, RowFeatures, thinned, unintended
from ..checks.shortcuts.report import Severity3
from ..disk import atomic, write_errors
from ..errors import InputError
from ..formats import writers
from ..options import PairData
from ..run import Run
from ..store import Store
from .balance_result import Balanced, Ledger, Rows, advice
from .inputs import PairInput, check_output
from .models import as_tuple

REMEDIES = ("repick", *MENDS, *DROPS, "contradictory")
"""Those that are used where none are named, in this order."""


def balance(
    data: PairData,
    out: str | PathLike[str] | None = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    subsample: bool = False,
    expect: Sequence[str] = (),
    fail_on: Severity3 = "high",
    max_prompts: int = 20_000,
    seed: int = 0,
    jobs: int = 1,
    overwrite: bool = False,
    output: str | None = None,
    quiet: bool = False,
) -> Balanced:
    """Mends what tells chosen from rejected too cheaply, and audits the pairs before and after.

    `data` is a run folder, a file, rows, or None for the latest run. Without `out`, a file of JSON Lines, it is only
    shown what would be done. All `REMEDIES` are used, or those that `select` names, but for those that `ignore` names;
    `subsample` also drops rows, at most a fifth, until the rest points as often one way as the other. What is dropped
    or changed is kept beside `out`, each row as it was, with the reason. `expect`, `fail_on`, `max_prompts`, `seed` and
    `jobs` are those of `shortcuts`.

    Raises InputError for a row that is no pair, where nothing would be left, and where `out` exists (but with
    `overwrite`) or is the source.
    """
    wanted = _wanted(select, ignore)
    source = PairInput(data, output, quiet=quiet)
    path = None if out is None else _place(Path(out), source, overwrite)
    terms = [*as_tuple(expect), *source.new_names]

    def look(rows: Iterable[Mapping[str, Any]]) -> Report:
        return audit(rows, terms, most=max_prompts, seed=seed, jobs=jobs, fail_on=fail_on)

    with ExitStack() as stack:
        given, made = stack.enter_context(Rows()), stack.enter_context(Rows())
        given.fill(source)
        before, ledger = look(given), Ledger()
        run = source.run
        repicker = _repicker(unintended(before.cues), run, given) if "repick" in wanted else None
        made.fill(_mended(given, wanted, repicker, ledger))
        kept, uneven = made.without(ledger.dropped), list[str]()
        if subsample and any(True for _ in kept):
            thin, uneven = thinned(kept.numbered(), RowFeatures(unintended(look(kept).cues)), seed)
            for row, cue in thin.items():
                ledger.drop(row, "subsample", f"drawn by lot, against {cue!r}")
        if not any(True for _ in kept):
            raise InputError(f"nothing would be left of {len(given)} rows: {ledger}", fix="see: pairforge validate")
        after = look(kept)
        if path:
            _write(path, given, kept, ledger)
        told_of = advice(after, run, uneven, repicker.unknown if repicker else 0)
        return Balanced(before, after, ledger, path, beside(path) if path else None, told_of)


def beside(out: Path) -> Path:
    """Where what was dropped or changed is kept: `pairs.dropped.jsonl` beside `pairs.jsonl`."""
    return out.with_name(f"{out.stem}.dropped.jsonl")


def _wanted(select: Sequence[str], ignore: Sequence[str]) -> frozenset[str]:
    chosen, left = (as_tuple(names) for names in (select, ignore))
    for name in (*chosen, *left):
        if name not in REMEDIES:
            raise InputError(f"no remedy is called {name!r:.40}", fix=f"one of {', '.join(REMEDIES)}")
    return frozenset(chosen or REMEDIES) - frozenset(left)


def _place(path: Path, source: PairInput, overwrite: bool) -> Path:
    for file in (path, beside(path)):
        check_output(file, (".jsonl", ".ndjson"), source, overwrite=overwrite)
    return path


def _repicker(cues: Sequence[Cue], run: Run | None, rows: Iterable[Mapping[str, Any]]) -> Repicker | None:
    """What picks again from the evidence beside an on-policy run, if something was found there."""
    if run is None or run.command != "onpolicy" or not cues or not (run.path.parent / "evidence.db").exists():
        return None
    store = Store(run.path.parent)
    settings = run.settings
    evidence = Evidence(
        store.answers(settings["sampling"]), store.scores(settings["judge"]), settings.get("margin", 0.0)
    )
    store.close()
    repicker = Repicker(RowFeatures(cues), evidence)
    repicker.weigh(rows)
    return repicker


def _mended(
    rows: Iterable[Mapping[str, Any]], wanted: frozenset[str], repicker: Repicker | None, ledger: Ledger
) -> Iterator[Mapping[str, Any]]:
    """Each row as it is after the remedies; the ledger says which are dropped."""
    digests = Digests()
    for number, row in enumerate(rows):
        other = repicker.pick(row) if repicker else None
        if other:
            ledger.change(number, "repick", "other answers of the same prompt")
        done = mended(other or row, wanted)
        for remedy, why in done.changes:
            ledger.change(number, remedy, why)
        if done.dropped:
            ledger.drop(number, *done.dropped)
        else:
            digests.add(number, Sides.of(done.row))
        yield done.row
    for number, why in contradictions(digests).items() if "contradictory" in wanted else ():
        ledger.drop(number, "contradictory", why)


def _write(path: Path, given: Iterable[Mapping[str, Any]], kept: Iterable[Mapping[str, Any]], ledger: Ledger) -> None:
    """The record first: no file stands there without it."""
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(beside(path)) as file:
            writers.write_lines(ledger.lines(given), file)
        with atomic(path) as file:
            writers.write_lines(kept, file)
