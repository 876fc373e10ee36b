"""What is left of a training when its trainer is gone: its log, its guard's records, and the files they become.

What came of a training: the verdict before and after, and the card, the curves and the log beside the weights.
"""

from __future__ import annotations

import gc
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

import pairforge

from .checkpoints import write
from .data import CORRECTIONS, TrainingJob, say
from .flags import QUESTIONS
from .learning_curves import draw
from .model_card import PICTURE, Facts, render


@dataclass(frozen=True)
class History:
    """`log` is transformers' log history; `guard` the CollapseGuard that watched, if one did; `adapter` says that what
    was saved is one.
    """

    log: Sequence[Mapping[str, Any]]
    steps: int
    adapter: bool
    action: str
    guard: Any = None

    @classmethod
    def of(cls, trainer: Any, action: str, guard: Any) -> History:
        """Takes from the trainer what holds neither it nor its models in memory."""
        adapter = hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config")
        return cls(list(trainer.state.log_history), trainer.state.global_step, adapter, action, guard)

    @property
    def stopped(self) -> str:
        """Why the guard stopped the training; empty where it didn't."""
        alarm = self.guard.alarm if self.guard and self.action == "stop" else None
        return str(alarm.message) if alarm else ""

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """What the guard saw, check by check."""
        found = self.guard.records if self.guard else []
        return [asdict(record) if is_dataclass(record) and not isinstance(record, type) else record for record in found]

    def as_json(self) -> dict[str, Any]:
        """`{"steps", "log": [...], "guard": {"action", "alarm", "records"}}`; numbers that are none are null."""
        alarm = self.guard.alarm if self.guard else None
        told = {"step": alarm.step, "message": str(alarm.message)} if alarm else None
        guard = {"action": self.action, "alarm": told, "records": self.records}
        return {"steps": self.steps, "log": _finite(list(self.log)), "guard": _finite(guard)}

    def write(self, folder: Path) -> bool:
        """Write `history.json` and the learning curves, `training.svg`; return False where no curves could be drawn."""
        alarm = self.guard.alarm if self.guard else None
        write(folder / "history.json", json.dumps(self.as_json(), ensure_ascii=False, indent=1) + "\n")
        try:
            write(folder / PICTURE, draw(self.log, self.records, alarm.step if alarm else None))
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


def judged(job: TrainingJob, script: Any) -> bool:
    """Whether there is a verdict: only a run says which names are right."""
    return bool(job.run) and script.verdict_questions != 0


def _questions(job: TrainingJob, script: Any) -> int | None:
    """How many of each kind are asked; None for all."""
    few = QUESTIONS if job.method in CORRECTIONS else None
    return few if script.verdict_questions is None else int(script.verdict_questions)


def before(job: TrainingJob, script: Any) -> None:
    """Shows what the model says and how it does before it is trained."""
    _show("before training", pairforge.ask(model=[job.model]))
    verdict = pairforge.evaluate(job.model, run=str(job.run), limit=_questions(job, script))
    _show("", replace(verdict, checks={}))  # the thresholds are for a trained model
    gc.collect()  # the models that were asked: training needs the memory


def finish(job: TrainingJob, rows: Sequence[Mapping[str, Any]], script: Any, config: Any, history: History) -> bool:
    """Judges the trained model, and writes all that belongs beside it; False where the verdict fails."""
    curves = history.write(job.output_dir)
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
        curves=curves,
    )
    card = job.output_dir / "README.md"
    write(card, render(facts))  # should the verdict come to nothing
    if not judged(job, script):
        say(f"no verdict; for one: pairforge evaluate -m {job.output_dir} --base {job.model} --from OLD --to NEW")
        return True
    verdict = _after(job, _questions(job, script))
    write(card, render(replace(facts, verdict=verdict.as_markdown())))
    return bool(verdict.ok)


def _after(job: TrainingJob, questions: int | None) -> Any:
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
