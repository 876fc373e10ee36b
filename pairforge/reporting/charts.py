"""The figures of a report, drawn by matplotlib in the colours of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from markupsafe import Markup

from ..evaluation.verdict_html import Measure
from ..html import element
from ..svg import ALARM, CHOSEN, OTHER, REJECTED, can_draw, figure_svg, inline
from ..text import visible

Panel: TypeAlias = Callable[[Any], None]
"""Draws on matplotlib's axes."""
_BINS, _MOST = 30, 0.995
"""Bars of a histogram, and the share of the values that it shows: a few are much larger than all others."""
_LINE = 0.34  # inches
_LABEL = 42  # characters
_COLORS = {"chosen": CHOSEN, "rejected": REJECTED}


class Bar(NamedTuple):
    """A bar with its label."""

    label: str
    number: int
    color: str = OTHER


class Charts:
    """Draws the figures of one page; where matplotlib is missing there are none, and `left_out` is true."""

    def __init__(self) -> None:
        self._number = count(1)
        self.left_out = False

    def draw(self, title: str, panel: Panel, size: tuple[float, float] = (4.0, 2.4)) -> Markup:
        """Return a figure with its title below; `size` is in inches, and only its shape matters."""
        if not can_draw():
            self.left_out = True
            return Markup("")
        svg = inline(figure_svg(visible(title), [panel], columns=1, size=size, headed=False), f"f{next(self._number)}")
        wide = "figure wide" if size[0] > 4.5 else "figure"
        return element("figure", Markup(svg), element("figcaption", title), class_=wide)

    def bars(self, title: str, bars: Sequence[Bar]) -> Markup:
        """Draw horizontal bars with their numbers."""
        return self.draw(title, lambda axes: _bars(bars, axes), (4.0, 0.15 + _LINE * 1.2 * len(bars)))

    def histogram(self, title: str, values: Mapping[str, Sequence[float]], unit: str) -> Markup:
        """Draw how values are distributed, by the name of each set."""
        return self.draw(title, lambda axes: _histogram(values, unit, axes))

    def intervals(self, title: str, measures: Sequence[Measure]) -> Markup:
        """Draw the share of each measure before and now, with the interval of the latter."""
        return self.draw(title, lambda axes: _intervals(measures, axes), (6.0, 0.9 + 0.24 * len(measures)))


def _bars(bars: Sequence[Bar], axes: Any) -> None:
    axes.axis("off")
    axes.set_position((0.01, 0.0, 0.98, 1.0))
    most = max(1, *(bar.number for bar in bars))
    axes.set(xlim=(0, most), ylim=(0.55 - len(bars), 0.65))
    for place, bar in enumerate(bars):
        axes.barh(-place, most, height=0.28, color=f"{OTHER}22")
        axes.barh(-place, bar.number, height=0.28, color=bar.color)
        axes.text(0, 0.24 - place, _cut(bar.label), va="bottom")
        axes.text(most, 0.24 - place, f"{bar.number:,}", va="bottom", ha="right")


def _histogram(values: Mapping[str, Sequence[float]], unit: str, axes: Any) -> None:
    import numpy as np

    every = np.concatenate([np.asarray(of, dtype=float) for of in values.values()])
    low, high = float(every.min()), float(np.quantile(every, _MOST))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    for name, of in values.items():
        color = _COLORS.get(name, OTHER)
        axes.hist(np.clip(of, low, edges[-1]), edges, histtype="stepfilled", color=f"{color}55")
        axes.hist(np.clip(of, low, edges[-1]), edges, histtype="step", color=color, label=visible(name))
    axes.set(xlabel=unit, ylabel="pairs" if set(values) <= {*_COLORS, "margin"} else "answers")
    axes.yaxis.get_major_locator().set_params(integer=True)
    if len(values) > 1:
        handles = [axes.plot([], [], color=_COLORS.get(name, OTHER), label=name)[0] for name in values]
        axes.legend(handles=handles)


def _intervals(measures: Sequence[Measure], axes: Any) -> None:
    axes.set(xlim=(-0.55, 1.02), ylim=(0.4 - len(measures), 0.7), yticks=[], xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_bounds(0, 1)
    axes.grid(axis="y", visible=False)
    for place, one in enumerate(measures):
        color = ALARM if one.ok is False else CHOSEN
        axes.text(-0.03, -place, _cut(one.name), ha="right", va="center")
        if one.before is not None:
            axes.plot([one.before.value, one.now.value], [-place, -place], color=f"{OTHER}66", lw=1, clip_on=False)
            axes.plot(one.before.value, -place, "o", ms=5, color=OTHER, mfc="none", clip_on=False)
        axes.plot(
            [one.now.low, one.now.high], [-place, -place], color=color, lw=2.4, solid_capstyle="butt", clip_on=False
        )
        axes.plot(one.now.value, -place, "o", ms=5.5, mew=0, color=color, clip_on=False)


def _cut(label: str) -> str:
    label = visible(label)
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"
