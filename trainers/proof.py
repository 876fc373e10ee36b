"""What came of a training: the verdict before and after, and the card, the curves and the log beside the weights."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pairforge

from .card import Facts, render
from .flags import QUESTIONS
from .history import History
from .job import CORRECTIONS, Job, say
from .saving import write


def judged(job: Job, script: Any) -> bool:
    """Whether there is a verdict: only a run says which names are right."""
    return bool(job.run) and script.verdict_questions != 0


def _questions(job: Job, script: Any) -> int | None:
    """How many of each kind are asked; None for all."""
    few = QUESTIONS if job.method in CORRECTIONS else None
    return few if script.verdict_questions is None else int(script.verdict_questions)


def before(job: Job, script: Any) -> None:
    """Shows what the model says and how it does before it is trained."""
    _show("before training", pairforge.ask(model=[job.model]))
    verdict = pairforge.evaluate(job.model, run=str(job.run), limit=_questions(job, script))
    _show("", replace(verdict, checks={}))  # the thresholds are for a trained model
    gc.collect()  # the models that were asked: training needs the memory


def finish(job: Job, rows: Sequence[Mapping[str, Any]], script: Any, config: Any, history: History) -> bool:
    """Judges the trained model, and writes all that belongs beside it; False where the verdict fails."""
    history.write(job.output_dir)
    if history.stopped:
        say(f"the guard stopped the training, and the saved weights are those from before: {history.stopped}")
    facts = Facts(
        base=job.model,
        dataset=script.dataset_name or str(job.run),
        rows=rows,
        config=config,
        adapter=history.adapter,
        steps=history.steps,
        guard=script.guard,
        stopped=history.stopped,
    )
    card = job.output_dir / "README.md"
    write(card, render(facts))  # should the verdict come to nothing
    if not judged(job, script):
        say(f"no verdict; for one: pairforge evaluate -m {job.output_dir} --base {job.model} --from OLD --to NEW")
        return True
    verdict = _after(job, _questions(job, script))
    write(card, render(replace(facts, verdict=verdict.as_markdown())))
    return bool(verdict.ok)


def _after(job: Job, questions: int | None) -> Any:
    gc.collect()  # the trainer's models
    tuned = str(job.output_dir)
    _show("after training", pairforge.ask(model=[job.model, tuned]))
    verdict = pairforge.evaluate(tuned, base=job.model, run=str(job.run), limit=questions)
    _show("", verdict)
    write(job.output_dir / "verdict.json", json.dumps(verdict.as_json(), ensure_ascii=False, indent=2) + "\n")
    return verdict


def _show(title: str, result: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    with console.capture() as capture:  # rich would end with 1 where stdout is closed: the verdict's exit code
        if title:
            console.print(f"== {title}")
        console.print(result)
    print(capture.get(), end="", flush=True)
