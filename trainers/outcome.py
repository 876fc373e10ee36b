"""The outcome of a training: its log, the verdict before and after, and the files written beside the weights."""

from __future__ import annotations

import gc
import json
import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pairforge
from pairforge.api.evaluate import FAILURES, judged, write_failures
from pairforge.api.models import share_samplers
from pairforge.disk import write_atomic
from pairforge.evaluation.hints import after_stop, hints
from pairforge.evaluation.training_facts import TrainingFacts
from pairforge.hub.model_upload import PICTURE
from pairforge.learning_curves import draw
from pairforge.run import Run, latest, out_dir
from pairforge.text import plural

from .data import TrainingJob, pairs_digest
from .flags import QUESTIONS
from .messages import say
from .model_card import render
from .output_folder import OutputFolder
from .recipes import CORRECTIONS

HISTORY = "history.json"


@dataclass(frozen=True)
class History:
    """The log of a training and the records of its guard, without the trainer and its models.

    `log` is transformers' log history, `action` the `--guard` flag, `guard` the CollapseGuard if there was one, or what
    `load` read of it; `adapter` is True if an adapter was saved, `beta` is that of the loss. `training` has the number
    of pairs, how many of them were seen, and the loss, by which a verdict that fails is explained.
    """

    log: Sequence[Mapping[str, Any]]
    steps: int
    adapter: bool
    action: str
    guard: Any = None
    beta: float = 0.0
    training: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, trainer: Any, action: str, guard: Any, about: Mapping[str, Any]) -> History:
        """Copy the history of a trainer, which can then be freed.

        `about` is added to `training`: the number of all pairs, the recipe's loss and rate, the flags that were given.
        """
        adapter = hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config")
        log, steps = list(trainer.state.log_history), trainer.state.global_step
        args, given = trainer.args, len(trainer.train_dataset)
        batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        training = {**about, "seen": min(given, steps * batch), "loss_type": list(args.loss_type)}
        training |= {"learning_rate": args.learning_rate, "planned": trainer.state.max_steps}
        return cls(log, steps, adapter, action, guard, getattr(args, "beta", 0.0), training)

    @classmethod
    def load(cls, folder: Path, beta: float) -> History:
        """Read the history that was saved beside a model, of an older version without its beta.

        Raises InputError where it can't be read.
        """
        try:
            saved = json.loads((folder / HISTORY).read_text("utf-8"))
            guard, adapter = saved["guard"], (folder / "adapter_config.json").exists()
            records, alarm = guard["records"], guard["alarm"] and SimpleNamespace(**guard["alarm"])
            seen = SimpleNamespace(alarm=alarm, records=records)
            training = saved.get("training", {})
            return cls(saved["log"], saved["steps"], adapter, guard["action"], seen, saved.get("beta", beta), training)
        except (OSError, ValueError, KeyError, TypeError) as error:
            fix = "choose another --output_dir"
            raise pairforge.InputError(f"{folder / HISTORY} can't be read: {error!r}", fix=fix) from error

    @property
    def stopped(self) -> str:
        """The alarm's message if the guard stopped the training, else an empty text."""
        alarm = self.guard.alarm if self.guard and self.action == "stop" else None
        return str(alarm.message) if alarm else ""

    def as_json(self) -> dict[str, Any]:
        """Return the content of `history.json`; NaN becomes null.

        That is `{"steps", "beta", "training", "log": [...], "guard": {"action", "alarm", "records"}}`.
        """
        alarm = self.guard.alarm if self.guard else None
        records: list[Any] = self.guard.records if self.guard else []
        guard = {
            "action": self.action,
            "alarm": {
                "step": alarm.step,
                "message": str(alarm.message),
                "restored": getattr(alarm, "restored", None),
            }
            if alarm
            else None,
            "records": [vars(record) if is_dataclass(record) else record for record in records],
        }
        return {
            "steps": self.steps,
            "beta": self.beta,
            "training": dict(self.training),
            "log": _finite(list(self.log)),
            "guard": _finite(guard),
        }

    @property
    def facts(self) -> TrainingFacts:
        """What explains a verdict that fails."""
        return TrainingFacts.of_history(self.as_json())

    def text(self) -> str:
        """Return the content of `history.json`."""
        return json.dumps(self.as_json(), ensure_ascii=False, indent=1) + "\n"

    def draw(self, folder: Path, title: str) -> bool:
        """Write the learning curves as `training.svg`; return False where none could be drawn."""
        from .guard.signals import Limits  # with transformers, which takes seconds

        written = self.as_json()
        records, alarm = written["guard"]["records"], written["guard"]["alarm"]
        limits = getattr(self.guard, "limits", None) or Limits()
        try:
            picture = draw(
                self.log,
                records,
                alarm and alarm["step"],
                stopped=bool(self.stopped),
                title=title,
                beta=self.beta,
                limits=vars(limits),
            )
        except pairforge.InputError as error:
            say(f"no learning curves: {error}")
            return False
        write_atomic(folder / PICTURE, picture)
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


