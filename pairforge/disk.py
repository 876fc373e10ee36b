"""Files written whole or not at all, JSON read as far as it is there, and errors of disk and database in one line."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .errors import RUN_AGAIN, InputError, OutsideError, is_disk_full
from .text import byte_size, without_surrogates


@contextmanager
def write_errors(path: Path, needed: int = 0, fix: str = "choose another folder") -> Iterator[None]:
    """Convert OSError and sqlite3 errors in the block to InputError/OutsideError; `needed` are the bytes to write."""
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        text = str(error)
        if isinstance(error, OSError):
            full = is_disk_full(error)
            what = f"can't write {path}: {error.strerror}"
        elif isinstance(error, sqlite3.OperationalError):
            full, what = "full" in text or "I/O" in text, f"can't use {path}: {text}"
        else:
            full, what = False, f"{path} is not a readable evidence store: {text}"
            fix = "move it away, or set it aside with: pairforge correct --fresh"
        if not full:
            raise InputError(what, fix=fix) from error
        more = f", which needs about {byte_size(needed)}" if needed else ""
        raise OutsideError(f"disk full while writing {path}{more}", fix=RUN_AGAIN) from error


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name once it is complete: temporary file, fsync, replace, fsync of the folder."""
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with write_errors(path):
        temp.unlink(missing_ok=True)  # a link may be there, in a folder that somebody gave
        file = open(temp, "xb")  # noqa: SIM115
    try:
        with file:
            yield file
            with write_errors(path):
                file.flush()
                os.fsync(file.fileno())
        with write_errors(path):
            os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Wait until the names of the files in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def git_id(content: bytes) -> str:
    """Return the id that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one where the file is missing, damaged, or holds something else."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write a file of JSON Lines, whole or not at all; half characters become U+FFFD."""
    write_atomic(path, without_surrogates("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)))


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a whole file or nothing; its folder is made where it is missing."""
    content = data.encode() if isinstance(data, str) else data
    with write_errors(path, len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as file:
            file.write(content)
