"""The learning curves of a training as an SVG of small panels, one a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pairforge.svg import figure_svg
from pairforge.text import visible

_PANELS: Mapping[str, Sequence[str]] = {
    "loss": ("loss",),
    "reward margin": ("rewards/margins",),
    "reward accuracy": ("rewards/accuracies",),
    "log p since the start": ("logps/chosen", "logps/rejected"),
}
_COLORS = ("#2b6cb0", "#e08e45")
Points = Sequence[tuple[float, float]]


def draw(
    log: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]] = (),
    alarm: int | None = None,
    *,
    stopped: bool = True,
) -> str:
    """Return the SVG of the learning curves. Raises InputError where matplotlib is not installed.

    Args:
        log: `trainer.state.log_history`. Log-probabilities, in nats a completion, are drawn against the first one.
        records: What a guard measured, check by check.
        alarm: The step of the guard's alarm, marked in each panel.
        stopped: Whether the guard stopped the training then.
    """
    panels = {title: _lines(log, names, "since the start" in title) for title, names in _PANELS.items()}
    numbers = dict.fromkeys(name for record in records for name, value in record.items() if _is_number(value))
    panels |= {f"guard: {name}": _lines(records, (name,), False) for name in numbers if name != "step"}
    shown = [(title, lines) for title, lines in panels.items() if lines]
    last = max((x for _, lines in shown for points in lines.values() for x, _ in points), default=1.0)

    def draw_panel(number: int, title: str, lines: Mapping[str, Points], axes: Any) -> None:
        axes.set_title(visible(title))
        axes.set_xlim(0, max(last, 1))
        for index, (name, points) in enumerate(lines.items()):
            axes.plot(
                *zip(*points, strict=True),
                marker="o" if len(points) == 1 else None,
                color=_COLORS[index],
                label=name.rpartition("/")[2],
                gid=f"line-{number}-{index}",
            )
        low, high = axes.get_ylim()
        if 0 < low < 0.5 * high:
            axes.set_ylim(0, high)
        if alarm is not None:
            axes.axvline(alarm, color="#c0392b", ls="--", lw=1, gid=f"alarm-{number}")
        if len(lines) > 1:
            axes.legend()

    what = "stopped by the guard" if stopped else "guard alarm"
    heading = "Training" + (f", {what} at step {alarm}" if alarm is not None else "")
    return figure_svg(heading, [partial(draw_panel, number, *panel) for number, panel in enumerate(shown)])


def _lines(rows: Sequence[Mapping[str, Any]], names: Sequence[str], from_start: bool) -> dict[str, Points]:
    """Return the points of each name that was logged."""
    lines: dict[str, Points] = {}
    for name in names:
        points = [(r["step"], r[name]) for r in rows if _is_number(r.get("step")) and _is_number(r.get(name))]
        if points:
            start = points[0][1] if from_start else 0
            lines[name] = [(x, y - start) for x, y in points]
    return lines


def _is_number(value: Any) -> bool:
    """Return whether a value can be drawn: matplotlib's axes overflow near the largest floats."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e100
