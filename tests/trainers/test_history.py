"""What is left of a training: plain JSON whatever was in it, and whether the guard stopped it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainers.history import History


@dataclass
class Alarm:
    step: int
    message: str


@dataclass
class Guard:
    alarm: Alarm | None = None
    records: list[dict[str, float]] = field(default_factory=list)


def test_it_is_plain_json_without_what_is_no_number(tmp_path: Path) -> None:
    guard = Guard(Alarm(7, "half a name"), [{"step": 5, "leak": math.nan}])
    History([{"step": 1, "loss": math.inf, "odd": np.float64(1)}], 9, False, "stop", guard).write(tmp_path)
    told = json.loads((tmp_path / "history.json").read_text("utf-8"), parse_constant=lambda name: 1 / 0)
    assert told["log"] == [{"step": 1, "loss": None, "odd": 1.0}]
    assert told["guard"]["alarm"] == {"step": 7, "message": "half a name"}
    assert told["guard"]["records"] == [{"step": 5, "leak": None}]
    assert (tmp_path / "training.svg").read_text("utf-8").startswith("<svg")


def test_a_guard_that_only_warns_stops_nothing() -> None:
    guard = Guard(Alarm(7, "half a name"))
    assert History([], 9, False, "stop", guard).stopped == "half a name"
    assert History([], 9, False, "warn", guard).stopped == ""
    assert History([], 9, False, "off").stopped == ""
