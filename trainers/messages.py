"""Lines on stderr, printed by the first of several processes alone."""

from __future__ import annotations

import os
import sys

from pairforge.text import escaped


def say(text: str) -> None:
    """Print a line on stderr, from the first of several processes; control characters are shown as escapes."""
    if is_first():
        print(escaped(text), file=sys.stderr, flush=True)


def is_first() -> bool:
    """Return True in the first of several processes, and where there is only one."""
    return os.environ.get("RANK", "0") == "0"
