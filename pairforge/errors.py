"""Errors that end a run. Whatever concerns a single prompt or row is a `Skip` or a `Finding`, never one of these.

PairforgeError          one line for the user, and an exit code
├── InputError      2   usage or input: an option, a file, a row, a model folder
└── OutsideError    4   the world outside: Hub, judge, network, disk, memory
"""

from __future__ import annotations

import errno

RUN_AGAIN = "free some space and run the same command again: it goes on"
"""What to do where the disk is full."""


def is_disk_full(error: OSError) -> bool:
    """Return whether an error says that the disk is full, or what this user may have of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class PairforgeError(Exception):
    """One line that says what is wrong and where, and, as `fix`, the command or option that fixes it."""

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} ({self.fix})" if self.fix else self.message


class InputError(PairforgeError):
    """Something the user gave can't be used: an option, a file, a row, a folder."""

    exit_code = 2


class OutsideError(PairforgeError):
    """The world outside failed: network, Hub, judge, disk, memory."""

    exit_code = 4


class TerminatedExit(SystemExit):
    """SIGTERM ended the command: not an exit of code that is called by it."""
