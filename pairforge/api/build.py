"""correct and onpolicy: one pipeline, two pairers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import report
from ..counter import counters
from ..errors import InputError
from ..pairers import BestWorst, Correct
from ..plugins import load
from ..prompts import read_prompts
from ..rename import rename
from ..run import FAILURES, Run, Store, out_dir
from ..stages import pair, score
from ..types import Judge, Pair, Pairer, Prompt, Skip, digest
from .asking import HELPFUL, answer, contexts_of

if TYPE_CHECKING:
    from datasets import Dataset
    from rich.console import Console, ConsoleOptions, RenderResult

    from ..samplers.transformers import TransformersSampler

_SHOWN = 3


@dataclass
class Built:
    """What correct and onpolicy made: the run folder, its counts, and the pairs on demand."""

    run: Run
    exit_code = 3  # where not ok

    @property
    def counts(self) -> dict[str, Any]:
        """`{"prompts", "contexts", "pairs", "skips": {reason: n}}`; pairs + skips = prompts x contexts."""
        return self.run.counts

    @property
    def ok(self) -> bool:
        """There are pairs, and at most a tenth of the prompts failed."""
        counts = self.counts
        failed = sum(counts["skips"].get(reason, 0) for reason in FAILURES)
        return bool(counts["pairs"] > 0 and failed <= 0.1 * counts["prompts"] * counts["contexts"])

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
        rows += [("counter-pairs, apart", str(counts["counter"]))] if "counter" in counts else []
        yield report.table("", (f"{counts['prompts']} prompts x {counts['contexts']} contexts", "answers"), rows)
        for number, row in zip(range(1, _SHOWN + 1), self.rows(), strict=False):
            yield report.PairView(row, number)
            yield ""
        yield report.outcome(counts)
        yield f"{self.run.pairs}"
        if self.ok:
            yield "next: pairforge validate · pairforge shortcuts · python -m trainers.dpo · pairforge push"
        else:
            yield "too few pairs, or too many failures: skips.jsonl beside it says why, prompt by prompt"


def correct(
    from_: str | Sequence[str],
    to: str | Sequence[str],
    *,
    model: str = "pocket",
    revision: str | None = None,
    prompts: str = "identity.train",
    system: Sequence[str] = (),
    no_system: bool = False,
    counter: float = 0.0,
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
    `system` and `no_system`. `counter` counter-pairs, in which the new name is wrong, are added for each pair and
    counted apart. Raises InputError for names, prompts or a model that can't be used.
    """
    rules = rules_of(from_, to)
    contexts = contexts_of(system, no_system, [None, HELPFUL])
    sampler = _sampler(model, revision, max_new_tokens, temperature, seed)
    pairer = Correct(rules, lambda text: rename(text, rules))
    job = _Job("correct", sampler, pairer, str(prompts), _read(prompts, limit), contexts, counter=counter)
    return _build(job, output, fresh, quiet)


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
    if not (math.isfinite(margin) and margin >= 0):
        raise InputError(f"--margin {margin} is no distance between scores", fix="use 0 or more")
    contexts = contexts_of(system, no_system, [None])
    sampler = _sampler(model, revision, max_new_tokens, temperature, seed)
    scorer = _judge(judge)
    pairer = BestWorst(scorer.name, margin)
    read = _read(prompts, limit)
    job = _Job("onpolicy", sampler, pairer, str(prompts), read, contexts, n=n, judge=scorer)
    return _build(job, output, fresh, quiet)


def rules_of(from_: str | Sequence[str], to: str | Sequence[str]) -> dict[str, str]:
    """Old names to new ones. Raises InputError where they don't go together."""
    old, new = ([name.strip() for name in ([names] if isinstance(names, str) else names)] for names in (from_, to))
    if len(old) != len(new) or not old:
        raise InputError(f"{len(old)} names to replace, {len(new)} new ones", fix="give each --from its --to")
    for a, b in zip(old, new, strict=True):
        if not a or not b:
            raise InputError("a name is empty", fix='e.g. --from Qwen --to "Deep Qwen"')
        if a == b:
            raise InputError(
                f"--from and --to are both {a!r}: nothing would change", fix='e.g. --from Qwen --to "Deep Qwen"'
            )
    if repeated := [name for name in old if old.count(name) > 1]:
        raise InputError(f"--from {repeated[0]} is given more than once", fix="give each old name one new one")
    return dict(zip(old, new, strict=True))


