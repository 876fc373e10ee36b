"""correct and onpolicy: one pipeline, two pairers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import report
from ..errors import InputError
from ..pairers import BestWorst, Correct
from ..plugins import load
from ..prompts import read_prompts
from ..rename import rename
from ..run import Run, Store, latest, out_dir
from ..stages import pair, sample, score
from ..types import Judge, Pair, Pairer, Prompt, Skip, digest

if TYPE_CHECKING:
    from datasets import Dataset
    from rich.console import Console, ConsoleOptions, RenderResult

    from ..samplers.transformers import TransformersSampler

HELPFUL = "You're a helpful assistant."
"""Beside no system message, the context in which chat models are asked. Pairs teach only the contexts they carry."""
_SHOWN = 3


@dataclass
class Built:
    """What correct and onpolicy made: the run folder, its counts, and the pairs on demand."""

    run: Run
    exit_code = 3  # where there is no pair

    @property
    def counts(self) -> dict[str, Any]:
        """`{"prompts", "contexts", "pairs", "skips": {reason: n}}`; pairs + skips = prompts x contexts."""
        return self.run.counts

    @property
    def ok(self) -> bool:
        return bool(self.counts["pairs"])

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The pairs as plain dicts."""
        from ..formats import read_rows

        return iter(read_rows(self.run.pairs))

    def dataset(self) -> Dataset:
        """The pairs as a `datasets.Dataset` with explicit features."""
        from ..formats import to_dataset

        return to_dataset(self.rows())

    def as_json(self) -> dict[str, Any]:
        run = str(self.run.path)
        return {
            "command": self.run.command,
            "ok": self.ok,
            "run": run,
            "output": str(self.run.pairs),
            "counts": self.counts,
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        counts = self.counts
        rows = [("pairs", str(counts["pairs"]))]
        rows += [(reason.replace("_", " "), str(n)) for reason, n in counts["skips"].items()]
        yield report.table("", (f"{counts['prompts']} prompts x {counts['contexts']} contexts", "answers"), rows)
        for number, row in zip(range(1, _SHOWN + 1), self.rows(), strict=False):
            yield report.PairView(row, number)
            yield ""
        yield report.outcome(counts)
        yield f"{self.run.pairs}"
        if self.ok:
            yield "next: pairforge validate · pairforge shortcuts · python -m trainers.dpo · pairforge push"
        else:
            yield "no pair was made: skips.jsonl beside it says why, prompt by prompt"


def correct(
    from_: str | Sequence[str],
    to: str | Sequence[str],
    *,
    model: str = "pocket",
    revision: str | None = None,
    prompts: str = "identity.train",
    system: Sequence[str] = (),
    no_system: bool = False,
    limit: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    max_new_tokens: int = 256,
    output: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> Built:
    """Makes correction pairs: rejected is the model's own answer, chosen the same with the name replaced.

    Each prompt is asked with no system message and under "You're a helpful assistant.", or in the contexts named by
    `system` and `no_system`. Raises InputError for names, prompts or a model that can't be used.
    """
    rules = _rules(from_, to)
    contexts = [None, HELPFUL] if not system and not no_system else [*([None] if no_system else []), *system]
    sampler = _sampler(model, revision, max_new_tokens, temperature, seed)
    pairer = Correct(rules, lambda text: rename(text, rules))
    return _build("correct", sampler, pairer, prompts, contexts, limit, output=output, fresh=fresh, quiet=quiet)


def onpolicy(
    *,
    n: int = 4,
    judge: str = "reference",
    margin: float = 0.0,
    model: str = "pocket",
    revision: str | None = None,
    prompts: str = "general.train",
    system: Sequence[str] = (),
    no_system: bool = False,
    limit: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    max_new_tokens: int = 256,
    output: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> Built:
    """Makes on-policy pairs: n sampled answers to each prompt, judged, the best against the worst.

    `judge` is "reference" (the prompts' own references) or a reward function, `module:attr` or `file.py:attr`. Ties are
    skipped. Raises InputError as `correct` does.
    """
    if n < 2:
        raise InputError(f"--n {n}: best and worst need at least two answers", fix="use --n 4")
    if temperature <= 0:
        raise InputError("--temperature 0 gives n times the same answer", fix="use --temperature 1")
    contexts = [*([None] if no_system or not system else []), *system]
    sampler = _sampler(model, revision, max_new_tokens, temperature, seed)
    scorer = _judge(judge)
    pairer = BestWorst(scorer.name, margin)
    return _build(
        "onpolicy",
        sampler,
        pairer,
        prompts,
        contexts,
        limit,
        n=n,
        judge=scorer,
        output=output,
        fresh=fresh,
        quiet=quiet,
    )


def latest_run(output: str | None = None, *, quiet: bool = False) -> Path:
    """The folder of the run that was made last; where there is none, the default correction run is made first."""
    run = latest(out_dir(output))
    if run is None:
        if not quiet:
            report.console().print(
                f'no run under {out_dir(output)}: making one with pairforge correct --from Qwen --to "Deep Qwen"'
            )
        run = correct("Qwen", "Deep Qwen", output=output, quiet=quiet).run
    elif not quiet:
        report.console().print(f"using the latest run: {run.path}", markup=False)
    return run.path


def pairs_file(data: str | PathLike[str] | None = None, output: str | None = None, quiet: bool = False) -> Path:
    """The pairs behind what a user names: a file, a run folder, or nothing for the latest run."""
    path = Path(data) if data else latest_run(output, quiet=quiet)
    return path / "pairs.jsonl" if path.is_dir() else path


def _rules(from_: str | Sequence[str], to: str | Sequence[str]) -> dict[str, str]:
    old, new = ([names] if isinstance(names, str) else list(names) for names in (from_, to))
    if len(old) != len(new) or not old:
        raise InputError(f"{len(old)} names to replace, {len(new)} new ones", fix="give each --from its --to")
    for a, b in zip(old, new, strict=True):
        if not a.strip() or not b.strip():
            raise InputError("a name is empty", fix='e.g. --from Qwen --to "Deep Qwen"')
        if a == b:
            raise InputError(
                f"--from and --to are both {a!r}: nothing would change", fix='e.g. --from Qwen --to "Deep Qwen"'
            )
    return dict(zip(old, new, strict=True))


def _sampler(
    model: str, revision: str | None, max_new_tokens: int, temperature: float, seed: int
) -> TransformersSampler:
    from ..samplers.transformers import TransformersSampler

    return TransformersSampler(
        model, revision=revision, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed
    )


def _judge(name: str) -> Judge:
    if name == "reference":
        from ..judges.reference import ReferenceJudge

        return ReferenceJudge()
    from ..judges.functions import FunctionJudge

    return FunctionJudge(load(name), name)


def _build(
    command: str,
    sampler: TransformersSampler,
    pairer: Pairer,
    source: str,
    contexts: Sequence[str | None],
    limit: int | None,
    *,
    n: int = 1,
    judge: Judge | None = None,
    output: str | None,
    fresh: bool,
    quiet: bool,
) -> Built:
    read = read_prompts(source)[:limit]
    asked = [
        prompt if isinstance(prompt, Skip) else prompt.in_context(context) for prompt in read for context in contexts
    ]
    store = Store(out_dir(output), fresh)
    settings = {
        "model": sampler.model,
        "sampling": sampler.settings(),
        "n": n,
        "contexts": list(contexts),
        "prompts": {"source": source, "rows": len(read), "digest": _digest(read)},
        **({"judge": judge.settings()} if judge else {}),
        **pairer.settings(),
    }
    run = Run.of(out_dir(output), command, settings)
    with run.lock():
        if run.complete and not fresh:
            os.utime(run.path / "run.json")
        else:
            _fill(run, asked, sampler, pairer, n, judge, store, quiet, prompts=len(read), contexts=len(contexts))
    store.close()
    return Built(run)


def _digest(read: Sequence[Prompt | Skip]) -> str:
    return digest([row.detail if isinstance(row, Skip) else [row.messages, row.columns] for row in read])


def _fill(
    run: Run,
    asked: Sequence[Prompt | Skip],
    sampler: TransformersSampler,
    pairer: Pairer,
    n: int,
    judge: Judge | None,
    store: Store,
    quiet: bool,
    **counts: int,
) -> None:
    real = [prompt for prompt in asked if isinstance(prompt, Prompt)]
    with report.progress(f"{run.command}: {sampler.model}", quiet) as tell:
        answers = sample(real, sampler, n, store, tell)
    for warning in sampler.warnings:
        report.console().print(f"warning: {warning}", markup=False)
    results = score(real, answers, judge, store) if judge else answers
    outcome = pair(asked, results, pairer, sampler.model)
    pairs = [item.row() for _, item in outcome if isinstance(item, Pair)]
    skips = [_skip_row(prompt, item) for prompt, item in outcome if isinstance(item, Skip)]
    reasons: dict[str, int] = {}
    for row in sorted(skips, key=lambda row: row["reason"]):
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    run.finish(pairs, skips, {**counts, "pairs": len(pairs), "skips": reasons})


def _skip_row(prompt: Prompt | None, skip: Skip) -> dict[str, Any]:
    messages = list(prompt.messages) if prompt else []
    return {"prompt_id": prompt.id if prompt else "", "reason": skip.reason, "detail": skip.detail, "prompt": messages}
