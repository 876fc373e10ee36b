"""How sampling and judging stop before their end: a budget that is spent, or a signal. What is done stays done."""

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

PATIENCE = 5.0  # seconds that the batch in hand is given after a signal


@dataclass
class Budget:
    """What a run may cost in this process: minutes of wall-clock time, tokens made, failed answers. None: no limit."""

    max_minutes: float | None = None
    max_tokens: int | None = None
    max_failures: int | None = None
    tokens: int = 0
    failures: int = 0
    start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for option in ("minutes", "tokens", "failures"):
            value = getattr(self, f"max_{option}")
            if value is not None and not (value > 0 or (value == 0 and option == "failures")):
                raise InputError(f"--max-{option} {value} leaves nothing to spend", fix="use a larger number, or none")

    def spent(self) -> str | None:
        """Which limit is reached, as the option that set it, or None. Failures are tolerated up to theirs."""
        if self.max_minutes is not None and time.monotonic() - self.start >= self.max_minutes * 60:
            return f"--max-minutes {self.max_minutes:g}"
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            return f"--max-tokens {self.max_tokens}"
        if self.max_failures is not None and self.failures > self.max_failures:
            return f"--max-failures {self.max_failures}"
        return None


@contextmanager
def finish_batch_on_signal(seconds: float = PATIENCE) -> Iterator[Callable[[], bool]]:
    """Lets the batch in hand be finished after a first SIGINT or SIGTERM; yields whether one came.

    Whoever is inside asks after each commit, and leaves; the signal then does what it did outside. A second signal, or
    `seconds` without leaving, has it do so at once.
    """
    caught: list[int] = []
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if _main_thread() else {}
    mine: dict[int, Any] = {
        number: handler for number, handler in usual.items() if handler not in (signal.SIG_IGN, None)
    }

    def at_once(_: int, frame: Any) -> None:
        _restore(mine)
        handler = mine[caught[0]]
        if callable(handler):  # A signal raised within a handler might wait until the next one comes.
            handler(caught[0], frame)
        else:
            signal.raise_signal(caught[0])

    def note(number: int, frame: Any) -> None:
        if caught:
            at_once(number, frame)
            return
        caught.append(number)
        # Not print: it may be what was interrupted.
        os.write(2, b"pairforge: stopping after the batch in hand; once more stops at once\n")
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, at_once)
            signal.setitimer(signal.ITIMER_REAL, seconds)

    for number in mine:
        signal.signal(number, note)
    try:
        yield lambda: bool(caught)
    finally:
        _restore(mine)
    if caught:
        signal.raise_signal(caught[0])


def _main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if handlers and hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
