"""Models that were converted once, each in a folder of the cache of the Hub's libraries: `$HF_HOME/pairforge`."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..disk import write_errors

_FIX = "set HF_HOME to a folder that can be written to"


def cache_folder(name: str) -> Path:
    """Return the folder of a converted model, whether it is there or not. The name identifies it by content."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "pairforge" / name


def made_once(folder: Path, convert: Callable[[Path], None]) -> Path:
    """Return the folder, which `convert` has filled, also with a config.json: once, whole or not at all.

    Of two processes the second one waits. Raises InputError or OutsideError where it can't be written.
    """
    from filelock import FileLock

    if (folder / "config.json").is_file():
        return folder
    unfinished = folder.with_name(f".{folder.name}")
    with write_errors(folder, fix=_FIX):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{unfinished}.lock"):
        if (folder / "config.json").is_file():
            return folder
        with write_errors(folder, fix=_FIX):
            for rest in (folder, unfinished):  # of a conversion that was killed, or a folder that lost its files
                shutil.rmtree(rest, ignore_errors=True)
        convert(unfinished)
        with write_errors(folder, fix=_FIX):
            os.rename(unfinished, folder)
    return folder


@contextmanager
def room_for(folder: Path, size: int) -> Iterator[None]:
    """Make the folder, for so many bytes that the block writes. Raises OutsideError where the disk has not so many."""
    with write_errors(folder, size, _FIX):
        if shutil.disk_usage(folder.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        folder.mkdir()
        yield
