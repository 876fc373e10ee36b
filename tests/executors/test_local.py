"""Every shard is run, by whatever task, and none of them waits for another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pairforge.errors import InputError
from pairforge.executors.local import ArrayExecutor, LocalExecutor
from pairforge.shards import Shard, ShardReport

SHARDS = [Shard(number, ()) for number in range(10)]


def open_work() -> Callable[[Shard], ShardReport]:
    return lambda shard: ShardReport(shard.number)


def test_local_runs_all_in_order() -> None:
    assert [report.number for report in LocalExecutor().run(open_work, iter(SHARDS))] == [*range(10)]


@pytest.mark.parametrize("index", range(3))
def test_a_task_runs_its_own_shards_first_then_all_others(index: int) -> None:
    numbers = [report.number for report in ArrayExecutor(index, 3).run(open_work, SHARDS)]
    own = [*range(index, 10, 3)]
    assert numbers[: len(own)] == own and sorted(numbers) == [*range(10)]


def test_two_tasks_do_not_begin_the_rest_with_the_same_shard() -> None:
    rest = {[report.number for report in ArrayExecutor(index, 3).run(open_work, SHARDS)][4] for index in range(3)}
    assert len(rest) == 3


def test_the_part_is_given_or_that_of_slurm_or_kubernetes() -> None:
    slurm = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"}
    assert ArrayExecutor.of("3/64", slurm) == ArrayExecutor(2, 64)
    assert ArrayExecutor.of(None, slurm) == ArrayExecutor(2, 4)
    assert ArrayExecutor.of(None, {"JOB_COMPLETION_INDEX": "3"}) == ArrayExecutor(3, 4)
    assert ArrayExecutor.of(None, {}) is None


@pytest.mark.parametrize("part", ["0/3", "4/3", "3", "a/b", ""])
def test_what_is_no_part_is_refused(part: str) -> None:
    with pytest.raises(InputError, match="--part"):
        ArrayExecutor.of(part, {})
