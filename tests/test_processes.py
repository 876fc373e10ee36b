"""Blocks of work come back in the order in which they were handed over; a process that dies is reported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from pairforge.errors import OutsideError
from pairforge.processes import OrderedPool


def adder(offset: int) -> Callable[[int, float], int]:
    def add(number: int, seconds: float) -> int:
        time.sleep(seconds)
        return number + offset

    return add


def killer() -> Callable[[], None]:
    return lambda: os._exit(9)


def test_results_come_in_the_order_of_the_blocks() -> None:
    found, early = list[int](), 0
    with OrderedPool(2, adder, 100) as pool:
        for number in range(12):
            found += pool.put(number, 0.05 if number % 2 == 0 else 0.0)
            early = max(early, number + 1 - len(found))
        found += pool.results()
    assert found == [100 + number for number in range(12)]
    assert early == 4, "no more blocks wait than twice the processes"


def work_until_death() -> None:
    with OrderedPool(1, killer) as pool:
        list(pool.put())
        list(pool.results())


def test_a_process_that_dies_is_reported() -> None:
    with pytest.raises(OutsideError, match="a process ended before its work was done"):
        work_until_death()
