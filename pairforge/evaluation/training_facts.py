"""What is known of the training of a model, read from the `history.json` beside it or from a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainingFacts:
    """How a model was trained; what is not known is None, or empty.

    `pairs` were there, of which the training used `seen`, in `steps` of `planned` steps. `loss_type` and
    `learning_rate` are those of the training, `usual_loss` and `usual_rate` those of the recipe, `given` names the
    flags that the user gave. `margin` is the last reward margin that was logged. `stopped` is True if the guard stopped
    the training, and `restored` the step whose weights it restored.
    """

    pairs: int | None = None
    seen: int | None = None
    steps: int | None = None
    planned: int | None = None
    loss_type: tuple[str, ...] = ()
    usual_loss: tuple[str, ...] = ()
    learning_rate: float | None = None
    usual_rate: float | None = None
    given: tuple[str, ...] = ()
    margin: float | None = None
    stopped: bool = False
    restored: int | None = None

    @classmethod
    def read(cls, values: Any) -> TrainingFacts:
        """Take what has the right type from a mapping that a file may hold."""
        found = {}
        for field in fields(cls) if isinstance(values, Mapping) else ():
            value = values.get(field.name)
            if field.name in ("learning_rate", "usual_rate", "margin"):
                fits = type(value) in (int, float) and math.isfinite(value)
            elif field.name in ("loss_type", "usual_loss", "given"):
                fits = isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)
                value = tuple(value) if fits else ()
            else:
                fits = type(value) is (bool if field.name == "stopped" else int)
            if fits:
                found[field.name] = value
        return cls(**found)

    @classmethod
    def of_history(cls, history: Any) -> TrainingFacts:
        """Read the content of a `history.json`."""
        if not isinstance(history, Mapping):
            return cls()
        known, guard, log = (history.get(name) for name in ("training", "guard", "log"))
        alarm = guard.get("alarm") if isinstance(guard, Mapping) else None
        stopped = isinstance(alarm, Mapping) and isinstance(guard, Mapping) and guard.get("action") == "stop"
        lines = log if isinstance(log, list) else []
        margins = [line.get("rewards/margins") for line in lines if isinstance(line, Mapping)]
        last = next((margin for margin in reversed(margins) if margin is not None), None)
        return cls.read(
            {
                **(known if isinstance(known, Mapping) else {}),
                "steps": history.get("steps"),
                "margin": last,
                "stopped": stopped,
                "restored": alarm.get("restored") if stopped and isinstance(alarm, Mapping) else None,
            }
        )

    @classmethod
    def beside(cls, model: str | Path) -> TrainingFacts:
        """Read the `history.json` in a model's folder; nothing is known where there is none that can be read."""
        try:
            return cls.of_history(json.loads((Path(model) / "history.json").read_text("utf-8")))
        except (OSError, ValueError, RecursionError):
            return cls()

    def as_json(self) -> dict[str, Any]:
        """Return what is known, under the names of the fields."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, (), False)}
        return {name: [*value] if isinstance(value, tuple) else value for name, value in known.items()}

    @property
    def stop(self) -> str:
        """When the guard stopped the training, and which weights were saved; empty if it didn't."""
        if not self.stopped:
            return ""
        planned = f" of {self.planned}" if self.planned else ""
        weights = "" if self.restored is None else f"; the weights are those of step {self.restored}"
        return f"the guard stopped the training at step {self.steps}{planned}{weights}"

    @property
    def times_the_usual_rate(self) -> float | None:
        """The learning rate as a multiple of the recipe's."""
        return self.learning_rate / self.usual_rate if self.learning_rate and self.usual_rate else None

    @property
    def lacks_sft(self) -> bool:
        """True if the recipe's loss has an sft term, and the loss of the training had none."""
        usual = self.usual_loss or ("sft",)
        return bool(self.loss_type) and "sft" in usual and "sft" not in self.loss_type

    def __str__(self) -> str:
        said = [f"{self.steps} step{'' if self.steps == 1 else 's'}"] if self.steps is not None else []
        said += [f"lr {self.learning_rate:g}"] if self.learning_rate is not None else []
        said += ["+".join(self.loss_type)] if self.loss_type else []
        return ", ".join([*said, *(["stopped by the guard"] if self.stopped else [])])
