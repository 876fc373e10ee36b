"""Retry with exponential backoff: how long to wait, and why a request is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds between tries


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time up to a minute, with jitter."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 30)) * random.uniform(0.5, 1))


@dataclass(frozen=True)
class RequestError:
    """The reason why a request has no answer yet. `wait` is the time that the server asks for, in seconds.

    "failed" is counted against the request, "busy" and "unreachable" against the server.
    """

    kind: Literal["failed", "busy", "unreachable"]
    detail: str
    wait: float = 0.0
