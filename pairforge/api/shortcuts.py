"""The verb `shortcuts`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

from ..checks.shortcuts import Report, audit
from ..checks.shortcuts.report import RiskLevel
from ..disk import write_atomic
from ..svg import require_matplotlib
from .difficulty import difficulty
from .inputs import PairData, PairInput
from .models import as_tuple


def shortcuts(
    data: PairData = None,
    *,
    expect: Sequence[str] = (),
    fdr: float = 0.05,
    fail_on: RiskLevel = "high",
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
    """Audit pairs for what tells chosen from rejected most cheaply.

    Args:
        data: A run folder, a file, rows, or None for the latest run.
        expect: Terms that are meant to differ; for the pairs of a correction run its new names are added.
        fdr: The share of false findings that is allowed (false discovery rate).
        fail_on: The verdict from which the report is not ok: "watch", "high", "critical".
        max_prompts: Features are looked for in at most so many prompts, and counted in all rows.
        whole: Look for features in all prompts.
        seed: Draws the prompts.
        jobs: How many processes count features.
        tokenizer: A model whose tokens take the place of words.
        model: The model to be trained: the report says how hard the pairs are for DPO on it, see `difficulty`.
        svg: A file for the plot of the features.
        easiness: A file for a line {"row", "easiness"} for each pair of the sample, with its numbers for `model`.
        output: The folder of runs.
        quiet: Print no notes.

    Raises:
        InputError: A row is not a pair, or matplotlib, which `svg` needs, is not installed.
    """
    if svg:
        require_matplotlib("--svg")
    with PairInput(data, output, quiet=quiet) as rows:
        report = audit(
            rows,
            [*as_tuple(expect), *rows.new_names],
            level=fdr,
            most=None if whole else max_prompts,
            jobs=jobs,
            seed=seed,
            by=_ModelTokens(tokenizer) if tokenizer else None,
            fail_on=fail_on,
        )
        hard = difficulty(rows, model) if model else None
    report = replace(report, difficulty=hard)
    if svg:
        write_atomic(Path(svg), report.svg())
    if easiness:
        numbers = {one.row: asdict(one) for one in hard.pairs} if hard else {}
        lines = [{"row": row, "easiness": value} | numbers.get(row, {}) for row, value in report.easiness.items()]
        write_atomic(Path(easiness), "".join(json.dumps(line) + "\n" for line in lines))
    return report


class _ModelTokens:
    """Splits texts into the tokens of a model."""

    def __init__(self, model: str) -> None:
        from ..samplers.model_loading import load_tokenizer, model_source

        self._tokenizer = load_tokenizer(model_source(model), None)

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        split = list[list[str]]()
        for text, spans in zip(texts, found["offset_mapping"], strict=True):
            ends = [0, *sorted({end for _, end in spans} - {0})]  # cut after each token: a space stays with its word
            split.append([text[start:end] for start, end in pairwise(ends)])
        return split
