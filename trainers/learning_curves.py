"""How a training went, as a picture: a self-contained SVG of small panels, one a question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

_PANELS: Mapping[str, Sequence[str]] = {
    "loss": ("loss",),
    "reward margin": ("rewards/margins",),
    "reward accuracy": ("rewards/accuracies",),
    "log p since the start": ("logps/chosen", "logps/rejected"),
}
_FROM_START = "since the start"
_WIDTH, _HEIGHT, _COLUMNS, _TOP = 300, 190, 3, 40  # of a panel, in pixels; panels in a row; the title's height
_LEFT, _RIGHT, _ABOVE, _BELOW = 54, 14, 30, 28
_STYLE = """
text{font:11px system-ui,'DejaVu Sans',sans-serif;fill:#333}.title{font-size:14px;font-weight:600}.name{font-weight:600}
.grid{stroke:#eee}.axis{stroke:#999;fill:none}.line0,.line1{fill:none;stroke-width:1.6}.line0{stroke:#2b6cb0}
.line1{stroke:#e08e45}.dot0{fill:#2b6cb0}.dot1{fill:#e08e45}.alarm{stroke:#c0392b;stroke-dasharray:4 3}
"""
Points = Sequence[tuple[float, float]]


def draw(log: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]] = (), alarm: int | None = None) -> str:
    """The curves of a `trainer.state.log_history`, and of what a guard recorded; `alarm` is the step at which it rang.

    Log-probabilities, in nats a completion, are drawn against the first that was logged.
    """
    panels = {title: _lines(log, names, _FROM_START in title) for title, names in _PANELS.items()}
    numbers = dict.fromkeys(name for record in records for name, value in record.items() if _is_number(value))
    panels |= {f"guard: {name}": _lines(records, (name,), False) for name in numbers if name != "step"}
    shown = [(title, lines) for title, lines in panels.items() if lines]
    last = max((x for _, lines in shown for points in lines.values() for x, _ in points), default=1.0)
    body = [_panel(number, title, lines, last, alarm) for number, (title, lines) in enumerate(shown)]
    width = _COLUMNS * _WIDTH
    height = _TOP + math.ceil(len(shown) / _COLUMNS) * _HEIGHT
    heading = "Training" + (f", stopped by the guard at step {alarm}" if alarm is not None else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(heading)}</title><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#fff"/><text class="title" x="{_LEFT}" y="24">{escape(heading)}'
        f"</text>{''.join(body)}</svg>\n"
    )


def _lines(rows: Sequence[Mapping[str, Any]], names: Sequence[str], from_start: bool) -> dict[str, Points]:
    """The points of each name that was logged, finite ones alone."""
    lines: dict[str, Points] = {
        name: [(r["step"], r[name]) for r in rows if _is_number(r.get("step")) and _is_number(r.get(name))]
        for name in names
    }
    lines = {name: points for name, points in lines.items() if points}
    if from_start:
        return {name: [(x, y - points[0][1]) for x, y in points] for name, points in lines.items()}
    return lines


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _panel(number: int, title: str, lines: Mapping[str, Points], last: float, alarm: int | None) -> str:
    x, y = number % _COLUMNS * _WIDTH, _TOP + number // _COLUMNS * _HEIGHT
    return f'<g transform="translate({x} {y})">{"".join(_parts(title, lines, last, alarm))}</g>'


def _parts(title: str, lines: Mapping[str, Points], last: float, alarm: int | None) -> Iterator[str]:
    heights = [height for points in lines.values() for _, height in points]
    low, high = _bounds(heights)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BELOW

    def across(step: float) -> float:
        return _LEFT + step / max(last, 1) * (right - _LEFT)

    def up(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - _ABOVE)

    yield f'<text class="name" x="{_LEFT}" y="18">{escape(title)}</text>'
    for tick in (low, (low + high) / 2, high):
        yield f'<path class="grid" d="M{_LEFT} {up(tick):.1f}H{right}"/>'
        yield f'<text x="{_LEFT - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{_short(tick)}</text>'
    for step in (0, last):
        yield f'<text x="{across(step):.1f}" y="{bottom + 16}" text-anchor="middle">{step:g}</text>'
    yield f'<path class="axis" d="M{_LEFT} {_ABOVE}V{bottom}H{right}"/>'
    if alarm is not None:
        yield f'<path class="alarm" d="M{across(alarm):.1f} {_ABOVE}V{bottom}"/>'
    for index, (name, points) in enumerate(lines.items()):
        kind, spots = index % 2, [f"{across(step):.1f} {up(value):.1f}" for step, value in points]
        yield f'<path class="line{kind}" d="M{"L".join(spots)}"/>'
        if len(points) == 1:
            yield f'<circle class="dot{kind}" cx="{across(points[0][0]):.1f}" cy="{up(points[0][1]):.1f}" r="2.5"/>'
        if len(lines) > 1:
            place = f'x="{right - 56 * (len(lines) - 1 - index)}" y="18" text-anchor="end"'
            yield f'<text {place} class="dot{kind}">{escape(name.rpartition("/")[2])}</text>'


def _short(value: float) -> str:
    """A number in the room that is left of the axis."""
    return f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.2g}"


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """The least and the most, with room between them; with 0 where it is near."""
    low, high = min(values), max(values)
    if low > 0 and low < 0.5 * high:
        low = 0.0
    room = (high - low) * 0.05 or max(abs(high) * 0.05, 0.01)
    return (low if low == 0 else low - room), high + room
