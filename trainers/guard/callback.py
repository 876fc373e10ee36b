"""A guard against collapse: a callback that asks the model while it trains, and stops a training that destroys it.

`trainer.add_callback(CollapseGuard())` works with any DPOTrainer. Loss and accuracy don't show a collapse: on pairs
that differ in a word the loss falls to 0 and the accuracy rises to 1 while the model says "I am Deep Deep Deep". So the
guard regularly has the model answer some prompts of the training set and some unrelated questions, and checks the
answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from transformers import TrainerCallback

import pairforge
from pairforge.disk import write_atomic

from ..checkpoints import checkpoint_folder
from ..messages import say
from .probe_set import QUESTIONS, ProbeSet, tokenized
from .signals import Alarm, Limits, Record

_NAME = "guard.json"
_SATURATED = 5.0
"""The reward margin from which on a preference loss teaches nothing more: that of sigmoid is below 0.01."""


class CollapseGuard(TrainerCallback):  # type: ignore[misc]
    """Ask the model while it trains; on collapse, stop and restore the last good weights, or only warn.

    After training, `alarm` is the Alarm, or None, and `records` holds the result of each check.

    A model whose weights are sharded over processes (FSDP, DeepSpeed ZeRO-3) is not asked: the guard says so, and
    checks only what the trainer logs.

    Args:
        action: "stop" or "warn".
        limits: the values from which on a signal is an alarm.
        every: steps between two checks; by default an eighth of the training, with additional checks at steps 5, 10,
            20, 40 ... before the first of these, where a learning rate that is too high shows.
        prompts: how many pairs of the training set are used; half of their prompts are asked.
        questions: the unrelated questions.
        restore: keep a copy of the last good weights in main memory, to restore them on an alarm.
        pairs: the trainer's `train_dataset`, for pairs of several kinds: its column `method` tells which are
            corrections, and a trainer drops it on the way to its batches.
    """

    def __init__(
        self,
        action: Literal["stop", "warn"] = "stop",
        *,
        limits: Limits | None = None,
        every: int | None = None,
        prompts: int = 16,
        questions: Sequence[str] = QUESTIONS,
        restore: bool = True,
        pairs: Any = None,
    ) -> None:
        if action not in ("stop", "warn"):
            raise pairforge.InputError(f"the guard has no action {action!r}", fix='use "stop" or "warn"')
        self.action, self.limits, self.every, self.restore = action, limits or Limits(), every, restore
        self._prompts, self._questions, self._pairs = prompts, questions, pairs
        self._reset()

    def _reset(self) -> None:
        self.alarm: Alarm | None = None
        self.records: list[Record] = []
        self._probes: ProbeSet | None = None
        self._good: tuple[int, dict[str, Any]] | None = None
        self._logged: dict[str, Any] = {}
        self._entropy = self._length = math.nan
        self._noted_no_change = self._first_process = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Ask everything once before the first step; a resumed training reads the answers saved with its checkpoint."""
        self._reset()
        self._first_process = state.is_world_process_zero
        rows = tokenized(self._pairs or given["train_dataloader"].dataset)
        if rows:
            self._length = sum(len(row["chosen_ids"]) for row in rows) / len(rows)
        if not _is_whole(given["model"]):
            self._say("the weights are sharded over processes: only what the trainer logs is checked")
            return
        self._probes = ProbeSet(rows, given["processing_class"], given["model"], self._prompts, self._questions)
        if state.global_step and not self._resume(checkpoint_folder(args, state) / _NAME):
            self._say("the checkpoint has no answers from before training: later ones are compared with its own")
        if not self.records:  # later answers are compared with those given just now
            self.records.append(Record(state.global_step))
        if self.records[-1].good(self.limits):
            self._keep(state.global_step, given["model"])

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Keep what the trainer logs. TRL's `rewards/chosen` is beta times the gain on the reference."""
        if not logs or "rewards/chosen" not in logs:
            return
        names = ("rewards/chosen", "rewards/margins", "rewards/accuracies", "entropy")
        reward, margin, accuracy, entropy = (float(logs.get(name, math.nan)) for name in names)
        self._entropy = entropy if math.isnan(self._entropy) else self._entropy
        scale = getattr(args, "beta", 0) * max(self._length, 1.0) or math.nan
        chosen = reward / scale if math.isfinite(reward + float(logs.get("loss", 0.0))) else -math.inf
        self._logged = {"chosen": chosen, "margin": margin / scale, "accuracy": accuracy}
        unlikely = -float(logs.get("logps/chosen", math.nan)) / max(self._length, 1.0)
        self._logged["unlearned"] = unlikely if margin >= _SATURATED else 0.0
        self._logged["entropy"] = entropy - self._entropy

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check the model at certain steps, and stop the training on an alarm."""
        step = state.global_step
        every = self.every or max(5, math.ceil(state.max_steps / 8))
        early = self.every is None and step < every and step % 5 == 0 and (step // 5).bit_count() == 1
        if self._stopped or not (step % every == 0 or early or step == state.max_steps):
            return
        self._check(step, given["model"], args.device)
        if self._stopped:
            control.should_training_stop = True
            self._prevent_saving(control)
        elif self.records[-1].no_change and step <= max(state.max_steps / 10, 5) and not self._noted_no_change:
            self._noted_no_change = True
            why = "reward accuracy is 1.0, but no greedy answer has changed: accuracy is uninformative here"
            self._say(f"step {step}: {why}")

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Restore the weights once more: with `load_best_model_at_end` others have been loaded meanwhile."""
        if self.alarm:
            self._restore(given["model"])
        self._good = None

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save no checkpoint of a training that was stopped."""
        self._prevent_saving(control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save the initial answers with the checkpoint, for a training that is resumed from it."""
        folder = checkpoint_folder(args, state)
        if self._probes and self._first_process and folder.is_dir():
            saved = {"interview": self._probes.as_json(), "records": [asdict(record) for record in self.records]}
            write_atomic(folder / _NAME, json.dumps({**saved, "entropy": self._entropy}))

    def _check(self, step: int, model: Any, device: Any) -> None:
        """Check the model once; report an alarm and restore the good weights."""
        measured = self._probes.check(model) if self._probes else {}
        record = Record(step, **measured, **self._logged)
        self.records.append(record)
        before = self.records[-2::-1]
        if self.alarm:
            return  # after a warning, the records go on
        if _in_any_process(why := record.alarm(self.limits, *before), device):
            self._raise_alarm(step, why or "another process detected a collapse", model)
        elif record.good(self.limits):
            self._keep(step, model)

    def _keep(self, step: int, model: Any) -> None:
        if self.action == "stop" and self.restore and self._probes:
            held = self._good[1] if self._good else {}  # overwritten: memory may not hold two copies
            for name, weight in _trained(model):
                held[name] = held[name].copy_(weight.detach()) if name in held else weight.detach().to("cpu", copy=True)
            self._good = step, held

    def _restore(self, model: Any) -> int | None:
        """Restore the good weights; return the step that they are from."""
        if not self._good:
            return None
        step, held = self._good
        for name, weight in _trained(model):
            weight.detach().copy_(held[name])
        return step

    def _raise_alarm(self, step: int, why: str, model: Any) -> None:
        self.alarm = Alarm(step, why, self._restore(model))
        self._say(f"alarm at {self.alarm}{'' if self.action == 'warn' else '; stopped'}")

    @property
    def _stopped(self) -> bool:
        return self.alarm is not None and self.action == "stop"

    def _prevent_saving(self, control: Any) -> None:
        """Save nothing after a stop: it would be good weights beside the optimizer of the collapse."""
        if self._stopped:
            control.should_save = False

    def _resume(self, file: Path) -> bool:
        """Read the initial answers and the records of the resumed training; return False if they can't be used."""
        if not self._probes:
            return False
        try:
            saved = json.loads(file.read_text("utf-8"))
            records, entropy = [Record(**record) for record in saved["records"]], saved.get("entropy", math.nan)
            self._probes.restore(saved["interview"])
        except (OSError, ValueError, KeyError, TypeError):  # missing, truncated, or of other prompts and questions
            return False
        self.records, self._entropy = records, entropy
        return True

    def _say(self, line: str) -> None:
        if self._first_process:
            say(f"guard: {line}")


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def _is_whole(model: Any) -> bool:
    """Return True if every process has all weights, so that each can ask the model by itself."""
    from torch.distributed.tensor import DTensor

    wrapped = any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules())
    return not wrapped and not any(isinstance(one, DTensor) or one.numel() == 0 for one in model.parameters())


def _in_any_process(why: str | None, device: Any) -> bool:
    """Return True if any process has an alarm: all must stop together. `device` is used to communicate."""
    from torch import distributed, tensor

    if not (distributed.is_available() and distributed.is_initialized()):
        return why is not None
    seen = tensor([float(why is not None)], device=device)
    distributed.all_reduce(seen, op=distributed.ReduceOp.MAX)
    return bool(seen.item())