def show_before(job: TrainingJob, script: Any) -> float:
    """Print the answers of the model and its metrics before training; return the seconds that it took."""
    begun = time.monotonic()
    verdict = _ask_and_evaluate(job, script, job.model, "before training")
    _show(replace(verdict, checks={}))  # the thresholds are for a trained model
    return time.monotonic() - begun


@dataclass(frozen=True)
class TrainingResult:
    """What a training left: the folder of the model, the verdict on it (None if none was made), and the history."""

    output: Path
    history: History
    verdict: Any = None

    @property
    def ok(self) -> bool:
        """True if the guard didn't stop the training, and no verdict fails; for a PASS look at `outcome`."""
        return not self.history.stopped and (self.verdict is None or bool(self.verdict.ok))

    @property
    def outcome(self) -> str:
        """PASS, FAIL, or "no verdict"."""
        return (self.verdict and self.verdict.outcome) or "no verdict"

    def __repr__(self) -> str:
        stopped = ", stopped by the guard" if self.history.stopped else ""
        return f"<TrainingResult {self.output}: {self.outcome}, {self.history.steps} steps{stopped}>"

    def as_json(self) -> dict[str, Any]:
        """Return `{"command", "ok", "output", "outcome", "steps", "stopped", "verdict"}`."""
        verdict = self.verdict and self.verdict.as_json()
        return {
            "command": "train dpo",
            "ok": self.ok,
            "output": str(self.output),
            "outcome": self.outcome,
            "steps": self.history.steps,
            "stopped": self.history.stopped or None,
            "verdict": verdict,
        }


def finish(
    job: TrainingJob,
    rows: Sequence[Mapping[str, Any]],
    script: Any,
    config: Any,
    history: History,
    output: OutputFolder,
) -> TrainingResult:
    """Judge the trained model and write all files beside it."""
    folder = output.path
    title = f"{job.run.name if job.run else Path(job.data).name or 'rows'}: {job.model}"
    curves = history.draw(folder, title)
    card = folder / "README.md"
    described = partial(
        render,
        base=job.start.base,
        start=job.model if job.start.adapter else None,
        dataset=script.dataset_name or (str(job.run) if job.run else "rows"),
        rows=rows,
        config=config,
        adapter=history.adapter,
        steps=history.steps,
        guard=script.guard,
        stopped=history.stopped,
        curves=curves,
    )
    write_atomic(card, described())  # in case the evaluation fails
    verdict, took = None, 0.0
    if has_verdict(job, script):
        gc.collect()  # the trainer's models
        if config.world_size > 1:  # the base was not asked before training; its answers are stored, its weights freed
            _ask_and_evaluate(job, script, job.model)
        begun = time.monotonic()
        verdict = _ask_and_evaluate(job, script, str(folder), "after training")
        verdict = write_failures(verdict, folder / FAILURES)
        took = time.monotonic() - begun
        _show(verdict)
        facts = {"run": job.run.name if job.run else None, "revision": job.revision, "pairs": pairs_digest(rows)}
        content = json.dumps(verdict.as_json() | facts, ensure_ascii=False, indent=2)
        write_atomic(folder / "verdict.json", content + "\n")
        write_atomic(card, described(verdict=verdict.as_markdown()))
        history.draw(folder, f"{title}: {verdict.outcome or 'no verdict'}")
    else:
        say(f"no verdict{_why_no_verdict(job, folder)}")
    output.finish(took)
    return TrainingResult(folder, history, verdict)


def _why_no_verdict(job: TrainingJob, folder: Path) -> str:
    """Return why there is no verdict, and the command that makes one, with the names that are known."""
    command = f"pairforge evaluate -m {shlex.quote(str(folder))} --base {_at_revision(job)}"
    if job.run:
        return f": --verdict_questions 0 asks for none; for one: {command} --run {shlex.quote(str(job.run))}"
    return f": only a run says which names are right; for one: {command} --from OLD --to NEW"


