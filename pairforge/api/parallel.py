"""Rows checked by several processes, with the findings of one."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable, Iterator
from importlib import import_module
from itertools import chain
from typing import Any

from ..checks import RULES, Against, RowChecker
from ..checks.dataset import DatasetState
from ..processes import OrderedPool
from ..types import Finding

_BLOCK = 2**20
"""Bytes of rows that are handed over together."""


class ParallelRowChecker:
    """Finds what `RowChecker` finds, with `jobs` processes looking at the rows."""

    def __init__(self, codes: Collection[str], against: Against | None, jobs: int) -> None:
        modules = {RULES[code].see.__module__ for code in codes}
        self._whole = RowChecker(codes, against)
        self._pool = OrderedPool(jobs, _row_checker, codes, against, modules)
        self._start, self._size, self._block = 0, 0, list[bytes]()

    def __enter__(self) -> ParallelRowChecker:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.__exit__(*error)

    def see(self, index: int, row: Any) -> list[Finding]:
        """Take a row; return what was found in earlier ones."""
        packed = _packed(row)
        self._block.append(packed)
        self._size += len(packed)
        return self._joined(self._put()) if self._size >= _BLOCK else []

    def findings(self) -> Iterable[Finding]:
        """Return what is wrong with the last rows, and with the dataset."""
        if self._start == 0:  # so few rows are not worth starting a process
            found = [one for index, row in enumerate(self._block) for one in self._whole.see(index, pickle.loads(row))]
        else:
            found = self._joined(chain(self._put(), self._pool.rest()))
        return [*found, *self._whole.findings()]

    def _put(self) -> Iterator[tuple[list[Finding], DatasetState]]:
        start, block = self._start, self._block
        self._start, self._size, self._block = start + len(block), 0, []
        return self._pool.put(start, block)

    def _joined(self, results: Iterable[tuple[list[Finding], DatasetState]]) -> list[Finding]:
        found: list[Finding] = []
        for of_block, state in results:
            found += of_block
            self._whole.state.join(state)
        return found


def _packed(row: Any) -> bytes:
    try:
        return pickle.dumps(row, 5)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError):
        # A mapping of somebody's own; what can't be handed over as a plain one is no row.
        try:
            return pickle.dumps(dict(row), 5)
        except Exception:  # noqa: BLE001 - the user's own class may raise anything
            return pickle.dumps(str(type(row)), 5)


def _row_checker(
    codes: Collection[str], against: Against | None, modules: Iterable[str]
) -> Callable[[int, list[bytes]], tuple[list[Finding], DatasetState]]:
    for module in modules:  # those of rules that are not pairforge's own
        import_module(module)

    def check(start: int, block: list[bytes]) -> tuple[list[Finding], DatasetState]:
        part = RowChecker(codes, against)
        found = [one for index, row in enumerate(block, start) for one in part.see(index, pickle.loads(row))]
        return found, part.state

    return check
