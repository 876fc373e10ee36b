"""Lines for the user on stderr: one for each log of the trainer, with the loss, margins and `logps/chosen`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from pairforge.text import visible

_NAMES = ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "eval_loss")


def say(text: str) -> None:
    """Print a line on stderr, from the first of several processes; control characters are shown as escapes."""
    if os.environ.get("RANK", "0") == "0":
        print(visible(text).replace("\n", "\\n").replace("\t", "\\t"), file=sys.stderr, flush=True)


def use_lines(trainer: Any) -> None:
    """Print lines with the time that is left, in place of transformers' dicts."""
    from transformers import PrinterCallback, TrainerCallback

    class LogLines(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.start, self.first_step = time.monotonic(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            if shown := [f"{name} {float(logs[name]):.3f}" for name in _NAMES if logs and name in logs]:
                per_step = (time.monotonic() - self.start) / max(state.global_step - self.first_step, 1)
                left = f"{per_step * (state.max_steps - state.global_step):.0f} s left"
                say(f"step {state.global_step}/{state.max_steps}  {'  '.join(shown)}  {left}")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(LogLines())
