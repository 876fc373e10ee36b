"""A line a log: the loss, what everybody watches, and `logps/chosen`, which can tell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .data import say

_NAMES = ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "eval_loss")


def use_lines(trainer: Any) -> None:
    """Lines with the time that is left, in the place of transformers' printed dicts."""
    from transformers import PrinterCallback, TrainerCallback

    class Lines(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.start, self.behind = time.monotonic(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            if shown := [f"{name} {float(logs[name]):.3f}" for name in _NAMES if logs and name in logs]:
                each = (time.monotonic() - self.start) / max(state.global_step - self.behind, 1)
                left = f"{each * (state.max_steps - state.global_step):.0f} s left"
                say(f"step {state.global_step}/{state.max_steps}  {'  '.join(shown)}  {left}")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Lines())
