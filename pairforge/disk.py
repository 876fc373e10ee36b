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
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise _full(path, needed) from error
        raise InputError(f"can't write {path}: {error.strerror}", fix="choose another folder with -o DIR") from error
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "I/O" in str(error):
            raise _full(path, needed) from error
        raise InputError(f"can't use {path}: {error}", fix="choose another folder with -o DIR") from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} is not a readable evidence store: {error}",
            fix="move it away, or set it aside with: pairforge correct --fresh",
        ) from error


def _full(path: Path, needed: int) -> OutsideError:
    more = f", which needs about {byte_size(needed)}" if needed else ""
    return OutsideError(
        f"disk full while writing {path}{more}", fix="free some space and run the same command again: it goes on"
    )


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when it is whole: temporary file, fsync, replace, fsync of the folder."""
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
