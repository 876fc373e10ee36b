"""The retry policy of requests: which failures are tried again, how often, and after what wait (backoff)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Literal

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds between tries
MAX_FAILURES = 6  # of one request, by itself
MAX_REFUSALS = 20  # of one request, by servers that are busy or can't be reached
BUSY_STATUS = (429, 502, 503, 529)
RETRIABLE_STATUS = (408, 409, 425)
"""Client errors that another try may resolve; all others of 400 to 499 are final."""


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


def retry_after(header: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, as seconds or a date; 0 where it can't be read."""
    try:
        seconds = float(header or 0)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(header)).timestamp() - time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if seconds > 0 else 0.0