def _at_revision(job: TrainingJob) -> str:
    """Return the words of a command that name the model that was trained from."""
    more = f" --revision {shlex.quote(job.revision)}" if job.revision != "main" else ""
    return shlex.quote(job.model) + more


def say_what_was_written(job: TrainingJob, result: TrainingResult, argv: Sequence[str]) -> None:
    """Print the files of a finished training, and the commands that come next; `argv` are the flags that were given."""
    names = ("model.safetensors", "adapter_model.safetensors", "verdict.json", PICTURE, HISTORY, "README.md")
    listed = [name for name in names if (result.output / name).exists()]
    if shards := len([*result.output.glob("model-*.safetensors")]):
        listed.insert(0, f"weights in {plural(shards, 'file')}")
    say(f"saved: {result.output}: {', '.join(listed)}")
    if result.history.stopped:
        say(result.history.facts.stop)
    if not result.ok:
        say(f"next: {_next_try(result, argv)}")
        return
    if job.run and _is_default(job.run, result.output):
        say("next: pairforge ask · pairforge evaluate · pairforge push")
        return
    model = shlex.quote(str(result.output))
    steps = [f"pairforge ask -m {_at_revision(job)} -m {model}"]
    if job.run:
        steps += [f"pairforge evaluate -m {model} --base {_at_revision(job)} --run {shlex.quote(str(job.run))}"]
    if job.data:
        steps += [f"pairforge push {shlex.quote(str(job.run or job.data))}"]
    say(f"next: {' · '.join(steps)}")


def _next_try(result: TrainingResult, argv: Sequence[str]) -> str:
    """Return what to do after a training that the guard stopped, or whose verdict fails: a command, if it is one."""
    stopped, found = result.history.stopped, hints(result.verdict) if result.verdict else []
    words, flags = (found[0].fix, found[0].flags) if found else ("", {})
    if stopped:
        remedy = after_stop(result.history.facts)
        words, flags = remedy.words, remedy.flags
    if not flags:
        return words
    # Another training takes another folder, and does not go on from the checkpoints of this one.
    folder = {} if "--overwrite" in argv else {"output_dir": ""}
    return shlex.join(["pairforge", "train", "dpo", *replaced(argv, {**folder, "resume_from_checkpoint": "", **flags})])


def replaced(argv: Sequence[str], flags: Mapping[str, str]) -> list[str]:
    """Return the words of a command line with other values of some flags, and without those whose value is "".

    A token is left out, too: it is not to be printed.
    """
    kept, dropped = [], False
    for word in argv:
        if word.startswith("--"):
            name = word[2:].partition("=")[0].replace("-", "_")
            dropped = name in flags or name.endswith("token")
        if not dropped:
            kept.append(word)
    return [*kept, *(word for name, value in flags.items() if value for word in (f"--{name}", value))]


def _is_default(run: Path, output: Path) -> bool:
    """Return True if `ask` and `evaluate` find the model by themselves: it is the latest one of the latest run."""
    found = latest(out_dir())
    trained = found.trained if found and found.path.resolve() == run.resolve() else []
    return bool(trained) and trained[-1].path.resolve() == output.resolve()


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
        how = Run.load(job.run).asked_with(job.model) if job.run else {}
        how |= {"revision": job.revision} if job.revision != "main" else {}
        asked = pairforge.ask(model=[name for name in (base, model) if name], **how)
        if title:
            _show(f"== {title}", asked)
        judge = script.judge if base else None
        run, revision, suite = str(job.run), how.get("revision"), script.suite or ()
        which = {"limit": limit, "lang": script.verdict_lang or (), "suite": suite}
        verdict = judged(model, base=base, run=run, judge=judge, revision=revision, **which)
    gc.collect()  # training, or the next model, needs the memory
    if not base:
        return verdict
    before, now = (asked.answers[name] for name in (base, model))
    answers = [{"question": question, "before": before[question], "now": now[question]} for question in now]
    return replace(verdict, about={**verdict.about, "answers": answers})


def _show(*results: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    with console.capture() as capture:  # rich would end with 1 where stdout is closed: the verdict's exit code
        for result in results:
            console.print(result)
    print(capture.get(), end="", flush=True)