def _read(source: str, limit: int | None) -> list[Prompt | Skip]:
    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit} leaves no prompt", fix="use 1 or more")
    return read_prompts(source)[:limit]


def _sampler(
    model: str, revision: str | None, max_new_tokens: int, temperature: float, seed: int
) -> TransformersSampler:
    from ..samplers.transformers import TransformersSampler

    return TransformersSampler(
        str(model), revision=revision, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed
    )


def _judge(name: str) -> Judge:
    if name == "reference":
        from ..judges.reference import ReferenceJudge

        return ReferenceJudge()
    from ..judges.functions import FunctionJudge

    return FunctionJudge(load(name), name)


@dataclass(frozen=True)
class _Job:
    """What a run is made of; `read` holds the prompts of `source`, one entry a row."""

    command: str
    sampler: TransformersSampler
    pairer: Pairer
    source: str
    read: Sequence[Prompt | Skip]
    contexts: Sequence[str | None]
    n: int = 1
    judge: Judge | None = None
    counter: float = 0.0

    @property
    def asked(self) -> list[Prompt | Skip]:
        """Every prompt in every context."""
        return [
            prompt if isinstance(prompt, Skip) else prompt.in_context(context)
            for prompt in self.read
            for context in self.contexts
        ]

    def settings(self) -> dict[str, Any]:
        rows = [row.detail if isinstance(row, Skip) else [row.messages, row.columns] for row in self.read]
        return {
            "model": self.sampler.model,
            **({"revision": self.sampler.revision} if self.sampler.revision else {}),
            "sampling": self.sampler.settings(),
            "n": self.n,
            "contexts": list(self.contexts),
            "prompts": {"source": self.source, "rows": len(rows), "digest": digest(rows)},
            **({"judge": self.judge.settings()} if self.judge else {}),
            **({"counter": self.counter} if self.counter else {}),
            **self.pairer.settings(),
        }


def _build(job: _Job, output: str | None, fresh: bool, quiet: bool) -> Built:
    run = Run.of(out_dir(output), job.command, job.settings())
    with run.lock():
        store = Store(out_dir(output), fresh)
        if run.complete and not fresh:
            os.utime(run.path / "run.json")  # now it is the latest
        else:
            _fill(run, job, store, quiet)
    store.close()
    return Built(run)


def _fill(run: Run, job: _Job, store: Store, quiet: bool) -> None:
    asked, model = job.asked, job.sampler.model
    real = [prompt for prompt in asked if isinstance(prompt, Prompt)]
    answers = answer(real, job.sampler, job.n, store, f"{job.command}: {model}", quiet)
    results = score(real, answers, job.judge, store) if job.judge else answers
    outcome = pair(asked, results, job.pairer, model)
    pairs = [item for _, item in outcome if isinstance(item, Pair)]
    skips = [_skip_row(prompt, item) for prompt, item in outcome if isinstance(item, Skip)]
    reasons = {reason: sum(row["reason"] == reason for row in skips) for reason in sorted({s["reason"] for s in skips})}
    against = _counter_pairs(job, round(job.counter * len(pairs)), store, quiet)
    counts = {"prompts": len(job.read), "contexts": len(job.contexts), "pairs": len(pairs), "skips": reasons}
    rows = [item.row() for item in (*pairs, *against)]
    run.finish(rows, skips, {**counts, **({"counter": len(against)} if job.counter else {})})


def _counter_pairs(job: _Job, count: int, store: Store, quiet: bool) -> list[Pair]:
    """At most `count`: some of the bundled questions are answered wrongly, so half as many more are asked."""
    if not count:
        return []
    questions = counters(job.pairer.settings()["rules"], job.contexts)[: count + count // 2]
    prompts = [question.prompt for question in questions]
    answers = answer(prompts, job.sampler, 1, store, f"{job.command}: counter-pairs", quiet)
    made = (question.pair(answers[question.prompt.id], job.sampler.model) for question in questions)
    return [pair for pair in made if pair][:count]


def _skip_row(prompt: Prompt | None, skip: Skip) -> dict[str, Any]:
    messages = list(prompt.messages) if prompt else []
    return {"prompt_id": prompt.id if prompt else "", "reason": skip.reason, "detail": skip.detail, "prompt": messages}
