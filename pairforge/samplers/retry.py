"""How much a server bears: found out by asking, and asked less when it pushes back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

FIRST, LONGEST = 0.5, 60.0  # seconds, of the waits between tries


def backoff(times: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, at most a minute, with jitter."""
    return float(min(LONGEST, FIRST * 2 ** min(times - 1, 30)) * random.uniform(0.5, 1))


@dataclass(frozen=True)
class RequestError:
    """Why a request has no answer yet. `wait` is what the server asks for, in seconds.

    "failed" is counted against the request, "busy" and "unreachable" against the server.
    """

    kind: Literal["failed", "busy", "unreachable"]
    detail: str
    wait: float = 0.0
