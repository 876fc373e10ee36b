"""Say that a large library is being loaded, while it is: before that, a command could be silent for many seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

_SLOW = {"torch": "PyTorch", "transformers": "Transformers", "trl": "TRL", "datasets": "Datasets"}
_LOOK_EVERY = 0.05  # seconds


@contextmanager
def loading_said(quiet: bool) -> Iterator[None]:
    """Within the block, print one line on stderr once the import of a slow library has begun, unless `quiet`."""
    if quiet or any(name in sys.modules for name in _SLOW):
        yield
        return
    ended = threading.Event()
    threading.Thread(target=_watch, args=(ended,), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _watch(ended: threading.Event) -> None:
    while not ended.is_set():
        for name, title in _SLOW.items():
            # While a module is imported it is among the modules already, marked as not ready.
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
                click.echo(f"loading {title}, which takes some seconds", err=True)
                return
        time.sleep(_LOOK_EVERY)
