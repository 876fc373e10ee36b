"""Rows checked by several processes, with the findings of one."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from itertools import chain
from typing import Any, TypeAlias

from ..processes import OrderedPool
from ..types import Finding
from .dataset import Against, DatasetState
from .rule import RULES, Observer
from .runner import RowChecker

_BLOCK = 2**20
"""Bytes of rows that are handed over together."""
Part: TypeAlias = tuple[list[Finding], DatasetState]


class ParallelRowChecker(OrderedPool, Observer):
    """Finds what `RowChecker` finds, with `jobs` processes looking at the rows."""

    def __init__(self, codes: Collection[str], against: Against | None, jobs: int) -> None:
        super().__init__(jobs, _row_checker, codes, against, {RULES[code].see.__module__ for code in codes})
        self._whole = RowChecker(codes, against)
        self._start, self._size, self._block = 0, 0, list[bytes]()

    def see(self, index: int, row: Any) -> list[Finding]:
        packed = _packed(row)
        self._block.append(packed)
        self._size += len(packed)
        return self._joined(self._put()) if self._size >= _BLOCK else []

    def findings(self) -> list[Finding]:
        if self._start == 0:  # so few rows are not worth starting a process
            found = [one for index, row in enumerate(self._block) for one in self._whole.see(index, pickle.loads(row))]
        else:
            found = self._joined(chain(self._put(), self.results()))
        return [*found, *self._whole.findings()]

    def _put(self) -> Iterable[Part]:
        start, block = self._start, self._block
        self._start, self._size, self._block = start + len(block), 0, []
        return self.put(start, block)

    def _joined(self, parts: Iterable[Part]) -> list[Finding]:
        found: list[Finding] = []
        for of_part, state in parts:
            found += of_part
            self._whole.state.join(state)
        return found


def _packed(row: Any) -> bytes:
    try:
        return pickle.dumps(row, 5)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError):
        # A mapping of somebody's own; what can't be handed over as a plain one is not a row.
        try:
            return pickle.dumps(dict(row), 5)
        except Exception:  # noqa: BLE001 - the user's own class may raise anything
            return pickle.dumps(str(type(row)), 5)


def _row_checker(
    codes: Collection[str], against: Against | None, modules: Iterable[str]
) -> Callable[[int, list[bytes]], Part]:
    for module in modules:  # those of rules that are not pairforge's own
        import_module(module)

    def check(start: int, block: list[bytes]) -> Part:
        part = RowChecker(codes, against)
        found = [one for index, row in enumerate(block, start) for one in part.see(index, pickle.loads(row))]
        return found, part.state

    return check
