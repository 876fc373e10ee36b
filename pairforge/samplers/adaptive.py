"""How much a server bears: found out by asking, and asked less when it pushes back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

BUSY, UNREACHED = 10, 3  # bursts refused in a row after which a server is given up: one that ever spoke, or never
FIRST, LONGEST = 0.5, 60.0  # seconds, of the waits between tries


def growing(times: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, at most a minute, with jitter."""
    return float(min(LONGEST, FIRST * 2 ** min(times - 1, 30)) * random.uniform(0.5, 1))


@dataclass(frozen=True)
class Trouble:
    """Why a request has no answer yet. `wait` is what the server asks for, in seconds.

    "failed" is counted against the request, "busy" and "unreachable" against the server.
    """

    kind: Literal["failed", "busy", "unreachable"]
    detail: str
    wait: float = 0.0


@dataclass(eq=False)
class Server:
    """What one server bears: `limit` requests at once, one more for each round trip, half when it pushes back.

    (Additive increase, multiplicative decrease: Chiu and Jain 1989.) Times are of the event loop's clock.
    """

    name: str
    ceiling: int
    limit: float = 0.0
    running: int = 0
    spoke: bool = False
    refused: int = 0  # bursts in a row
    failed: int = 0  # requests in a row
    rests_until: float = 0.0
    cut_at: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.ceiling)

    def has_room(self, now: float) -> bool:
        """Whether it may be asked one more."""
        return now >= self.rests_until and self.running < int(self.limit)

    @property
    def well(self) -> bool:
        """Whether the last that it was asked was done."""
        return not self.refused and not self.failed

    @property
    def gone(self) -> bool:
        """Whether it has refused all it was asked, for some while."""
        return self.refused >= (BUSY if self.spoke else UNREACHED)

    def answer(self) -> None:
        """It did what it was asked."""
        self.spoke, self.refused, self.failed = True, 0, 0
        self.limit = min(float(self.ceiling), self.limit + 1 / self.limit)

    def refuse(self, started: float, now: float, wait: float) -> None:
        """It takes no more. What was sent before the last cut tells nothing new: a burst counts once."""
        if started >= self.cut_at:
            self.limit = max(1.0, self.limit / 2)
            self.cut_at = now
            self.refused += 1
            if self.refused > 1:
                self.rest(now + growing(self.refused - 1))
        self.rest(now + min(wait, LONGEST))

    def rest(self, until: float) -> None:
        """It is left alone for a while."""
        self.rests_until = max(self.rests_until, until)
