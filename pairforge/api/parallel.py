"""Rows checked by several processes, with the findings of one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any

from ..checks import Against, RowChecker
from ..errors import OutsideError
from ..types import Finding

_BLOCK = 2**20
"""Bytes of rows that are handed over together."""
_CHILD = "import sys; sys.path[:] = {path!r}; from pairforge.api.parallel import work; work()"


def checked(rows: Iterable[Any], codes: frozenset[str], against: Against | None, jobs: int) -> Iterator[Finding]:
    """What `RowChecker` finds in the rows and in the set, `jobs` processes looking at the rows."""
    whole = RowChecker(codes, against)
    with ExitStack() as stack:
        workers = deque(stack.enter_context(_Worker((codes, against))) for _ in range(jobs))
        busy: deque[_Worker] = deque()
        for start, block in _blocks(rows):
            if not workers:
                yield from _collect(busy, workers, whole)
            worker = workers.popleft()
            worker.send((start, block))
            busy.append(worker)
        while busy:
            yield from _collect(busy, workers, whole)
    yield from whole.end()


def _collect(busy: deque[_Worker], workers: deque[_Worker], whole: RowChecker) -> list[Finding]:
    """What came of the block that was handed over first."""
    worker = busy.popleft()
    found, gathered = worker.receive()
    workers.append(worker)
    whole.gathered.join(gathered)
    told: list[Finding] = found
    return told


def _blocks(rows: Iterable[Any]) -> Iterator[tuple[int, list[bytes]]]:
    """The number of the first row of each block, and its rows, packed one by one: so their size is known."""
    start, size, block = 0, 0, list[bytes]()
    for row in rows:
        packed = _packed(row)
        block.append(packed)
        size += len(packed)
        if size >= _BLOCK:
            yield start, block
            start, size, block = start + len(block), 0, []
    if block:
        yield start, block


def _packed(row: Any) -> bytes:
    try:
        return pickle.dumps(row, 5)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError):
        # A mapping of somebody's own; what can't be handed over as a plain one is no row.
        try:
            return pickle.dumps(dict(row), 5)
        except Exception:  # noqa: BLE001 - the user's own class may raise anything
            return pickle.dumps(str(type(row)), 5)


class _Worker:
    """A process that runs `work`: no fork, which threads don't survive, and nothing that runs the caller's script."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def __enter__(self) -> _Worker:
        code = _CHILD.format(path=sys.path)
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send(self._task)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def send(self, value: Any) -> None:
        assert self._process.stdin
        try:
            _write(self._process.stdin, value)
        except BrokenPipeError as error:
            raise self._died() from error

    def receive(self) -> Any:
        assert self._process.stdout
        try:
            return pickle.load(self._process.stdout)
        except EOFError as error:
            raise self._died() from error

    def _died(self) -> OutsideError:
        return OutsideError(
            f"a checking process ended with {self._process.wait()}: out of memory?", fix="use fewer --jobs"
        )


def _write(file: IO[bytes], value: Any) -> None:
    pickle.dump(value, file, 5)
    file.flush()


def work() -> None:
    """What a process does: takes rules, then blocks of rows until there are no more; answers with what it found."""
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    codes, against = pickle.load(source)
    while True:
        try:
            start, block = pickle.load(source)
        except EOFError:
            return
        part = RowChecker(codes, against)
        found = list(part.rows(map(pickle.loads, block), start))
        _write(answers, (found, part.gathered))
