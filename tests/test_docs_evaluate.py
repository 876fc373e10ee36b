"""docs/evaluate.md has every metric and every default threshold, as they are."""

from __future__ import annotations

from pathlib import Path

from pairforge.evaluation.metrics import METRICS
from pairforge.evaluation.thresholds import ON_POLICY, THRESHOLDS
from pairforge.prompts import bundled

TEXT = (Path(__file__).parents[1] / "docs" / "evaluate.md").read_text("utf-8")


def test_metrics_are_documented() -> None:
    for name, what in METRICS.items():
        assert f"| `{name}` | {what} |" in TEXT


def test_thresholds_are_documented() -> None:
    for threshold in THRESHOLDS:
        if (threshold.metric, threshold.rule) != ("repetition", "at most"):
            assert f"| `{threshold.metric}` | {threshold}" in TEXT
    for threshold in ON_POLICY:
        assert f"| `{threshold.metric}`, with a judge | {threshold} |" in TEXT


def test_the_numbers_of_questions_are_those_of_the_sets() -> None:
    for name in ("identity", "general", "controls"):
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| {name}:"))
        assert f"| {len(bundled(f'{name}.eval'))} |" in row
