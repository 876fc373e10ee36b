"""The learning curves of a training as an SVG of small panels: the trainer's log, and the guard's signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .svg import ALARM, CHOSEN, REJECTED, figure_svg
from .text import visible

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """A panel: its lines by name, whether its values are shares, and the limit of a guard's signal."""

    title: str
    lines: Mapping[str, Points]
    share: bool = False
    limit: float | None = None


def draw(
    log: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]] = (),
    alarm: int | None = None,
    *,
    stopped: bool = True,
    title: str = "",
    beta: float = 0.0,
    limits: Mapping[str, float] | None = None,
) -> str:
    """Return the SVG of the learning curves. Raises InputError where matplotlib is not installed.

    Args:
        log: `trainer.state.log_history`.
        records: What a guard measured, check by check.
        alarm: The step of the guard's alarm, marked in each panel.
        stopped: Whether the guard stopped the training then.
        title: What was trained, and how it ended.
        beta: That of the loss. TRL logs `rewards/chosen`, beta times the gain of the log-probability on the reference:
            divided by beta it is the change since step 0, at which the model is the reference. 0 draws none.
        limits: The limits of the guard's signals, drawn as lines.
    """
    what = "stopped by the guard" if stopped else "guard alarm"
    parts = ["Training", title, f"{what} at step {alarm}" if alarm is not None else ""]
    drawn = panels(log, records, alarm, beta=beta, limits=limits)
    return figure_svg(visible(", ".join(filter(None, parts))), [*drawn.values()])


def panels(
    log: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    alarm: int | None,
    *,
    beta: float = 0.0,
    limits: Mapping[str, float] | None = None,
) -> dict[str, Callable[[Any], None]]:
    """Return the function that draws each panel for which there are values, by its title: see `draw`."""
    shown = [panel for panel in (*_log_panels(log, beta), *_guard_panels(records, limits or {})) if panel.lines]
    last = max((x for panel in shown for points in panel.lines.values() for x, _ in points), default=1.0)
    return {panel.title: partial(_draw_panel, number, panel, max(last, 1), alarm) for number, panel in enumerate(shown)}


def _log_panels(log: Sequence[Mapping[str, Any]], beta: float) -> list[Panel]:
    gains = {name: _points(log, f"rewards/{name}", 1 / beta) if beta else [] for name in ("chosen", "rejected")}
    return [
        Panel("loss", _lines(log, "loss")),
        Panel("reward margin", _lines(log, "rewards/margins")),
        Panel("reward accuracy", _lines(log, "rewards/accuracies"), share=True),
        Panel("log p since step 0 (nats)", {name: [(0, 0.0), *points] for name, points in gains.items() if points}),
    ]


def _guard_panels(records: Sequence[Mapping[str, Any]], limits: Mapping[str, float]) -> list[Panel]:
    def panel(name: str, unit: str, column: str, sign: int = 1) -> Panel:
        return Panel(f"guard: {name} ({unit})", _lines(records, column, sign), unit == "share", limits.get(name))

    nats = "nats/token"
    return [
        panel("broken", "share", "broken"),
        panel("slips", "probability", "slips"),
        panel("leak", "share", "leak"),
        panel("moved", "share", "moved"),
        panel("drift", "share", "drift"),
        panel("displaced", nats, "chosen", -1),
        panel("margin", nats, "margin"),
        panel("unlearned", nats, "unlearned"),
        panel("entropy", nats, "entropy"),
    ]


def _draw_panel(number: int, panel: Panel, last: float, alarm: int | None, axes: Any) -> None:
    axes.set_title(visible(panel.title))
    axes.set_xlabel("step")
    axes.set_xlim(0, last)
    for index, (name, points) in enumerate(panel.lines.items()):
        axes.plot(
            *zip(*points, strict=True),
            marker="o" if len(points) == 1 else None,
            color=(CHOSEN, REJECTED)[index],
            label=name.rpartition("/")[2],
            gid=f"line-{number}-{index}",
        )
    if panel.limit is not None:
        axes.axhline(panel.limit, color=ALARM, ls=":", lw=1, gid=f"limit-{number}")
    if alarm is not None:
        axes.axvline(alarm, color=ALARM, ls="--", lw=1, gid=f"alarm-{number}")
    values = [y for points in panel.lines.values() for _, y in points]
    top = max(*values, panel.limit or 0.0, 0.0)
    if panel.share and panel.limit is None:
        axes.set_ylim(0, 1.02)
    elif min(values) >= 0 and top > 0:
        axes.set_ylim(0, 1.08 * top)
    if len(panel.lines) > 1:
        axes.legend()


def _lines(rows: Sequence[Mapping[str, Any]], name: str, factor: float = 1) -> dict[str, Points]:
    points = _points(rows, name, factor)
    return {name: points} if points else {}


def _points(rows: Sequence[Mapping[str, Any]], name: str, factor: float = 1) -> list[tuple[float, float]]:
    """Return the points of a value, with gaps where it is missing or can't be drawn."""
    return [(r["step"], factor * r[name]) for r in rows if is_drawable(r.get("step")) and is_drawable(r.get(name))]


def is_drawable(value: Any) -> bool:
    """Return whether a value can be drawn: axes overflow near the largest floats."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e100
