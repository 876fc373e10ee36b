"""Work in several processes: blocks are handed over one by one, and their results come back in the same order."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any

from .errors import OutsideError


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802
        # A process that is spawned imports the main module: it would run the caller's script once more.
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            return SpawnProcess._Popen(process_obj)
        finally:
            sys.modules["__main__"] = main


class _Context(SpawnContext):
    Process = _Process


class OrderedPool:
    """`jobs` processes. Each calls `make(*given)` once, and then what that returns with every block it is handed.

    A context manager: on leaving it, the processes end. Raises OutsideError there, if one died before.
    """

    def __init__(self, jobs: int, make: Callable[..., Callable[..., Any]], *given: Any) -> None:
        self._jobs = jobs
        self._executor = ProcessPoolExecutor(jobs, _Context(), _start, (make, given))
        self._waiting: deque[Future[Any]] = deque()

    def __enter__(self) -> OrderedPool:
        return self

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            what = "a process ended before its work was done: out of memory?"
            raise OutsideError(what, fix="use fewer --jobs") from error

    def put(self, *block: Any) -> Iterator[Any]:
        """Hand over a block; yield the first results, where twice as many blocks as processes wait."""
        self._waiting.append(self._executor.submit(_run, *block))
        return self.results(2 * self._jobs)

    def results(self, waiting: int = 0) -> Iterator[Any]:
        """Yield the first results, until so many blocks wait."""
        while len(self._waiting) > waiting:
            yield self._waiting.popleft().result()


_work: list[Callable[..., Any]] = []
"""What this process does."""


def _start(make: Callable[..., Callable[..., Any]], given: tuple[Any, ...]) -> None:
    _work[:] = [make(*given)]


def _run(*block: Any) -> Any:
    return _work[0](*block)
