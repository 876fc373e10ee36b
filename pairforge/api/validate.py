"""The verb `validate`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import Any

from .. import checks, formats, prompts
from ..checks.dataset import TEXTS_ONLY
from ..checks.labels import LabelChecker
from ..checks.row import Sides, well_shaped
from ..checks.rule import ON_REQUEST, WITH_MODEL, Observer, rules_over
from ..checks.runner import RowChecker
from ..checks.schema import unknown_shape
from ..checks.secrets import SecretChecker
from ..checks.shortcuts.audit import ShortcutChecker
from ..errors import InputError
from ..formats import kto
from ..options.common import PairData
from ..options.declaration import as_tuple, keywords
from ..options.pairs import ValidateOptions
from ..types import Finding, Message, Prompt, Skip
from .baseline import worse_than
from .fix import fix_input
from .inputs import PairInput
from .models import open_tokenizer
from .validate_result import Explanation, Findings, near_codes


@keywords(ValidateOptions)
def validate(options: ValidateOptions) -> Findings:
    """Return what is wrong with the pairs of a run folder or file, or with rows; an empty list if nothing is.

    Rows of a foreign shape are checked as the pairs they become. A row that can't be read is a finding, too. With
    `model` the rows are also checked as training on this model sees them (PF4xx); what `against` holds must not be
    trained on (PF209, PF211). With `fix`, what the function `fix` writes is in `fixed`.

    Raises InputError for a source or an option that can't be used.
    """
    if options.explain is not None:
        return Explanation(options.explain)
    model = options.model
    codes = _codes(as_tuple(options.select), as_tuple(options.ignore), model is not None)
    source = PairInput.of(options)
    other = None if options.against is None else _against(options.against, options.output)
    observers: list[Observer] = [_row_checker(codes, other, options.jobs)]
    if model is not None:
        reader = open_tokenizer(model, options.revision, options.quiet, options.chat_template)
        observers.append(reader.checker(options.max_length))
    if any(checks.RULES[code].over in ON_REQUEST for code in codes):
        # A run that made pairs says what is meant to differ in them.
        observers.append(ShortcutChecker(source.new_names))
    findings = Findings(strict=options.strict, source=source.name, format=options.format)
    with ExitStack() as stack:
        if options.fix is not None:
            findings.fixed = fix_input(stack.enter_context(source), Path(options.fix))
        _look(source, findings, observers, codes, options.max_row_bytes)
    if options.baseline is not None:
        findings.worse = worse_than(options.baseline, findings.as_json(), findings.source)
    return findings


def _look(
    source: PairInput, findings: Findings, observers: list[Observer], codes: frozenset[str], max_row_bytes: int
) -> None:
    """Show the rows to the observers as the shape of the source asks, and take what they find."""
    noted = set[str]()
    shape, rows = source.recognised(max_row_bytes, noted)
    findings.shape = shape.name
    if shape.name == kto.NAME:
        rows = map(shape.names.view, rows)
        observers = [LabelChecker(), SecretChecker(codes)]
    rows = formats.presented(rows, shape)
    start = list(islice(rows, formats.LOOKED_AT))
    if not shape.known:
        findings.fixable = False
        findings.prompts = bool(start) and prompts.is_prompt(start[0])
        if strange := unknown_shape(start):
            findings.take([strange] if strange.code in codes else [])
            observers = []
    with ExitStack() as stack:
        for observer in observers:
            if isinstance(observer, AbstractContextManager):
                stack.enter_context(observer)
        for index, row in enumerate(chain(start, rows)):
            findings.rows = index + 1
            if _is_tie(row):
                findings.ties += row.reason == "tie"
                continue
            for observer in observers:
                if found := observer.see(index, row):
                    findings.take(one for one in found if one.code in codes)
        for observer in observers:
            found = (one for one in observer.findings() if one.code in codes)
            findings.take(one for one in found if one.code != "PF201" or not findings.ties)
    findings.take(one for one in _of_the_set(shape, noted) if one.code in codes)
    findings.sort_by_row()


def _of_the_set(shape: formats.Shape, noted: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with the lines of the file, and with the shape of all rows."""
    for one in rules_over("lines"):
        yield from one.findings(None, noted)
    if shape.templated:
        message = f"the rows hold {shape.what}: pairforge convert reads it back as messages"
        yield checks.RULES["PF108"].finding(message)
    if shape.name in TEXTS_ONLY:
        yield from checks.RULES["PF216"].findings(None, shape.what)


def _is_tie(row: Any) -> bool:
    return type(row) is Skip and row.reason in formats.NO_PAIR


def _row_checker(codes: frozenset[str], other: checks.Against | None, jobs: int) -> Observer:
    # Other processes can't import a rule that the caller's script defines.
    if jobs == 1 or any(checks.RULES[code].see.__module__ == "__main__" for code in codes):
        return RowChecker(codes, other)
    from ..checks.parallel import ParallelRowChecker

    return ParallelRowChecker(codes, other, jobs or os.cpu_count() or 1)


def _codes(select: Sequence[str], ignore: Sequence[str], model: bool) -> frozenset[str]:
    """Return the codes to look for: those that need nothing more than is given, and that are asked for."""
    wanted, left = (
        {part.strip().upper() for name in names for part in name.split(",")} - {""} for names in (select, ignore)
    )
    families = {name[:3] for name in wanted}
    own = [
        code
        for code, one in checks.RULES.items()
        if (model or one.over not in WITH_MODEL) and (one.over not in ON_REQUEST or code[:3] in families)
    ]
    for name in (*wanted, *left):
        if not any(code.startswith(name) for code in checks.RULES):
            raise InputError(f"no check is called {name!r:.40}", fix=near_codes(name))
        if name in wanted and not any(code.startswith(name) for code in own):
            raise InputError(f"{name} is checked only with --model", fix="add --model")
    chosen = [code for code in own if not wanted or code.startswith(tuple(wanted))]
    if not (kept := frozenset(code for code in chosen if not code.startswith(tuple(left)))):
        what = f"no check is left: --ignore {','.join(sorted(left))} leaves out all of them"
        raise InputError(what, fix="ignore fewer checks")
    return kept


def _against(source: PairData, output: str | None) -> checks.Against:
    """Return the questions of pairs, or of prompts in any shape."""
    name = str(source)
    if name not in prompts.BUNDLED:
        given = PairInput(source, output)
        shape, rows = given.recognised()
        contexts = map(_context, formats.presented(rows, shape))
        if given.path is None:
            return checks.Against(filter(None, contexts), "the other rows")
        if shape.known:
            return checks.Against(contexts, name)
    asked = [one.messages if isinstance(one, Prompt) else () for one in prompts.read_prompts(name, history="full")]
    return checks.Against(asked, name)


def _context(row: Any) -> Sequence[Message]:
    """Return the messages before the answers; none where the row is not a pair."""
    if isinstance(row, Mapping) and isinstance(row.get("messages"), list) and "chosen" not in row:
        return [turn for turn in row["messages"] if isinstance(turn.get("content"), str)]
    return Sides.of(row).context if well_shaped(row) else ()
