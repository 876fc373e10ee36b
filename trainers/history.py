"""What is left of a training when its trainer is gone: its log, its guard's records, and the files they become."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from .card import PICTURE
from .curves import draw
from .saving import write


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

    def write(self, folder: Path) -> None:
        """`history.json` and the curves, `training.svg`."""
        alarm = self.guard.alarm if self.guard else None
        write(folder / "history.json", json.dumps(self.as_json(), ensure_ascii=False, indent=1) + "\n")
        write(folder / PICTURE, draw(self.log, self.records, alarm.step if alarm else None))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
