"""A guard against collapse: a callback that asks the model while it trains, and stops a training that destroys it.

`trainer.add_callback(CollapseGuard())` works with any DPOTrainer. The figures that a preference loss shows can't tell:
on pairs that differ in a word the loss falls to nothing and the accuracy rises to one while the model says "I am Deep
Deep Deep". So at intervals the guard has the model answer some prompts of the training set, and some questions that no
training is about, and looks at what it says.
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

from ..checkpoints import write
from ..data import say
from .interview import QUESTIONS, Interview, tokenised
from .signals import Alarm, Limits, Logged, Record

_NAME = "guard.json"


class CollapseGuard(TrainerCallback):  # type: ignore[misc]
    """Asks the model while it trains; on collapse, stops and brings the last good weights back, or only warns.

    `every`: steps between two checks; by default an eighth of the training, and before the first of these, where a
    learning rate that is too high shows, one at steps 5, 10, 20, 40 ... `prompts`: how many pairs of the training set
    are looked at; half of their prompts are asked. `questions`: what else is asked. After training, `alarm` tells
    whether it stopped, and `records` what each check saw. With `restore=False` no copy of the trained weights is held
    in memory, and none is brought back.

    A model whose weights are spread over processes (FSDP, DeepSpeed ZeRO-3) is not asked: the guard says so, and has
    only what the trainer logs.
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
    ) -> None:
        if action not in ("stop", "warn"):
            raise pairforge.InputError(f"no such action of the guard: {action}", fix='it is "stop" or "warn"')
        self.action, self.limits, self.every, self.restore = action, limits or Limits(), every, restore
        self.alarm: Alarm | None = None
        self.records: list[Record] = []
        self._prompts, self._questions = prompts, questions
        self._interview: Interview | None = None
        self._good: tuple[int, dict[str, Any]] | None = None
        self._logged, self._entropy, self._length = Logged(), math.nan, math.nan
        self._told = self._speaks = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Asks everything once before the first step; a training that goes on takes what stands by its checkpoint."""
        self.alarm, self.records, self._speaks = None, [], state.is_world_process_zero
        self._interview, self._good, self._told = None, None, False
        self._logged, self._entropy = Logged(), math.nan
        rows = tokenised(given["train_dataloader"].dataset)
        self._length = sum(len(row["chosen_ids"]) for row in rows) / len(rows) if rows else math.nan
        if not _whole(given["model"]):
            self._say("the weights are spread over processes: it watches what the trainer logs, and asks nothing")
            return
        self._interview = Interview.of(rows, given["processing_class"], given["model"], self._prompts, self._questions)
        if state.global_step and not self._go_on(_beside(args, state)):
            self._say("the checkpoint has no answers of before training: what it is now is compared with")
        if not self.records:  # what was asked just now is what there is to compare with
            self.records.append(Record(state.global_step))
        if self.records[-1].good(self.limits):
            self._keep(state.global_step, given["model"])

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Keeps what the trainer logs. TRL's `rewards/chosen` is beta times the gain on the reference."""
        if not logs or "rewards/chosen" not in logs:
            return
        entropy = float(logs.get("entropy", math.nan))
        self._entropy = entropy if math.isnan(self._entropy) else self._entropy
        reward = float(logs["rewards/chosen"])
        scale = getattr(args, "beta", 0) * max(self._length, 1.0) or math.nan
        broken = not (math.isfinite(reward) and math.isfinite(float(logs.get("loss", 0.0))))
        self._logged = Logged(
            chosen=-math.inf if broken else reward / scale,
            margin=float(logs.get("rewards/margins", math.nan)) / scale,
            entropy=entropy - self._entropy,
            accuracy=float(logs.get("rewards/accuracies", math.nan)),
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Checks where it is time to, and stops the training where there is an alarm."""
        step = state.global_step
        every = self.every or max(5, math.ceil(state.max_steps / 8))
        early = self.every is None and step < every and step % 5 == 0 and (step // 5).bit_count() == 1
        if self.alarm or not (step % every == 0 or early or step == state.max_steps):
            return
        self._check(step, given["model"], args.device)
        if self.alarm and self.action == "stop":
            control.should_training_stop = True
            self._unsaved(control)
        elif self.records[-1].hollow and step <= max(state.max_steps / 10, 5) and not self._told:
            self._told = True
            self._say(
                f"step {step}: all pairs are told apart, and no answer has changed: the accuracy says little here"
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Brings the weights back once more: with `load_best_model_at_end` others have come in between."""
        if self.alarm:
            self._restore(given["model"])
        self._good = None

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No checkpoint of a training that was stopped."""
        self._unsaved(control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Puts the first answers beside the checkpoint, so that a training that goes on from it has them."""
        file = _beside(args, state)
        if self._interview and self._speaks and file.parent.is_dir():
            kept = {"interview": self._interview.as_json(), "records": [asdict(record) for record in self.records]}
            write(file, json.dumps({**kept, "entropy": self._entropy}))

    def _check(self, step: int, model: Any, device: Any) -> None:
        """One check; an alarm is said, and followed by the good weights."""
        seen = self._interview.look(model) if self._interview else {}
        before = self.records[-1] if self.records else None
        record = Record(step, **seen, **asdict(self._logged))
        self.records.append(record)
        if _anywhere(why := record.alarm(self.limits, before or Record(step)), device):
            self._raise(step, why or "another process saw a collapse", model)
        elif record.good(self.limits):
            self._keep(step, model)

    def _keep(self, step: int, model: Any) -> None:
        if self.action == "stop" and self.restore and self._interview:
            held = self._good[1] if self._good else {}  # written over: two copies may be more than memory holds
            for name, weight in _trained(model):
                held[name] = held[name].copy_(weight.detach()) if name in held else weight.detach().to("cpu", copy=True)
            self._good = step, held

    def _restore(self, model: Any) -> int | None:
        """Brings the good weights back; says of which step they are."""
        if not self._good:
            return None
        import torch

        step, held = self._good
        with torch.no_grad():
            for name, weight in _trained(model):
                weight.copy_(held[name])
        return step

    def _raise(self, step: int, why: str, model: Any) -> None:
        self.alarm = Alarm(step, why, self._restore(model))
        self._say(f"{self.alarm}{'' if self.action == 'warn' else '; stopped'}")

    def _unsaved(self, control: Any) -> None:
        """What is saved after a stop would be good weights beside the optimizer of the collapse."""
        if self.alarm and self.action == "stop":
            control.should_save = False

    def _go_on(self, file: Path) -> bool:
        """Takes the first answers and the records of the training that is gone on with; False where there are none."""
        if not self._interview:
            return False
        try:
            kept = json.loads(file.read_text("utf-8"))
            records, entropy = [Record(**record) for record in kept["records"]], kept.get("entropy", math.nan)
            self._interview.take(kept["interview"])
        except (OSError, ValueError, KeyError, TypeError):  # missing, cut off, or of other prompts and questions
            return False
        self.records, self._entropy = records, entropy
        return True

    def _say(self, line: str) -> None:
        if self._speaks:
            say(f"guard: {line}")


def _beside(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}" / _NAME


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def _whole(model: Any) -> bool:
    """Every process has all weights, so that each can ask the model by itself."""
    from torch.distributed.tensor import DTensor

    weights = [weight for _, weight in model.named_parameters()]
    wrapped = any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules())
    return not wrapped and not any(isinstance(weight, DTensor) or weight.numel() == 0 for weight in weights)


def _anywhere(why: str | None, device: Any) -> bool:
    """Whether any process has an alarm: they must stop together. `device` is what they talk over."""
    from torch import distributed, tensor

    if not (distributed.is_available() and distributed.is_initialized()):
        return why is not None
    seen = tensor([float(why is not None)], device=device)
    distributed.all_reduce(seen, op=distributed.ReduceOp.MAX)
    return bool(seen.item())
