"""The outcome of a training: its log, the verdict before and after, and the files written beside the weights."""

from __future__ import annotations

import gc
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pairforge
from pairforge.api.models import share_samplers
from pairforge.disk import write_atomic

from .data import TrainingJob
from .flags import QUESTIONS
from .learning_curves import draw
from .model_card import PICTURE, render
from .preflight import say
from .recipes import CORRECTIONS


@dataclass(frozen=True)
class History:
    """The log of a training and the records of its guard, without the trainer and its models.

    `log` is transformers' log history, `action` the `--guard` flag, `guard` the CollapseGuard if there was one;
    `adapter` is True if an adapter was saved.
    """

    log: Sequence[Mapping[str, Any]]
    steps: int
    adapter: bool
    action: str
    guard: Any = None

    @classmethod
    def of(cls, trainer: Any, action: str, guard: Any) -> History:
        """Copy the history of a trainer, which can then be freed."""
        adapter = hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config")
        return cls(list(trainer.state.log_history), trainer.state.global_step, adapter, action, guard)

    @property
    def stopped(self) -> str:
        """The alarm's message if the guard stopped the training, else an empty text."""
        alarm = self.guard.alarm if self.guard and self.action == "stop" else None
        return str(alarm.message) if alarm else ""

    def as_json(self) -> dict[str, Any]:
        """Return `{"steps", "log": [...], "guard": {"action", "alarm", "records"}}`; NaN and infinity become null."""
        alarm = self.guard.alarm if self.guard else None
        records: list[Any] = self.guard.records if self.guard else []
        guard = {
            "action": self.action,
            "alarm": {"step": alarm.step, "message": str(alarm.message)} if alarm else None,
            "records": [vars(record) if is_dataclass(record) else record for record in records],
        }
        return {"steps": self.steps, "log": _finite(list(self.log)), "guard": _finite(guard)}

    def write(self, folder: Path) -> bool:
        """Write `history.json`, and the learning curves as `training.svg`; return False where none could be drawn."""
        written = self.as_json()
        records, alarm = written["guard"]["records"], written["guard"]["alarm"]
        write_atomic(folder / "history.json", json.dumps(written, ensure_ascii=False, indent=1) + "\n")
        try:
            write_atomic(folder / PICTURE, draw(self.log, records, alarm and alarm["step"], stopped=bool(self.stopped)))
        except pairforge.InputError as error:
            say(f"no learning curves: {error}")
            return False
        return True


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def has_verdict(job: TrainingJob, script: Any) -> bool:
    """Return True if the model will be judged: only a run says which names are correct."""
    return bool(job.run) and script.verdict_questions != 0


def show_before(job: TrainingJob, script: Any) -> None:
    """Print the answers of the model and its metrics before training."""
    verdict = _ask_and_evaluate(job, script, job.model, "before training")
    _show(replace(verdict, checks={}))  # the thresholds are for a trained model


def finish(job: TrainingJob, rows: Sequence[Mapping[str, Any]], script: Any, config: Any, history: History) -> bool:
    """Judge the trained model and write all files beside it; return False if the verdict fails."""
    curves = history.write(job.output_dir)
    if history.stopped:
        say(f"the guard stopped the training, and the saved weights are those from before: {history.stopped}")
    card = job.output_dir / "README.md"
    described = partial(
        render,
        base=job.model,
        dataset=script.dataset_name or str(job.run),
        rows=rows,
        config=config,
        adapter=history.adapter,
        steps=history.steps,
        guard=script.guard,
        stopped=history.stopped,
        curves=curves,
    )
    write_atomic(card, described())  # in case the evaluation fails
    if not has_verdict(job, script):
        say(f"no verdict; for one: pairforge evaluate -m {job.output_dir} --base {job.model} --from OLD --to NEW")
        return True
    gc.collect()  # the trainer's models
    if config.world_size > 1:  # the base was not asked before training; its answers are stored, its weights freed
        _ask_and_evaluate(job, script, job.model)
    verdict = _ask_and_evaluate(job, script, str(job.output_dir), "after training")
    _show(verdict)
    write_atomic(job.output_dir / "verdict.json", json.dumps(verdict.as_json(), ensure_ascii=False, indent=2) + "\n")
    write_atomic(card, described(verdict=verdict.as_markdown()))
    return bool(verdict.ok)


def _ask_and_evaluate(job: TrainingJob, script: Any, model: str, title: str = "") -> Any:
    """Ask the base, or the tuned model beside it, and return the verdict; show the answers under the title, if any.

    Weights are loaded once: the tuned model's for all questions, and the base's not again for the tuned model's
    verdict, as its answers are in the evidence store.
    """
    limit = script.verdict_questions
    if limit is None and job.method in CORRECTIONS:
        limit = QUESTIONS
    base = None if model == job.model else job.model
    with share_samplers():
        asked = pairforge.ask(model=[name for name in (base, model) if name])
        if title:
            _show(f"== {title}", asked)
        verdict = pairforge.evaluate(model, base=base, run=str(job.run), limit=limit)
    gc.collect()  # training, or the next model, needs the memory
    return verdict


def _show(*results: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    with console.capture() as capture:  # rich would end with 1 where stdout is closed: the verdict's exit code
        for result in results:
            console.print(result)
    print(capture.get(), end="", flush=True)
