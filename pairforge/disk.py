"""Files written whole or not at all, and the errors of disk and database as errors of one line."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import InputError, OutsideError
from .text import byte_size


@contextmanager
def write_errors(path: Path, needed: int = 0) -> Iterator[None]:
    """Convert OSError and sqlite3 errors in the block to InputError/OutsideError; `needed` are the bytes to write."""
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        text, fix = str(error), "choose another folder"
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            what = f"can't write {path}: {error.strerror}"
        elif isinstance(error, sqlite3.OperationalError):
            full, what = "full" in text or "I/O" in text, f"can't use {path}: {text}"
        else:
            full, what = False, f"{path} is not a readable evidence store: {text}"
            fix = "move it away, or set it aside with: pairforge correct --fresh"
        if not full:
            raise InputError(what, fix=fix) from error
        more = f", which needs about {byte_size(needed)}" if needed else ""
        fix = "free some space and run the same command again: it goes on"
        raise OutsideError(f"disk full while writing {path}{more}", fix=fix) from error


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name once it is complete: temporary file, fsync, replace, fsync of the folder."""
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temp, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a whole file or nothing; its folder is made where it is missing."""
    content = data.encode() if isinstance(data, str) else data
    with write_errors(path, len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as file:
            file.write(content)
