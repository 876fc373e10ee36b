"""The verb `shortcuts`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ..checks.shortcuts import Report, audit
from ..checks.shortcuts.report import Severity3
from ..disk import write_atomic
from ..options import PairData
from .difficulty import Difficulties, difficulty
from .inputs import PairInput
from .models import as_tuple


def shortcuts(
    data: PairData = None,
    *,
    expect: Sequence[str] = (),
    fdr: float = 0.05,
    fail_on: Severity3 = "high",
    max_prompts: int = 20_000,
    whole: bool = False,
    seed: int = 0,
    jobs: int = 1,
    tokenizer: str | None = None,
    model: str | None = None,
    svg: str | None = None,
    easiness: str | None = None,
    output: str | None = None,
    quiet: bool = False,
) -> Report:
    """What tells chosen from rejected most cheaply, in the pairs of a run folder or file, or in rows.

    None is the latest run. `expect` names terms that are meant to differ; for the pairs of a correction run its new
    names are added. At most the share `fdr` of the findings is false. The report is not ok where its verdict is
    `fail_on` or worse: "watch", "high", "critical".

    Features are looked for in at most `max_prompts` prompts, drawn by `seed` (`whole`: in all), and counted in all rows
    by `jobs` processes. `tokenizer` names a model whose tokens take the place of words. With `model`, the one that is
    to be trained, the report says how hard the pairs are for DPO on it: see `difficulty`. `svg` and `easiness` are
    files to write: the picture, and for each pair that was looked at a line {"row", "easiness"}, with its numbers for
    `model`.

    Raises InputError for a row that is no pair.
    """
    expect = as_tuple(expect)
    with PairInput(data, output, quiet=quiet) as rows:
        report = audit(
            rows,
            [*expect, *rows.new_names],
            level=fdr,
            most=None if whole else max_prompts,
            jobs=jobs,
            seed=seed,
            by=_Tokens(tokenizer) if tokenizer else None,
            fail_on=fail_on,
        )
        hard = difficulty(rows, model) if model else None
    report = replace(report, difficulty=hard)
    if svg:
        write_atomic(Path(svg), report.svg())
    if easiness:
        write_atomic(Path(easiness), "".join(_lines(report, hard)))
    return report


def _lines(report: Report, hard: Difficulties | None) -> Iterator[str]:
    numbers = {one.row: asdict(one) for one in hard.pairs} if hard else {}
    for row, value in report.easiness.items():
        yield json.dumps({"row": row, "easiness": value} | numbers.get(row, {})) + "\n"


class _Tokens:
    """Texts in the tokens of a model."""

    def __init__(self, model: str) -> None:
        from ..samplers.model_loading import load_tokenizer

        self._tokenizer = load_tokenizer(model, None)

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return [list(_pieces(text, spans)) for text, spans in zip(texts, found["offset_mapping"], strict=True)]


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The text cut behind each token, so that the space before a word stays with it."""
    last = 0
    for _, end in spans:
        if end > last:
            yield text[last:end]
            last = end
