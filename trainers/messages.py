"""Lines on stderr, printed by the first of several processes alone."""

from __future__ import annotations

import os
import sys
import time

from pairforge.text import escaped

_SECONDS = 10.0  # in which the first process prints what is wrong


def say(text: str) -> None:
    """Print a line on stderr, from the first of several processes; control characters are shown as escapes."""
    if is_first():
        print(escaped(text), file=sys.stderr, flush=True)


def is_first() -> bool:
    """Return True in the first of several processes, and where there is only one."""
    return os.environ.get("RANK", "0") == "0"


def let_the_first_speak() -> None:
    """Wait in all processes but the first: where one ends with an error, the launcher ends the others at once."""
    if not is_first():
        time.sleep(_SECONDS)
