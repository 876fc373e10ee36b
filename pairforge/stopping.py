"""Stop sampling and judging early: by a budget that is spent, or by a signal. What is committed is kept."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .errors import InputError
from .options.common import BudgetOptions

GRACE = 5.0  # seconds in which the current batch may be finished after a signal
_outer: list[list[int]] = []
"""The signals that the block around the others caught, while there is one."""


@dataclass(kw_only=True)
class Budget(BudgetOptions):
    """Limits of a run in this process, and what is used of them: tokens, money, failed answers, time since start."""

    tokens: int = 0
    cost: float = 0.0
    failures: int = 0
    start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for option in ("minutes", "tokens", "cost", "failures"):
            value = getattr(self, f"max_{option}")
            if value is not None and not (value > 0 or (value == 0 and option == "failures")):
                least = "at least 0" if option == "failures" else "above 0"
                raise InputError(f"--max-{option} {value} must be {least}", fix="use a larger number, or leave it out")

    def spent(self) -> str | None:
        """Return the limit that is reached, as its option, or None. That many failures are still tolerated."""
        if self.max_minutes is not None and time.monotonic() - self.start >= self.max_minutes * 60:
            return f"--max-minutes {self.max_minutes:g}"
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            return f"--max-tokens {self.max_tokens}"
        if self.max_cost is not None and self.cost >= self.max_cost:
            return f"--max-cost {self.max_cost:g}"
        if self.max_failures is not None and self.failures > self.max_failures:
            return f"--max-failures {self.max_failures}"
        return None


@contextmanager
def finish_batch_on_signal(seconds: float = GRACE) -> Iterator[Callable[[], bool]]:
    """Defer the first SIGINT/SIGTERM until the current batch is committed; yields a function: has a signal come?

    The block calls it after each commit, and ends if a signal came; the signal then has its usual effect. With a second
    signal, or if the block goes on for `seconds`, the signal takes effect immediately. A block within another one ends
    without that effect: it comes at the end of the outer one.
    """
    caught: list[int] = []
    usual: dict[int, Any] = {}
    if main := threading.current_thread() is threading.main_thread():  # Others can't set handlers.
        if _outer:
            yield lambda: bool(_outer[0])
            return
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        usual = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}

    def at_once(_: int, frame: Any) -> None:
        _restore(usual)
        handler = usual[caught[0]]
        if callable(handler):  # A signal raised within a handler might wait until the next one comes.
            handler(caught[0], frame)
        else:
            signal.raise_signal(caught[0])

    def defer(number: int, frame: Any) -> None:
        if caught:
            at_once(number, frame)
            return
        caught.append(number)
        # Not print: it may be what was interrupted. A terminal has just shown ^C, behind what was there.
        os.write(2, b"\n" * os.isatty(2))
        os.write(2, b"pairforge: stopping after the current batch; press Ctrl-C again to stop at once\n")
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, at_once)
            signal.setitimer(signal.ITIMER_REAL, seconds)

    for number in usual:
        signal.signal(number, defer)
    if main:
        _outer.append(caught)
    try:
        yield lambda: bool(caught)
    finally:
        if main:
            _outer.clear()
        _restore(usual)
    if caught:
        signal.raise_signal(caught[0])


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if handlers and hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
